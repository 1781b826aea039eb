package membership

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
	"github.com/fdbelection/fdbelection/internal/clock"
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
	// membersAt is when a member changed last, and readyAt when one turned ready last.
	membersAt, readyAt time.Time
	// due is when the plan is made again although nothing has changed; zero: never.
	due       time.Time
	freeSince map[string]time.Time
}

// again makes the plan again at t or earlier.
func (p *planning) again(t time.Time) {
	if p.due.IsZero() || t.Before(p.due) {
		p.due = t
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
			m.wakeAt(clock.Latest(p.due, p.nextAt))
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
	shards := m.mirror.Shards()
	me, input := m.planInput()
	targets := balance.Plan(p.members, input)
	p.give, p.claim, p.remove = p.give[:0], p.claim[:0], p.remove[:0]
	p.target = make(map[string]int32, len(m.tenures.of))
	free := make(map[string]time.Time)
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
		m.wakeAt(clock.Latest(p.due, p.nextAt))
	}
}

// planInput sets the members of the plan. It returns the index of this one, and the shards. What this
// process leads or is releasing is its own until the mirror shows the release.
func (m *Machine) planInput() (me int32, shards []balance.Shard) {
	p := &m.plan
	p.members, shards = m.mirror.Balance()
	me = int32(slices.IndexFunc(p.members, func(one balance.Member) bool { return one.ID == m.session.me.ID }))
	switch {
	case me < 0:
		return unlisted, shards
	case m.life.phase == leaving, m.turnedUnready():
		p.members[me].Draining = true // the record says so soon
	}
	return me, shards
}

// unlisted is the index of this member if the log has not shown its join yet. No shard is planned
// for it.
const unlisted = balance.None - 1

// planFree plans for a free shard: the member for which it is planned claims it at once, or a
// little after a member has turned ready, and any other one after a few heartbeats.
func (m *Machine) planFree(s *mirror.Shard, mine bool, free map[string]time.Time) {
	p := &m.plan
	since, known := p.freeSince[s.Name]
	if !known {
		since = m.now.Local
	}
	free[s.Name] = since
	at := m.tenures.failures[s.Name].until
	if mine {
		at = clock.Latest(at, p.readyAt.Add(m.config.HeartbeatInterval/16)) // in a cold start others turn ready, too
	} else {
		// Members do not all claim at once.
		late := time.Duration(balance.Rank(m.settings.ID+s.Name)%16) * m.config.HeartbeatInterval / 16
		at = clock.Latest(at, since.Add(2*m.config.HeartbeatInterval+late))
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
	return m.life.phase == leaving || !m.config.Enabled || m.mirror.Drained(m.session.me.ID) || m.turnedUnready()
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
// most MaxMoves at a time, each not before its delay has passed. They wait a little after a change
// of a member: if several join at a time, each shard moves once.
func (m *Machine) balanceMoves() {
	p := &m.plan
	quietAt := p.membersAt.Add(m.config.HeartbeatInterval / 16)
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
		case m.now.Local.Before(quietAt):
			p.again(quietAt)
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
