package membership

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// syncing is how the mirror follows the group.
type syncing struct {
	at    time.Time // when the log is read next
	again bool      // something has called for a read, even if one is running
	began time.Time // of the last read that has succeeded and found no more
	last  time.Time // when the last read began
	// armAt is when the watch may be armed again after it has failed, and backoff how long that
	// waits.
	armAt   time.Time
	backoff time.Duration
	oldest  int64 // version of the oldest entry of the log; zero: not known
}

// longestRearm bounds the back-off of a watch that fails after it was armed.
const longestRearm = 5 * time.Minute

// syncGap is the shortest time between two reads of the log, so that many changes are read
// together.
func (m *Machine) syncGap() time.Duration { return m.step() }

// The most rows of one page, and changes of one read of the log.
const (
	scanRows   = 5000
	followRows = 2000
)

// planSync scans, or reads the log: when the watch has fired, and once per heartbeat.
func (m *Machine) planSync() {
	y := &m.sync
	switch {
	case m.slots.sync.busy():
		return
	case !m.may(Scan) || !m.may(Follow):
		return
	}
	if from, scanning := m.mirror.Next(); scanning {
		m.begin(&m.slots.sync, Operation{Kind: Scan, From: from, Rows: scanRows})
		return
	}
	at, arm := y.at, !m.slots.watch.busy() && !m.now.Local.Before(y.armAt)
	if y.again || arm {
		at = clock.Earliest(at, y.last.Add(m.syncGap()))
	}
	if m.now.Local.Before(at) {
		m.wakeAt(at)
		return
	}
	y.again, y.last = false, m.now.Local
	m.begin(&m.slots.sync, Operation{Kind: Follow, After: m.mirror.Cursor(), Rows: followRows, Arm: arm})
}

func (m *Machine) answeredSync(op *Operation, a *Answer, aborted bool) {
	y := &m.sync
	if a.Armed {
		m.slots.watch = slot{id: op.ID, what: *op}
	}
	switch {
	case aborted: // it began before the present scan
		return
	case a.Err != nil:
		m.failed(op, a.Err)
		return
	case op.Kind == Scan:
		m.mirror.AddPage(&a.Page)
		return
	}
	complete := m.mirror.Complete()
	if m.mirror.AddChanges(&a.Log) {
		return // it is scanned again
	}
	y.at = m.nextPoll(a.Start)
	if a.Log.More {
		y.again, y.last = true, time.Time{}
		return
	}
	y.began = a.Start
	y.oldest = a.Log.Oldest
	if !complete && m.mirror.Complete() {
		m.plan.dirty = true
	}
	m.reportUnreadable()
	m.findOwn()
	if m.session.stage == leading && !y.began.Before(m.session.sureAt) {
		m.resumeAll()
	}
}

// findOwn takes over what the own member record says, since a commit of unknown result may have
// changed it late. It ends the session if the record is gone or cannot be read: only another join
// repairs that, and heartbeats do not read it.
func (m *Machine) findOwn() {
	s, own := &m.session, m.mirror.Member(m.session.me.ID)
	switch {
	case !s.live || !m.sync.began.After(s.joinedAt): // it may not have seen the join
	case own == nil || own.Identity != s.me:
		m.sessionEnded(fmt.Errorf("session of %s: its member record is gone or damaged: %w", s.me, group.ErrSessionEnded), s.me)
	default:
		m.own.stored = *own
	}
}

// nextPoll returns when the log is read next: just before the next heartbeat, which says how
// much of the log is known.
func (m *Machine) nextPoll(last time.Time) time.Time {
	heartbeat := m.config.HeartbeatInterval
	at := last.Add(heartbeat)
	if s := &m.session; s.live {
		if at = s.beatAt.Add(-2 * m.step()); at.Sub(last) < heartbeat/2 {
			at = clock.Latest(at.Add(heartbeat), last.Add(heartbeat/2)) // the heartbeat may be long overdue
		}
	}
	return at
}

func (m *Machine) watchEnded(e WatchEnded) {
	if m.slots.watch.id != e.Op {
		return
	}
	aborted := m.slots.watch.aborted
	m.slots.watch = slot{}
	switch {
	case aborted:
	case e.Err != nil: // for example because too many exist; polling goes on
		y := &m.sync
		if y.backoff == 0 && !m.life.leaving() { // the first one of a row
			m.do(Report{Err: fmt.Errorf("watch: %w", e.Err)})
		}
		y.backoff = min(max(2*y.backoff, m.config.HeartbeatInterval), max(longestRearm, m.config.HeartbeatInterval))
		y.armAt = m.now.Local.Add(y.backoff)
	default:
		m.sync.again, m.sync.backoff = true, 0
	}
}

// planTrim trims the log if it is older than its retention. The first member on the ring does
// it, and others if that one does not.
func (m *Machine) planTrim() {
	retention := m.config.Retention.Microseconds() // a million versions are a second
	age := m.mirror.Version() - m.sync.oldest
	if m.sync.oldest == 0 || age <= retention+retention/16 || age <= 2*retention && !m.firstOnRing() || !m.may(Trim) {
		return
	}
	m.sync.oldest = 0 // until the log is read again
	m.begin(&m.slots.take, Operation{Kind: Trim, UpTo: m.mirror.Version() - retention})
}
