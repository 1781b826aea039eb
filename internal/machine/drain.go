package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// drainKind says why a tenure ends although its lease is renewed.
type drainKind int

const (
	drainNone         drainKind = iota
	drainRequested              // a preemption, resign or transfer request
	drainDisabled               // the election is disabled; the lease is not renewed
	drainDemoted                // the candidate becomes an observer, or does not campaign any more
	drainUnready                // the candidate is not ready any more
	drainWorkReturned           // the work returned by itself
)

// drainCause is why the work stops. After that the process hands over or resigns.
type drainCause struct {
	kind    drainKind
	request election.Request
	until   time.Time // the limit of the drain
}

// startDrain drains for a cause. If the work is draining already, the first cause stays.
// The work has the drain limit to stop, or the preemption grace for a preemption request.
func (m *Machine) startDrain(d drainCause, reason Reason) {
	if !m.tenure.leads() {
		return
	}
	limit := m.settings.Drain
	if d.request.Kind == election.PreemptionRequest {
		limit = m.config.PreemptionGrace
	}
	d.until = m.now.Local.Add(limit)
	m.tenure.cause = d
	m.drain(reason, d.until)
}

// drain tells the work to stop, and ends its use of the lease at limit. The first reason
// stays. A later call can only bring the limit nearer.
func (m *Machine) drain(reason Reason, limit time.Time) {
	t := &m.tenure
	if t.exists() && !limit.IsZero() && (t.limit.IsZero() || limit.Before(t.limit)) {
		t.limit = limit
	}
	if !t.leads() {
		return
	}
	if m.healthy() {
		m.claim.failures = 0
	}
	t.stage = draining
	m.output.reason = reason
	m.do(Drain{Term: t.token.Term, Reason: reason, Err: m.life.err, Request: t.cause.request})
}

// drainIfRequested drains for what a renewal found: a request, or a disabled election.
func (m *Machine) drainIfRequested(a *Answer) {
	request := a.Status.Request
	switch {
	case a.Action == election.Draining:
		m.startDrain(drainCause{kind: drainDisabled}, ReasonDisabled)
	case !a.CanHandOver, !m.requestStands(&request):
	case request.Kind == election.PreemptionRequest:
		m.startDrain(drainCause{kind: drainRequested, request: request}, ReasonChallenged)
	case request.Kind == election.TransferRequest:
		m.startDrain(drainCause{kind: drainRequested, request: request}, ReasonAskedToTransfer)
	case request.Kind == election.ResignRequest:
		m.startDrain(drainCause{kind: drainRequested, request: request}, ReasonAskedToResign)
	}
}

// finishDrain begins the hand-over or resignation for which the work was told to stop.
// It does so once.
func (m *Machine) finishDrain() {
	t := &m.tenure
	cause := t.cause
	t.cause = drainCause{}
	if cause.kind != drainNone && !m.life.leaving() { // leaving resigns as well
		m.startHandOver(t.token, cause)
	}
}
