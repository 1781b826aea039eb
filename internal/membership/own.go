package membership

import (
	"cmp"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// Why a member is not ready although its program is.
const (
	notJoined  = "it has not joined the group, or could not renew its session in time"
	isLeaving  = "it leaves the group"
	notScanned = "it is reading the shards"
	notSettled = "it has just joined"
)

// ownRecord is the member record of this process.
type ownRecord struct {
	stored   group.Member
	notReady string // of the program
	// drainedAt is when the record said that the member leaves; zero: it does not.
	drainedAt time.Time
}

// ready reports whether the member record says that this member may receive shards.
func (o *ownRecord) ready() bool { return o.stored.Ready() && !o.stored.Draining }

// wantedRecord returns the record as it should be: not ready before the mirror is complete and the
// settle delay has passed, or if the program is not ready, and draining while it leaves.
func (m *Machine) wantedRecord() group.Member {
	next := m.own.stored
	if next.NotReady = m.wantedNotReady(); !m.settled() {
		m.wakeAt(m.settledAt())
	}
	next.Draining = m.life.phase == leaving
	return next
}

// wantedNotReady is why the record should say that this member is not ready.
func (m *Machine) wantedNotReady() string {
	switch {
	case !m.mirror.Complete():
		return notScanned
	case !m.settled():
		return notSettled
	default:
		return m.own.notReady
	}
}

// settledAt is when the settle delay of the session has passed.
func (m *Machine) settledAt() time.Time { return m.session.joinedAt.Add(m.config.SettleDelay) }

func (m *Machine) settled() bool { return !m.now.Local.Before(m.settledAt()) }

// NotReady says why this process is not ready to lead at the time of the last step, or why an
// observer does not know all leaders. It is empty if there is no reason.
func (m *Machine) NotReady() string {
	switch {
	case m.observer() && m.mirror.Complete():
		return ""
	case m.observer():
		return notScanned
	case m.life.leaving():
		return isLeaving
	case !m.session.live, m.session.stage != leading:
		return notJoined
	default:
		return cmp.Or(m.wantedNotReady(), m.own.stored.NotReady)
	}
}

// planUpdate writes the member record if it is not as it should be. It reports whether it is.
// A record that says why the member is not ready yet need not name the newest reason at once.
func (m *Machine) planUpdate() bool {
	next := m.wantedRecord()
	stored := &m.own.stored
	if next.Equal(stored) || next.Draining == stored.Draining && next.NotReady == notSettled && stored.NotReady == notScanned {
		return true
	}
	if m.may(Update) {
		m.begin(&m.slots.give, Operation{Kind: Update, Member: next})
	}
	return false
}

func (m *Machine) answeredUpdate(op *Operation, a *Answer) {
	if a.Err != nil {
		m.failed(op, a.Err)
		return
	}
	if op.Me != m.session.me {
		return
	}
	if m.own.stored = op.Member; op.Member.Draining && m.own.drainedAt.IsZero() {
		m.own.drainedAt, m.sync.again = m.now.Local, true
	}
	member := op.Member
	m.mirror.Apply(group.Row{Kind: group.KindMember, Name: op.Me.ID, Member: &member}, a.Version)
	m.plan.dirty = true
}

// turnedUnready reports whether the program is not ready any more, and the record does not say so
// yet.
func (m *Machine) turnedUnready() bool { return m.own.ready() && m.own.notReady != "" }

// leadsNone reports whether the records name this member for no shard, so that it may leave. It
// reads the log once more after its record says that it leaves: a shard may have been handed to it
// just before.
func (m *Machine) leadsNone() bool {
	switch {
	case !m.tenures.released():
		return false
	case !m.session.live, !m.mirror.Complete(): // it was never ready
		return true
	case m.own.drainedAt.IsZero(), m.sync.began.Before(m.own.drainedAt):
		return false
	}
	return !slices.ContainsFunc(m.mirror.Shards(), func(s *mirror.Shard) bool { return s.Leader == m.session.me })
}
