package machine

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// drainKind says why a tenure is to end although nothing is wrong with it.
type drainKind int

const (
	drainNone         drainKind = iota
	drainRequested              // an intent: a challenge or a request
	drainDisabled               // the election is disabled: the lease is not renewed
	drainDemoted                // the candidate becomes an observer, or aims at less
	drainWorkReturned           // the work ended of itself
)

// drainCause is what the leader obeys: first the work stops, while the lease is
// still renewed, then the seat is given up.
type drainCause struct {
	kind   drainKind
	intent election.Request
	until  time.Time // the work's use of the lease ends then
}

// startDrain has the work stop for the first demand; later ones find it stopping. A
// challenger waits for the grace of the config, all others for the drain time.
func (m *Machine) startDrain(d drainCause, reason Reason) {
	if !m.leads() {
		return
	}
	patience := m.settings.Drain
	if d.intent.Kind == election.PreemptionRequest {
		patience = m.config.PreemptionGrace
	}
	d.until = m.now.Local.Add(patience)
	m.tenure.cause = d
	m.drain(reason, d.until)
}

// seenRequest is what the machine has seen of the intent that stands.
type seenRequest struct {
	intent election.Request
	moved  time.Time // when its counter was last seen to rise; zero: not yet
}

// sawIntent takes in a reading of the intent. Readings may come in any order, so a
// lower counter is an older one.
func (m *Machine) sawIntent(a *Answer) {
	intent, s := &a.Status.Request, &m.seenRequest
	switch {
	case intent.Kind == election.NoRequest:
	case intent.Nonce != s.intent.Nonce:
		*s = seenRequest{intent: *intent}
	case intent.Counter > s.intent.Counter:
		*s = seenRequest{intent: *intent, moved: m.now.Local}
	}
}

// requestStands reports whether an intent asks something of the present tenure and its author
// or successor is alive: the counter of a challenge was seen to rise, within two
// heartbeats, and the successor is not known to be silent.
func (m *Machine) requestStands(intent *election.Request) bool {
	switch {
	case intent.Kind == election.NoRequest || intent.Term != m.tenure.token.Term:
		return false
	case intent.Kind == election.ResignRequest:
		return true
	}
	if c := m.candidates.find(intent.Identity); c != nil && m.timedOut(c) {
		return false
	}
	s := &m.seenRequest
	return intent.Kind != election.PreemptionRequest || s.intent.Nonce == intent.Nonce && !s.moved.IsZero() &&
		m.now.Local.Sub(s.moved) <= 2*m.config.HeartbeatInterval
}

// drainIfRequested has the leader obey what its renewal found.
func (m *Machine) drainIfRequested(a *Answer) {
	intent := a.Status.Request
	switch {
	case a.Action == election.Draining:
		m.startDrain(drainCause{kind: drainDisabled}, ReasonDisabled)
	case !a.CanHandOver, !m.requestStands(&intent):
	case intent.Kind == election.PreemptionRequest:
		m.startDrain(drainCause{kind: drainRequested, intent: intent}, ReasonChallenged)
	case intent.Kind == election.TransferRequest:
		m.startDrain(drainCause{kind: drainRequested, intent: intent}, ReasonAskedToTransfer)
	case intent.Kind == election.ResignRequest:
		m.startDrain(drainCause{kind: drainRequested, intent: intent}, ReasonAskedToResign)
	}
}

// handover is how a seat is given up whose work has returned, or has had its
// time. All that names it is fixed here, so that it can be run again.
type handover struct {
	token  election.Token
	intent election.Request // none: the seat is vacated
	by     time.Time        // given up then: the lease has run out
}

func (h *handover) pending() bool { return h.token.Term != 0 }

// handOver begins to give up the seat of a tenure that is over here. Past its
// time a challenge is met by vacating the seat. An intent that has taken the place
// of the one for which the work was stopped is met instead.
func (m *Machine) handOver(token election.Token, d drainCause) {
	if s := &m.seenRequest; d.kind == drainRequested && s.intent.Term == token.Term {
		d.intent = s.intent
	}
	if d.kind == drainRequested && m.now.Local.Before(d.until) && !m.requestStands(&d.intent) {
		return // the successor has died meanwhile: the leadership is claimed again
	}
	h := handover{token: token, intent: d.intent, by: m.now.Local.Add(m.config.LeaseDuration)}
	if d.intent.Kind == election.PreemptionRequest && !m.now.Local.Before(d.until) {
		h.intent = election.Request{}
	}
	if h.intent.Kind == election.ResignRequest { // and does not take the seat at once
		m.holdOff = latest(m.holdOff, m.now.Local.Add(m.config.LeaseDuration))
	}
	m.handover = h
}

// planHandOver tries the hand-over until it is done, or the lease has run out.
func (m *Machine) planHandOver() {
	h := m.handover
	if !m.now.Local.Before(h.by) {
		m.handover = handover{}
		m.planMain()
		return
	}
	op := Operation{Kind: Resign, Token: h.token, Request: h.intent, Limit: m.tryLimit(h.by)}
	if h.intent.Kind == election.PreemptionRequest || h.intent.Kind == election.TransferRequest {
		op.Kind = HandOver
	}
	m.begin(&m.main, op)
}

// handedOver takes in the answer. A seat that turns out to be another's is given
// up as well; where the successor died meanwhile it stays, and is claimed anew.
func (m *Machine) handedOver(kind Kind, a *Answer) {
	switch {
	case a.Err == nil:
		m.succeeded()
		if a.Status.Leader.Ballot == 0 { // it could not be read
			m.readNow = true
			break
		}
		m.sawLeader(a)
	case errors.Is(a.Err, fdbelection.ErrNotLeader):
		m.succeeded()
		m.readNow = true
	default:
		m.unsettled = m.unsettled || a.MayHaveWritten
		m.failed(kind, a.Err)
		return
	}
	m.handover = handover{}
}
