package membership

import (
	"errors"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// planning is what this process should do about the shards (rule 12 of docs/group.md).
type planning struct {
	dirty  bool
	nextAt time.Time // the next plan is not made before
	// members are the members of the plan. target has the index of one for each shard of mine.
	members []balance.Member
	target  map[string]int32
	// give are the shards of this process that belong elsewhere, in shard order. claim are the
	// free shards that this process claims. remove are free shards that an operator wants
	// removed.
	give, claim, remove []string
	// due is when the plan is made again although nothing has changed; zero: never.
	due       time.Time
	freeSince map[string]time.Time
	oldest    int64 // version of the oldest entry of the log
}

// again makes the plan again at t or earlier.
func (p *planning) again(t time.Time) {
	if p.due.IsZero() || t.Before(p.due) {
		p.due = t
	}
}

// planAll starts every operation that is due, and requests a wake-up for the next one.
func (m *Machine) planAll() {
	m.output.wake = time.Time{}
	if m.life.phase == notStarted || m.life.phase == stopped {
		return
	}
	m.planSync()
	m.leaveInTime()
	if m.life.phase == stopped {
		return
	}
	m.planSession()
	if m.life.phase == stopped {
		return
	}
	m.planDeadlines()
	if !m.observer() && m.mirror.Complete() {
		m.replan()
		m.planLook()
		m.planMoves()
	}
	m.requestWake()
}

// planDeadlines requests a wake-up for the next stage of the session and of the tenures.
func (m *Machine) planDeadlines() {
	if s := &m.session; s.live {
		d := s.belief.Deadlines()
		switch s.stage {
		case leading:
			m.wakeAt(d.Stop)
			if m.now.Local.Before(d.Jeopardy) {
				m.wakeAt(d.Jeopardy)
			}
		case draining:
			m.wakeAt(d.End)
		default:
		}
	}
	if !m.tenures.limitAt.IsZero() {
		m.wakeAt(m.tenures.limitAt)
	}
}

// planMoves updates the own record, releases, evicts and claims.
func (m *Machine) planMoves() {
	if !m.session.live {
		return
	}
	if !m.slots.give.busy() && m.planUpdate() && m.may(Release) {
		m.planRelease()
	}
	if m.slots.take.busy() || m.planEvict() || m.life.phase != running {
		return
	}
	if m.believes() && m.own.ready() && !m.leadsNothing() && m.may(Claim) {
		m.planClaim()
	}
	if !m.slots.take.busy() {
		m.planTrim()
	}
}

// planGap is the shortest time between two plans. A plan of many shards takes longer.
func (m *Machine) planGap() time.Duration {
	return m.step() * time.Duration(1+m.mirror.Len()/10_000)
}

// replan makes the plan if anything has changed, and decides which tenures end.
func (m *Machine) replan() {
	p := &m.plan
	m.rulesForAll()
	if !p.due.IsZero() && !p.dirty {
		if p.dirty = !m.now.Local.Before(p.due); !p.dirty {
			m.wakeAt(latest(p.due, p.nextAt))
		}
	}
	if !p.dirty {
		return
	}
	if m.now.Local.Before(p.nextAt) {
		m.wakeAt(p.nextAt)
		return
	}
	p.dirty, p.due, p.nextAt = false, time.Time{}, m.now.Local.Add(m.planGap())
	index := m.planMembers()
	shards := m.mirror.Shards()
	input := make([]balance.Shard, len(shards))
	for i, s := range shards {
		input[i] = m.planShard(s, index)
	}
	targets := balance.Plan(p.members, input)
	p.give, p.claim, p.remove = p.give[:0], p.claim[:0], p.remove[:0]
	p.target = make(map[string]int32, len(m.tenures.of))
	me, free := index[m.session.me.ID], make(map[string]time.Time)
	for i, s := range shards {
		switch {
		case s.Unreadable != nil:
		case m.tenures.of[s.Name] != nil:
			if p.target[s.Name] = targets[i]; targets[i] != me && targets[i] != balance.None {
				p.give = append(p.give, s.Name)
			}
		case input[i].Leader == balance.None:
			m.planFree(s, targets[i] == me, free)
		}
	}
	p.freeSince = free
	m.balanceMoves()
	if !p.due.IsZero() {
		m.wakeAt(latest(p.due, p.nextAt))
	}
}

// planMembers sets the members of the plan, and returns their indexes by id.
func (m *Machine) planMembers() map[string]int32 {
	p := &m.plan
	ids := m.mirror.MemberIDs()
	p.members = p.members[:0]
	index := make(map[string]int32, len(ids)+1)
	for _, id := range ids {
		next := balance.Member{ID: id}
		if member := m.mirror.Member(id); member != nil {
			next.Weight, next.Capacity = member.Weight, member.Capacity
			next.Ready, next.Draining = member.Ready(), member.Draining || m.mirror.Drained(id)
		}
		if id == m.session.me.ID && (m.life.phase == leaving || m.own.ready() && !m.programReady()) {
			next.Draining = true // the record says so soon
		}
		index[id] = int32(len(p.members))
		p.members = append(p.members, next)
	}
	if _, listed := index[m.session.me.ID]; !listed {
		index[m.session.me.ID] = -2 // the log has not shown the own join yet
	}
	return index
}

// planShard returns a shard as the plan sees it. What this process leads or is releasing is its
// own until the mirror shows the release.
func (m *Machine) planShard(s *mirror.Shard, index map[string]int32) balance.Shard {
	one := balance.Shard{Name: s.Name, Rank: s.Rank, Leader: balance.None, Pin: balance.None}
	if !m.mirror.Free(s) {
		if i, ok := index[s.Leader.ID]; ok {
			one.Leader = i
		}
	}
	if pin := m.mirror.Pin(s.Name); pin != "" {
		if i, ok := index[pin]; ok {
			one.Pin = i
		}
	}
	return one
}

// planFree plans for a free shard: the member for which it is planned claims it at once, and
// any other one after a few heartbeats.
func (m *Machine) planFree(s *mirror.Shard, mine bool, free map[string]time.Time) {
	p := &m.plan
	since, known := p.freeSince[s.Name]
	if !known {
		since = m.now.Local
	}
	free[s.Name] = since
	at := m.tenures.failures[s.Name].until
	if !mine {
		// Members do not all claim at once.
		late := time.Duration(balance.Rank(m.settings.ID+s.Name)%16) * m.config.HeartbeatInterval / 16
		at = latest(at, since.Add(2*m.config.HeartbeatInterval+late))
	}
	switch {
	case m.now.Local.Before(at):
		p.again(at)
	case m.mirror.Request(s.Name).Kind == group.RemoveRequest:
		p.remove = append(p.remove, s.Name)
	case mine || m.hasRoom():
		p.claim = append(p.claim, s.Name)
	}
}

// hasRoom reports whether this process may lead more shards than were planned for it.
func (m *Machine) hasRoom() bool {
	return m.settings.Capacity == 0 || len(m.tenures.of)+len(m.plan.claim) < int(m.settings.Capacity)
}

// leadsNothing reports whether the process must lead nothing, whatever the plan says.
func (m *Machine) leadsNothing() bool {
	return m.life.phase == leaving || !m.config.Enabled || m.mirror.Drained(m.session.me.ID) || m.own.ready() && !m.programReady()
}

// rulesForAll ends all tenures if the process must lead nothing.
func (m *Machine) rulesForAll() {
	t := &m.tenures
	if !m.leadsNothing() || len(t.of) == len(t.ending) {
		return
	}
	for _, name := range sorted(t.of) {
		m.recheck(name)
	}
}

// balanceMoves decides which shards of this process move: pinned ones at once, and others at
// most MaxMoves at a time, each not before its delay has passed.
func (m *Machine) balanceMoves() {
	p := &m.plan
	moving := 0
	for _, one := range m.tenures.ending {
		if one.decided && one.reason == group.ReasonBalance && !one.lost {
			moving++
		}
	}
	for _, name := range p.give {
		one := m.tenures.of[name]
		if one.stage != leading {
			continue
		}
		target := p.members[p.target[name]].ID
		switch at := one.since.Add(m.moveDelay(one)); {
		case !m.fit(target):
			p.again(m.now.Local.Add(m.config.HeartbeatInterval / 4)) // its heartbeat may be late
		case m.mirror.Pin(name) == target:
			m.decide(one, group.ReasonPin)
		case one.moves > 0 && m.now.Local.Before(at):
			p.again(at)
		case moving >= m.config.MaxMoves:
		default:
			m.decide(one, group.ReasonBalance)
			moving++
		}
	}
}

// moveDelay is how long a shard that was moved for balance stays. It doubles with each move in a
// row.
func (m *Machine) moveDelay(one *tenure) time.Duration {
	return m.config.SettleDelay << min(one.moves, 10)
}

// movesAfter returns the number of moves in a row to store with a release.
func (m *Machine) movesAfter(one *tenure) uint32 {
	if one.reason != group.ReasonBalance {
		return one.moves
	}
	if m.now.Local.Sub(one.since) >= 2*m.moveDelay(one) { // it was quiet: this is the first one of a row
		return 1
	}
	return one.moves + 1
}

// planRelease releases tenures whose work has stopped.
func (m *Machine) planRelease() {
	if len(m.tenures.releasable) == 0 {
		return
	}
	var releases []group.Release
	var load loads
	for _, name := range sorted(m.tenures.releasable) {
		one := m.tenures.of[name]
		if m.now.Local.Before(one.retryAt) {
			m.wakeAt(one.retryAt)
			continue
		}
		r := group.Release{Token: one.token, Reason: one.reason, Moves: m.movesAfter(one), Remove: one.remove}
		if target := m.targetOf(one, &load); target.ID != "" {
			r.Target, r.Nonce = target, m.settings.NewNonce()
			load.add(target.ID)
		}
		one.releasing = true
		m.touch(one)
		if releases = append(releases, r); len(releases) == group.MaxBatch {
			break
		}
	}
	if releases != nil {
		m.begin(&m.slots.give, Operation{Kind: Release, Releases: releases})
	}
}

// loads are the numbers of shards of the members, counted when they are first asked for.
type loads map[string]int

func (l loads) add(id string) {
	if l != nil {
		l[id]++
	}
}

// targetOf returns the session to which a shard is handed over: the one of the plan, or the
// one with the smallest share if that is not fit. An empty one leaves the shard vacant.
func (m *Machine) targetOf(one *tenure, load *loads) election.Identity {
	switch {
	case one.remove, !m.config.Enabled, one.reason == group.ReasonWork, one.reason == group.ReasonDisabled:
		return election.Identity{}
	}
	if i, planned := m.plan.target[one.token.Shard]; planned && i >= 0 && int(i) < len(m.plan.members) {
		if to := m.receiver(m.plan.members[i].ID); to.ID != "" {
			return to
		}
	}
	if one.reason == group.ReasonBalance || one.reason == group.ReasonPin {
		return election.Identity{}
	}
	return m.leastLoaded(load)
}

// receiver returns the session of a member that may be handed a shard.
func (m *Machine) receiver(id string) election.Identity {
	member := m.mirror.Member(id)
	if id == m.session.me.ID || member == nil || !member.Ready() || member.Draining || m.mirror.Drained(id) || !m.fit(id) {
		return election.Identity{}
	}
	return member.Identity
}

// leastLoaded returns the receiver with the smallest share, counting what this batch adds.
func (m *Machine) leastLoaded(load *loads) election.Identity {
	if *load == nil {
		*load = make(loads)
		for _, s := range m.mirror.Shards() {
			load.add(s.Leader.ID)
		}
	}
	var best election.Identity
	least := 0
	for _, id := range m.mirror.MemberIDs() {
		to, held := m.receiver(id), (*load)[id]
		if to.ID == "" {
			continue
		}
		if member := m.mirror.Member(id); member.Weight == 0 || member.Capacity > 0 && held >= int(member.Capacity) {
			continue
		}
		if best.ID == "" || held < least {
			best, least = to, held
		}
	}
	return best
}

func (m *Machine) answeredRelease(op *Operation, a *Answer) {
	done := a.Outcomes
	if a.Err != nil {
		done = nil
	}
	for i := range op.Releases {
		r := &op.Releases[i]
		one := m.tenures.of[r.Token.Shard]
		if one == nil || one.token != r.Token {
			continue
		}
		one.releasing = false
		if i >= len(done) {
			m.touch(one)
			continue
		}
		if o := &done[i]; errors.Is(o.Err, fdbelection.ErrInvalidState) && m.life.phase == running {
			one.retryAt = m.now.Local.Add(m.config.HeartbeatInterval) // only its record would say that it is over
			m.touch(one)
		} else {
			one.lost = true
			m.seen(o, a.Version)
			m.settle(one)
		}
	}
	m.plan.dirty = true
	if a.Err != nil {
		m.failed(op, a.Err)
	}
}

// seen adds the record of an outcome to the mirror.
func (m *Machine) seen(o *group.Outcome, version int64) {
	row := group.Row{Kind: group.KindShard, Name: o.Shard.Name, Removed: o.Removed}
	switch {
	case version == 0: // the log will show it
		m.sync.again = true
		return
	case errors.Is(o.Err, fdbelection.ErrInvalidState):
		row.Unreadable = o.Err
	default:
		shard := o.Shard
		row.Shard = &shard
	}
	m.mirror.Apply(row, version)
}

// planClaim claims the free shards of the plan, or removes those that are to be removed.
func (m *Machine) planClaim() {
	p := &m.plan
	if len(p.remove) > 0 {
		names := p.remove[:min(len(p.remove), group.MaxBatch)]
		m.begin(&m.slots.take, Operation{Kind: Remove, Names: slices.Clone(names)})
		p.remove = p.remove[len(names):]
		return
	}
	if len(p.claim) == 0 {
		return
	}
	names := p.claim[:min(len(p.claim), group.MaxBatch)]
	p.claim = p.claim[len(names):]
	claims := make([]group.Claim, 0, len(names))
	for _, name := range names {
		if m.tenures.of[name] == nil {
			claims = append(claims, group.Claim{Shard: name, Nonce: m.settings.NewNonce()})
		}
	}
	if len(claims) > 0 {
		m.begin(&m.slots.take, Operation{Kind: Claim, Claims: claims})
	}
}

func (m *Machine) answeredClaim(op *Operation, a *Answer) {
	m.plan.dirty = true
	if a.Err != nil {
		m.failed(op, a.Err)
		return
	}
	for i := range a.Outcomes {
		m.seen(&a.Outcomes[i], a.Version)
	}
}

// planTrim trims the log if it is older than its retention. The first member on the ring does
// it, and others if that one does not.
func (m *Machine) planTrim() {
	retention := m.config.Retention.Microseconds() // a million versions are a second
	age := m.mirror.Version() - m.plan.oldest
	first := true
	for _, id := range m.ringOf() {
		first = first && balance.Compare(balance.Rank(m.settings.ID), m.settings.ID, balance.Rank(id), id) < 0
	}
	if m.plan.oldest == 0 || age <= retention+retention/16 || !first && age <= 2*retention || !m.may(Trim) {
		return
	}
	m.plan.oldest = 0 // until the log is read again
	m.begin(&m.slots.take, Operation{Kind: Trim, UpTo: m.mirror.Version() - retention})
}
