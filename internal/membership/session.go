package membership

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/belief"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// session is the session of this process (rules 1 and 2 of docs/group.md).
type session struct {
	me       election.Identity
	live     bool // it has joined, and has not ended as far as this process knows
	belief   belief.Belief
	stage    stage     // of the belief: leading, draining or over
	counter  uint64    // of the last heartbeat that was acknowledged
	beganAt  time.Time // when that one began
	beatAt   time.Time // when the next one is due
	joinedAt time.Time
	// sureAt is when the belief began or was revived last. Shards are believed after they were
	// read again since then.
	sureAt time.Time
	// own are the incarnations of this process that may be stored, and pending the attempts to
	// join whose result is not known yet.
	own      []uuid.UUID
	pending  []joinAttempt
	existing existingSession
}

type joinAttempt struct {
	op          uint64
	count       int
	incarnation uuid.UUID
}

// existingSession is a session of another process under the id of this one. One change of its
// heartbeat does not show that it is alive, because a commit that was in flight when it died
// may arrive later. A second one does.
type existingSession struct {
	found   *group.Beat
	since   time.Time
	changes int
}

// stage is how far a belief has gone.
type stage int

const (
	none     stage = iota
	leading        // the process leads
	draining       // the work is told to stop, and may use the lease
	over           // the lease must not be used
)

// planSession joins, or sends a heartbeat.
func (m *Machine) planSession() {
	s := &m.session
	switch {
	case m.slots.session.busy() || m.observer():
	case m.life.phase == leaving && m.leadsNone():
		m.planLeaving()
	case s.live && m.now.Local.Before(s.beatAt):
		m.wakeAt(s.beatAt)
	case s.live:
		if m.may(Heartbeat) {
			m.begin(&m.slots.session, Operation{
				Kind: Heartbeat, Least: s.counter, Mirror: m.mirror.Version(), Limit: m.heartbeatLimit(),
			})
		}
	case m.life.phase == running && m.may(Join):
		m.planJoin()
	}
}

// heartbeatLimit is how long a heartbeat may take: as long as other operations, or half of the
// time that is left.
func (m *Machine) heartbeatLimit() time.Duration {
	left := m.session.belief.Deadlines().End.Sub(m.now.Local)
	return max(min(m.operationLimit(), left/2), m.operationLimit()/4)
}

// planJoin joins, or looks again at the session of another process under this id.
func (m *Machine) planJoin() {
	s := &m.session
	joining := group.Joining{
		Member: group.Member{
			Identity: election.Identity{ID: m.settings.ID}, JoinedAt: m.now.Wall, Weight: m.settings.Weight,
			Capacity: m.settings.Capacity, Tags: m.settings.Tags, NotReady: notScanned, Balance: group.BalanceVersion,
		},
		Own: slices.Clone(s.own),
	}
	if e := &s.existing; e.found != nil && !m.now.Local.Before(m.takeOverAt()) {
		joining.Seen = e.found
	}
	s.me = joining.Identity
	m.begin(&m.slots.session, Operation{Kind: Join, Joining: joining})
}

// takeOverAt is when the session of another process under this id counts as dead.
func (m *Machine) takeOverAt() time.Time {
	e := &m.session.existing
	return e.since.Add(m.leaseOf(e.found))
}

// leaseOf returns the lease of a heartbeat, or that of the config if it cannot be read.
func (m *Machine) leaseOf(beat *group.Beat) time.Duration {
	if beat.Lease > 0 {
		return beat.Lease
	}
	return m.config.LeaseDuration
}

// attemptStarting counts an attempt before its commit starts.
func (m *Machine) attemptStarting(e AttemptStarting) {
	op := &m.slots.session
	// A revision that went back tells of a restored database even if there was no session to miss
	// its records. The log does not tell of it.
	if e.Config.Revision > 0 && e.Config.Revision < m.config.Revision && e.Start.After(m.configAt) {
		m.mirror.Rescan()
		m.cancel(&m.slots.sync)
	}
	switch {
	case op.id != e.Op:
	case op.what.Kind == Join:
		m.session.pending = append(m.session.pending, joinAttempt{e.Op, e.Attempt, e.Incarnation})
	case m.session.live:
		config := e.Config
		if config.Revision == 0 { // it could not be read
			config = m.config
		}
		m.session.belief.Starting(e.Op, e.Attempt, belief.DeadlinesOf(e.Start, e.Lease, config.Lease()))
	}
}

// attemptDone handles what is known about an attempt.
func (m *Machine) attemptDone(e AttemptDone) {
	s := &m.session
	s.belief.Done(e.Op, e.Attempt, e.Outcome)
	i := slices.IndexFunc(s.pending, func(a joinAttempt) bool { return a.op == e.Op && a.count == e.Attempt })
	if i < 0 {
		return
	}
	if e.Outcome != kv.NotCommitted { // a record of it may be stored, or will be
		s.own = append(s.own, s.pending[i].incarnation)
	}
	s.pending = slices.Delete(s.pending, i, i+1)
}

func (m *Machine) answeredJoin(op *Operation, a *Answer) {
	s := &m.session
	switch {
	case errors.Is(a.Err, fdbelection.ErrDuplicateID):
		m.foundExisting(a)
		return
	case a.Err != nil:
		m.failed(op, a.Err)
		return
	}
	config := m.config
	if a.Config != nil {
		config = *a.Config
	}
	deadlines := belief.DeadlinesOf(a.Start, a.Beat.Lease, config.Lease())
	s.me, s.live, s.counter, s.existing = a.Beat.Identity, true, a.Beat.Counter, existingSession{}
	s.belief, s.stage = belief.Begin(deadlines), leading
	s.beganAt = a.Start
	s.beatAt, s.joinedAt, s.sureAt = a.Start.Add(m.config.HeartbeatInterval), m.now.Local, m.now.Local
	m.own.stored = op.Joining.Member
	m.own.stored.Identity = s.me
	m.plan.dirty = true
	m.advanceSession()
}

// foundExisting handles that another process has a session under this id.
func (m *Machine) foundExisting(a *Answer) {
	e := &m.session.existing
	first := e.found == nil
	changed := !first && a.Beat.Value != e.found.Value
	if changed && e.found.Incarnation == a.Beat.Incarnation {
		e.changes++
	}
	if first || changed {
		found := a.Beat
		e.found, e.since = &found, a.Seen
		m.do(IDInUse{Existing: a.Beat.Identity, Until: m.takeOverAt()})
	}
	if e.changes > 1 {
		m.leave(a.Err)
		return
	}
	m.store.retryAt[Join] = clock.Earliest(m.now.Local.Add(m.config.HeartbeatInterval), clock.Latest(m.takeOverAt(), m.now.Local.Add(m.step())))
}

func (m *Machine) answeredHeartbeat(op *Operation, a *Answer, aborted bool) {
	s := &m.session
	switch {
	case op.Me != s.me || !s.live:
	case a.Err == nil:
		s.counter, s.beganAt = a.Beat.Counter, a.Start
		s.beatAt = clock.Latest(a.Start.Add(m.config.HeartbeatInterval), m.now.Local.Add(m.step()))
		m.revive()
	case !aborted:
		m.failed(op, a.Err)
	}
}

// revive lets the session be believed again after a heartbeat was acknowledged too late.
func (m *Machine) revive() {
	s := &m.session
	if s.stage == leading || !m.now.Local.Before(s.belief.Deadlines().Stop) {
		return
	}
	s.stage, s.sureAt = leading, m.now.Local
	m.sync.again = true
	m.plan.dirty = true
}

// advanceSession ends the belief in the session in time.
func (m *Machine) advanceSession() {
	s := &m.session
	if !s.live {
		return
	}
	d := s.belief.Deadlines()
	if s.stage == leading && !m.now.Local.Before(d.Stop) {
		s.stage = draining
		m.lapse()
	}
	if s.stage == draining && !m.now.Local.Before(d.End) {
		s.stage = over
		m.expireAll()
	}
}

// sessionEnded ends the session because its records are gone. All shards are free, and the
// process joins again. If the database was restored, the log does not say so, and the mirror
// reads all records again.
func (m *Machine) sessionEnded(err error, of election.Identity) {
	s := &m.session
	if !s.live || s.me != of {
		return
	}
	s.live, s.stage = false, over
	m.output.cause = err
	m.mirror.Rescan()
	m.cancel(&m.slots.sync)
	m.loseAll()
	m.cancel(&m.slots.session)
	m.cancel(&m.slots.give)
	m.cancel(&m.slots.take)
	m.plan.dirty = true
	if m.life.phase == running {
		m.do(Report{Err: err, Ended: true})
	}
}

// believes reports whether the session may be believed for a shard that was read now.
func (m *Machine) believes() bool { return m.session.live && m.session.stage == leading }

// LeaveError says that a process stopped without leaving. Its session ends when its lease has
// passed and another member evicts it.
type LeaveError struct {
	// Err is the error of the last attempt.
	Err error
}

// Error says what is left behind, and why.
func (e *LeaveError) Error() string {
	return fmt.Sprintf("could not leave the group (its shards are free when its lease has passed): %v", e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *LeaveError) Unwrap() error { return e.Err }
