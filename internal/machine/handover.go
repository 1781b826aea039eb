package machine

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// handOver is the release of leadership after a tenure that is over. Its fields do not
// change, so that a retry does the same.
type handOver struct {
	token   election.Token
	request election.Request // names the successor; NoRequest: resign
	by      time.Time        // when the lease has run out, and leadership need not be released
}

// pending reports whether leadership is still to be released.
func (h *handOver) pending() bool { return h.token.Term != 0 }

// startHandOver begins to release the leadership of a tenure that is over. If another
// request has replaced the one for which the work stopped, that one is met instead. If the
// grace of a preemption request has passed, the process resigns.
func (m *Machine) startHandOver(token election.Token, cause drainCause) {
	if v := &m.request; cause.kind == drainRequested && v.request.Term == token.Term {
		cause.request = v.request
	}
	if cause.kind == drainRequested && m.now.Local.Before(cause.until) && !m.requestStands(&cause.request) {
		return // the successor has died meanwhile: this process claims again
	}
	h := handOver{token: token, request: cause.request, by: m.now.Local.Add(m.config.LeaseDuration)}
	if cause.request.Kind == election.PreemptionRequest && !m.now.Local.Before(cause.until) {
		h.request = election.Request{}
	}
	if h.request.Kind == election.ResignRequest { // and do not claim at once
		m.holdOff(m.config.LeaseDuration)
	}
	m.handOver = h
}

// planHandOver hands over or resigns. It retries until that is done or the lease has run
// out.
func (m *Machine) planHandOver() {
	h := m.handOver
	if !m.now.Local.Before(h.by) {
		m.handOver = handOver{}
		m.planOperation()
		return
	}
	op := Operation{Kind: Resign, Token: h.token, Request: h.request, Limit: m.limitUntil(h.by)}
	if h.request.Kind == election.PreemptionRequest || h.request.Kind == election.TransferRequest {
		op.Kind = HandOver
	}
	m.begin(&m.operations.main, op)
}

// answeredHandOver handles the answer to a resignation or a hand-over. If leadership is
// not held any more, there is nothing left to release. If the successor has died
// meanwhile, the leader record still names this process, which claims again.
func (m *Machine) answeredHandOver(kind Kind, a *Answer) {
	switch {
	case a.Err == nil:
		m.operationSucceeded()
		if a.Status.Leader.Ballot == 0 { // it could not be read
			m.poll.readNow = true
			break
		}
		m.sawLeader(a)
	case errors.Is(a.Err, fdbelection.ErrNotLeader):
		m.operationSucceeded()
		m.poll.readNow = true
	default:
		m.operations.unsettled = m.operations.unsettled || a.MayHaveWritten
		m.operationFailed(kind, a.Err)
		return
	}
	m.handOver = handOver{}
	if !m.me.ready() { // its record says so after the successor has committed
		m.me.heartbeatAt = clock.Latest(m.me.heartbeatAt, m.now.Local.Add(pollStep(m.config.HeartbeatInterval)))
	}
}
