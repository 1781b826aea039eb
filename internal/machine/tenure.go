package machine

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// tenure is leadership in one term, as its holder may believe in it, and then
// the time until its work has returned.
type tenure struct {
	token election.Token
	began time.Time
	acked Deadlines
	// open are the attempts after that whose fate is not known, or not yet. A
	// slice that is shared is never changed.
	open []attempt
	// limit ends the use of the lease for work that was asked to stop; zero: the
	// horizon alone does.
	limit time.Time
	stage stage
	cause drainCause // nothing once it is being met
}

// attempt is a renewal whose commit may have been issued.
type attempt struct {
	op        uint64
	count     int
	deadlines Deadlines
}

// stage is how far a tenure has gone; it never goes back.
type stage int

const (
	none     stage = iota
	leading        // it leads
	draining       // the work is asked to stop
	over           // nobody here leads in this term any more
)

// deadlines is the earliest that any attempt not surely failed leaves.
func (t *tenure) deadlines() Deadlines {
	h := t.acked
	for _, a := range t.open {
		h = h.earlier(a.deadlines)
	}
	if t.stage == draining && !t.limit.IsZero() {
		h.End = earliest(h.End, t.limit)
	}
	return h
}

// next is when the tenure goes on to its next stage, or into jeopardy.
func (t *tenure) next() time.Time {
	h := t.deadlines()
	if t.stage == leading {
		return h.Stop
	}
	return h.End
}

// holds reports whether there is a tenure whose work has not returned.
func (m *Machine) holds() bool { return m.tenure.stage != none }

// leads reports whether the process leads.
func (m *Machine) leads() bool { return m.tenure.stage == leading }

// issuing counts a renewal before its commit is issued: belief shrinks first.
func (m *Machine) issuing(e CommitStarting) {
	if e.Op != m.main.op || !m.holds() {
		return
	}
	a := attempt{e.Op, e.Attempt, DeadlinesOf(e.Start, e.Lease, e.Config)}
	m.tenure.open = append(slices.Clip(m.tenure.open), a)
}

// issued takes in what became of it. One that has committed is the base of
// belief from then on: all attempts before it either came before it or can never
// arrive, as each reads the record that it wrote.
func (m *Machine) issued(e CommitDone) {
	t := &m.tenure
	i := slices.IndexFunc(t.open, func(a attempt) bool { return a.op == e.Op && a.count == e.Attempt })
	if i < 0 {
		return
	}
	switch e.Outcome {
	case kv.Committed:
		t.acked, t.open = t.open[i].deadlines, t.open[i+1:]
	case kv.NotCommitted:
		t.open = slices.Delete(slices.Clone(t.open), i, i+1)
	case kv.UnknownResult, kv.Unsettled: // it counts on
	}
}

// advance takes the tenure as far as the clock says. Past the time that the work
// had to stop, what was asked of the leader is done without waiting for it.
func (m *Machine) advance() {
	for m.tenure.stage == leading || m.tenure.stage == draining {
		if m.now.Local.Before(m.tenure.next()) {
			return
		}
		if m.leads() {
			// All that is left of the lease; where it is renewed after all, the time
			// that work has otherwise.
			m.drain(ReasonUnrenewed, latest(m.tenure.deadlines().End, m.now.Local.Add(m.settings.Drain)))
		} else {
			m.expire()
		}
	}
	if t := &m.tenure; t.stage == over && !m.now.Local.Before(t.limit) {
		m.startHandOver()
	}
}

// drain asks the work to stop, and ends its use of the lease at limit. The first
// reason counts; a limit can only come nearer.
func (m *Machine) drain(reason Reason, limit time.Time) {
	t := &m.tenure
	if m.holds() && !limit.IsZero() && (t.limit.IsZero() || limit.Before(t.limit)) {
		t.limit = limit
	}
	if !m.leads() {
		return
	}
	if m.healthy() {
		m.failures = 0
	}
	t.stage = draining
	m.reason = reason
	m.do(Drain{Term: t.token.Term, Reason: reason, Err: m.result})
}

// expire ends belief, or the time that the work had to stop.
func (m *Machine) expire() {
	t := &m.tenure
	t.stage = over
	m.ended = max(m.ended, t.token.Term)
	m.do(Expire{Term: t.token.Term})
}

// startHandOver begins to do what was asked of the leader, once.
func (m *Machine) startHandOver() {
	t := &m.tenure
	d := t.cause
	t.cause = drainCause{}
	if d.kind != drainNone && !m.leaving() { // leaving gives up the seat as well
		m.handOver(t.token, d)
	}
}

// lose ends a tenure at once whose seat was seen to be another's, or nobody's.
func (m *Machine) lose() {
	t := &m.tenure
	t.cause = drainCause{}
	if t.stage != over {
		m.drain(ReasonLeadershipLost, time.Time{})
		m.expire()
	}
}

// lead begins a tenure: the commit that is acknowledged now wrote a lease. A seat
// that is not wanted any more is given up instead, see planIdle, and one that
// comes too late to begin work on is renewed first.
func (m *Machine) lead(a *Answer) {
	leader := a.Status.Leader
	acked := DeadlinesOf(a.Start, leader.LeaseDuration, a.Status.Config)
	if m.leaving() || !m.wanted() || !m.now.Local.Before(acked.Stop) {
		return
	}
	m.ended = min(m.ended, leader.Term-1) // terms begin anew where the records were removed
	m.tenure = tenure{token: leader.Token(), began: m.now.Local, acked: acked, stage: leading}
	m.reason = reasonOf(leader.AcquireReason)
	m.renewNow = false
	m.candidates.due = m.now.Local // a leader lists all candidates
	m.do(Lead{Leader: leader})
}

// wanted reports whether the process is to lead where it holds the seat.
func (m *Machine) wanted() bool {
	return m.aim == Campaign && m.me.Role == election.Voter && m.config.ElectionEnabled
}

func reasonOf(origin election.AcquireReason) Reason {
	switch origin {
	case election.AcquireExpiry:
		return ReasonExpiry
	case election.AcquirePreemption:
		return ReasonPreemption
	case election.AcquireTransfer:
		return ReasonTransfer
	case election.AcquireReclaim:
		return ReasonReclaim
	default:
		return ReasonVacancy
	}
}

// ending takes in that the work ends of itself: the seat is given up.
func (m *Machine) ending(e WorkReturning) {
	t := &m.tenure
	if t.token.Term != e.Term || !m.leads() {
		return
	}
	m.soonest = t.began.Add(m.config.HeartbeatInterval) // one tenure per heartbeat at most
	m.startDrain(drainCause{kind: drainWorkReturned}, ReasonWorkReturned)
	if e.Err == nil {
		m.failures = 0
	} else {
		m.workFailed()
	}
}

// returned takes in that the work of a tenure is over: the seat is given up
// where that was asked for.
func (m *Machine) returned(term uint64) {
	m.ending(WorkReturning{Term: term})
	if m.tenure.token.Term != term || !m.holds() {
		return
	}
	if m.tenure.stage != over {
		m.expire()
	}
	m.startHandOver()
	m.tenure = tenure{}
	m.renewNow, m.readNow = false, true
	m.retryAt = time.Time{}
	if m.me.Role != m.role {
		m.me.Role, m.heartbeatAt = m.role, m.now.Local
	}
}
