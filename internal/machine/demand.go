package machine

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// demandKind says why a tenure is to end although nothing is wrong with it.
type demandKind int

const (
	nothing  demandKind = iota
	intended            // an intent: a challenge or a request
	disabled            // the election is disabled: the lease is not renewed
	demoted             // the candidate becomes an observer, or aims at less
	finished            // the work ended of itself
)

// demand is what the leader obeys: first the work stops, while the lease is
// still renewed, then the seat is given up.
type demand struct {
	kind   demandKind
	intent election.Intent
	until  time.Time // the work's use of the lease ends then
}

// obey has the work stop for the first demand; later ones find it stopping. A
// challenger waits for the grace of the config, all others for the drain time.
func (m *Machine) obey(d demand, reason Reason) {
	if !m.leads() {
		return
	}
	patience := m.settings.Drain
	if d.intent.Kind == election.IntentChallenge {
		patience = m.config.PreemptionGrace
	}
	d.until = m.now.Local.Add(patience)
	m.tenure.demand = d
	m.drain(reason, d.until)
}

// sighting is what the machine has seen of the intent that stands.
type sighting struct {
	intent election.Intent
	moved  time.Time // when its counter was last seen to rise; zero: not yet
}

// sawIntent takes in a reading of the intent. Readings may come in any order, so a
// lower counter is an older one.
func (m *Machine) sawIntent(a *Answer) {
	intent, s := &a.State.Intent, &m.sighted
	switch {
	case intent.Kind == election.NoIntent:
	case intent.Nonce != s.intent.Nonce:
		*s = sighting{intent: *intent}
	case intent.Counter > s.intent.Counter:
		*s = sighting{intent: *intent, moved: m.now.Local}
	}
}

// asks reports whether an intent asks something of the present tenure and its author
// or successor is alive: the counter of a challenge was seen to rise, within two
// heartbeats, and the successor is not known to be silent.
func (m *Machine) asks(intent *election.Intent) bool {
	switch {
	case intent.Kind == election.NoIntent || intent.Term != m.tenure.token.Term:
		return false
	case intent.Kind == election.IntentResign:
		return true
	}
	if c := m.roster.find(intent.Identity); c != nil && m.silent(c) {
		return false
	}
	s := &m.sighted
	return intent.Kind != election.IntentChallenge || s.intent.Nonce == intent.Nonce && !s.moved.IsZero() &&
		m.now.Local.Sub(s.moved) <= 2*m.config.HeartbeatInterval
}

// obeyCycle has the leader obey what its renewal found.
func (m *Machine) obeyCycle(a *Answer) {
	intent := a.State.Intent
	switch {
	case a.Action == election.Draining:
		m.obey(demand{kind: disabled}, ReasonDisabled)
	case !a.Granted, !m.asks(&intent):
	case intent.Kind == election.IntentChallenge:
		m.obey(demand{kind: intended, intent: intent}, ReasonChallenged)
	case intent.Kind == election.IntentTransfer:
		m.obey(demand{kind: intended, intent: intent}, ReasonAskedToTransfer)
	case intent.Kind == election.IntentResign:
		m.obey(demand{kind: intended, intent: intent}, ReasonAskedToResign)
	}
}

// handover is how a seat is given up whose work has returned, or has had its
// time. All that names it is fixed here, so that it can be run again.
type handover struct {
	token  election.Token
	intent election.Intent // none: the seat is vacated
	by     time.Time       // given up then: the lease has run out
}

func (h *handover) pending() bool { return h.token.Term != 0 }

// handOver begins to give up the seat of a tenure that is over here. Past its
// time a challenge is met by vacating the seat. An intent that has taken the place
// of the one for which the work was stopped is met instead.
func (m *Machine) handOver(token election.Token, d demand) {
	if s := &m.sighted; d.kind == intended && s.intent.Term == token.Term {
		d.intent = s.intent
	}
	if d.kind == intended && m.now.Local.Before(d.until) && !m.asks(&d.intent) {
		return // the successor has died meanwhile: the leadership is claimed again
	}
	h := handover{token: token, intent: d.intent, by: m.now.Local.Add(m.config.LeaseDuration)}
	if d.intent.Kind == election.IntentChallenge && !m.now.Local.Before(d.until) {
		h.intent = election.Intent{}
	}
	if h.intent.Kind == election.IntentResign { // and does not take the seat at once
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
	op := Operation{Kind: Resign, Token: h.token, Intent: h.intent, Limit: m.tryLimit(h.by)}
	if h.intent.Kind == election.IntentChallenge || h.intent.Kind == election.IntentTransfer {
		op.Kind = Yield
	}
	m.begin(&m.main, op)
}

// handedOver takes in the answer. A seat that turns out to be another's is given
// up as well; where the successor died meanwhile it stays, and is claimed anew.
func (m *Machine) handedOver(kind Kind, a *Answer) {
	switch {
	case a.Err == nil:
		m.succeeded()
		if a.State.Leader.Ballot == 0 { // it could not be read
			m.lookNow = true
			break
		}
		m.sawLeader(a)
	case errors.Is(a.Err, fdbelection.ErrNotLeader):
		m.succeeded()
		m.lookNow = true
	default:
		m.unsettled = m.unsettled || a.Touched
		m.failed(kind, a.Err)
		return
	}
	m.handover = handover{}
}
