package membership

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
)

// Bounds of rule 11 of docs/group.md.
const (
	everyoneReads = 256 // up to so many members, each reads the heartbeats of all
	successors    = 8   // above that, those of so many, and of all every third heartbeat
	inPhase       = 2   // whose heartbeats are read just after they are due
)

// neighbours is what this process has seen of the sessions of other members (rules 3 and 11
// of docs/group.md).
type neighbours struct {
	seen map[string]*observation
	// lookedAt is when the last read of heartbeats that has succeeded had returned.
	lookedAt time.Time
	lookAt   time.Time // when heartbeats are read next
	rounds   int       // since all of them were read
	ring     []string  // the other members on the ring, in the order after this one; nil: not known
}

// observation is a heartbeat as it was seen last.
type observation struct {
	beat group.Beat
	// since is when it was first seen, or when the observation began again.
	since time.Time
	// dueAt is when the next one is looked for, in phase with the member. tries counts how
	// often it was not there yet.
	dueAt time.Time
	tries int
	// lookedAt is when it was looked for last. The heartbeat was written at most slack before
	// since.
	lookedAt time.Time
	slack    time.Duration
}

// ringOf returns the other members on the ring, in the order after this one.
func (m *Machine) ringOf() []string {
	n := &m.watched
	if n.ring == nil {
		ids := m.mirror.MemberIDs()
		slices.SortFunc(ids, func(a, b string) int { return balance.Compare(balance.Rank(a), a, balance.Rank(b), b) })
		me := balance.Rank(m.settings.ID)
		first, _ := slices.BinarySearchFunc(ids, m.settings.ID, func(id, _ string) int {
			return balance.Compare(balance.Rank(id), id, me, m.settings.ID)
		})
		n.ring = slices.DeleteFunc(append(slices.Clone(ids[first:]), ids[:first]...), func(id string) bool { return id == m.settings.ID })
		for id := range n.seen {
			if !slices.Contains(ids, id) {
				delete(n.seen, id)
			}
		}
	}
	return n.ring
}

// firstOnRing reports whether no other member has a lower rank. If any has, the last one on the
// ring is one of them.
func (m *Machine) firstOnRing() bool {
	ring, me := m.ringOf(), m.settings.ID
	if len(ring) == 0 {
		return true
	}
	last := ring[len(ring)-1]
	return balance.Compare(balance.Rank(me), me, balance.Rank(last), last) < 0
}

// planLook reads heartbeats: of all members once per heartbeat, and of the next ones on the
// ring just after they are due.
func (m *Machine) planLook() {
	n := &m.watched
	if m.slots.look.busy() || m.observer() || !m.mirror.Complete() || !m.may(Look) {
		return
	}
	ring := m.ringOf()
	if len(ring) == 0 {
		return
	}
	now := m.now.Local
	if !now.Before(n.lookAt) {
		op := Operation{Kind: Look}
		n.rounds++
		if len(ring) > everyoneReads && n.rounds%3 != 0 {
			op.IDs = slices.Clone(ring[:successors])
		}
		n.lookAt = now.Add(m.config.HeartbeatInterval)
		m.begin(&m.slots.look, op)
		return
	}
	m.wakeAt(n.lookAt)
	var due []string
	for _, id := range ring[:min(inPhase, len(ring))] {
		switch o := n.seen[id]; {
		case o == nil:
		case now.Before(o.dueAt):
			m.wakeAt(o.dueAt)
		default:
			due = append(due, id)
		}
	}
	if due != nil {
		m.begin(&m.slots.look, Operation{Kind: Look, IDs: due})
	}
}

func (m *Machine) answeredLook(op *Operation, a *Answer) {
	n := &m.watched
	if a.Err != nil {
		m.failed(op, a.Err)
		return
	}
	gap := n.lookedAt.IsZero() || a.Seen.Sub(n.lookedAt) > 2*m.config.HeartbeatInterval
	n.lookedAt = a.Seen
	if gap {
		for _, o := range n.seen {
			o.since = a.Seen
		}
	}
	found := make(map[string]bool, len(a.Beats))
	for i := range a.Beats {
		found[a.Beats[i].ID] = true
		m.sawBeat(&a.Beats[i], a.Seen)
	}
	asked := op.IDs
	if asked == nil {
		asked = m.ringOf()
	}
	for _, id := range asked {
		if !found[id] { // its member record is there, as far as this process knows
			m.sawBeat(&group.Beat{Identity: election.Identity{ID: id}}, a.Seen)
		}
	}
}

// sawBeat notes the heartbeat of another member.
func (m *Machine) sawBeat(beat *group.Beat, seen time.Time) {
	n := &m.watched
	if beat.ID == m.settings.ID {
		return
	}
	o := n.seen[beat.ID]
	heartbeat := m.config.HeartbeatInterval
	switch {
	case o == nil:
		o = &observation{beat: *beat, since: seen, slack: heartbeat}
		o.dueAt = seen.Add(o.wait(heartbeat))
		n.seen[beat.ID] = o
	case o.beat.Value != beat.Value:
		slack := seen.Sub(o.lookedAt)
		if o.tries == 0 { // it came a little earlier than the last one, or the phase was not known
			slack = min(slack, max(16*o.slack, heartbeat/16))
		}
		o.beat, o.since, o.tries, o.slack = *beat, seen, 0, min(slack, heartbeat)
		o.dueAt = seen.Add(heartbeat - o.slack) // the earliest time
	case !seen.Before(o.dueAt):
		o.tries++
		o.dueAt = seen.Add(o.wait(heartbeat))
	}
	o.lookedAt = seen
}

// wait returns the time until the next look for a heartbeat that was not there. The first waits
// divide the time in which it may come, so that the slack of the next one is shorter. A heartbeat
// that is late is looked for less and less often.
func (o *observation) wait(heartbeat time.Duration) time.Duration {
	part := o.slack / 2
	if o.slack > heartbeat/16 {
		part = o.slack / 8
	}
	part = max(part, heartbeat/256, time.Millisecond)
	return min(part<<min(max(o.tries-8, 0)/2, 10), heartbeat/4)
}

// planEvict evicts a member whose heartbeat has stood still for its lease. Members further
// away on the ring wait a little longer. It reports whether it has begun.
func (m *Machine) planEvict() bool {
	// If the store has not answered for a while, the others could not send heartbeats either.
	seenUntil := m.watched.lookedAt.Add(2 * m.config.HeartbeatInterval)
	if !m.believes() || m.life.phase != running || m.now.Local.After(seenUntil) {
		return false
	}
	for i, id := range m.ringOf() {
		o := m.watched.seen[id]
		if o == nil {
			continue
		}
		// The next member on the ring is the first that acts: it is the nearest one before.
		stagger := min(time.Duration(i)*m.config.HeartbeatInterval/16, m.config.HeartbeatInterval)
		at := o.since.Add(m.leaseOf(&o.beat) + stagger)
		if m.now.Local.Before(at) {
			m.wakeAt(at)
			continue
		}
		if m.may(Evict) {
			m.begin(&m.slots.take, Operation{Kind: Evict, Seen: o.beat, NotAfter: seenUntil})
			return true
		}
	}
	return false
}

func (m *Machine) answeredEvict(op *Operation, a *Answer) {
	if a.Err != nil {
		m.failed(op, a.Err)
		return
	}
	id := op.Seen.ID
	delete(m.watched.seen, id)
	m.sync.again = true
	if !a.Evicted {
		m.watched.lookAt = m.now.Local // it is alive, or gone
		return
	}
	m.do(Evicted{Member: op.Seen.Identity})
	m.mirror.Apply(group.Row{Kind: group.KindMember, Name: id, Removed: true}, a.Version)
}

// fit reports whether a member that is ready may be handed a shard: its heartbeat was not silent
// for 1.5 heartbeats, and its mirror is not more than 2 heartbeats old. What is known of both may
// be one heartbeat old. The first heartbeat, of the join, says nothing of the mirror, but a member
// turns ready only when its mirror is complete.
func (m *Machine) fit(id string) bool {
	o := m.watched.seen[id]
	if o == nil {
		return false
	}
	heartbeat := m.config.HeartbeatInterval
	silent := m.now.Local.Sub(o.since) > heartbeat*5/2
	behind := o.beat.Counter > 1 && m.mirror.Version()-o.beat.Mirror > 3*heartbeat.Microseconds() // a million versions are a second
	return !silent && !behind && o.beat.Counter > 0
}
