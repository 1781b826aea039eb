package election

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// CycleResult says what a cycle did. It is valid only after the commit.
type CycleResult struct {
	// Action is what the cycle did about the leadership.
	Action Action
	// Leader is the leader record after the cycle. The cycle does not say whether the
	// lease of another candidate has expired.
	Leader LeaderRecord
	// ValidUntil is the instant after which the caller must not lead, on the clock of the
	// now that it passed. Its work must have stopped by then, unless a later cycle has
	// returned a later instant. It is zero if the caller does not lead.
	//
	// If MustHandOver is true, ValidUntil is not later than the end of the preemption
	// grace. Until the commit of a cycle is acknowledged, use the earlier of this and the
	// previous result's ValidUntil, since a new config may have made the lease shorter.
	ValidUntil time.Time
	// MustHandOver says that the caller leads and must do what Request asks. It stops its
	// work and goes on calling RunElectionCycle. A later result can be false again, if the
	// challenger has died. It is always false with WithObservation.
	MustHandOver bool
	// Request is what is asked of the leader of this term. Its Kind is NoRequest if nothing
	// is asked. A preemption request may stand here that does not count yet, or whose
	// author is dead: see MustHandOver.
	Request Request
	// Config is the config by which the cycle decided.
	Config fdbelection.Config
	// Unreadable names the records that the cycle could not read and did not need
	// (ErrInvalidState). It is nil if there are none.
	Unreadable error
}

// Leads reports whether the caller leads until ValidUntil. It is false while a leader
// drains (Draining).
func (r CycleResult) Leads() bool { return r.Action.Leads() }

// Holds reports whether the caller holds leadership: it leads or drains. It is false once the
// lease has expired by the caller's clock, although the leader record may still name the
// caller.
func (r CycleResult) Holds() bool { return r.Action.Holds() }

// RunElectionCycle writes the heartbeat of a registered candidate, and claims, renews,
// requests preemption, hands over, or changes nothing (Followed). A candidate claims if
// leadership is vacant, if the lease has expired, or if its priority is strictly higher and
// the config allows preemption without a grace. If there is a grace, it requests preemption.
// A change of priority, role, metadata or readiness is written with the heartbeat. A follower
// writes only its own candidate record.
//
// Call it once per heartbeat interval. The caller need not remember anything between two
// cycles. What this incarnation has seen of the leader, and since when on the clock of the
// election (WithClock), is stored in its candidate record. Clocks of other processes are
// not compared.
//
// A leader that only calls RunElectionCycle also does what challengers and operators ask.
// During the grace of the config the cycle renews, MustHandOver is true, and ValidUntil
// ends with the grace. The first cycle after the grace, and after every ValidUntil that was
// returned, hands over (HandedOver) or resigns (Vacated). WorkEnded makes it do so at once.
//
// It is safe to run again after an unknown result: an incarnation that already leads renews
// in the same term. If its lease has expired by its own clock, it claims a new term
// instead. A leader whose candidate record was evicted registers again with its renewal.
// In a disabled election heartbeats continue, and the action is Draining or Followed.
//
// If me.NotReady says that the caller is not ready, it neither claims nor renews. A leader
// drains (Draining), and the first cycle after every ValidUntil that was returned, or with
// WorkEnded, vacates leadership (Vacated). LeadUnready makes an exception. With
// WithObservation a leader renews while it is not ready, so that its work can stop.
//
// Errors: ErrNotInitialized, ErrUnregisteredCandidate, ErrDuplicateID,
// ErrRegistrationPending, ErrInvalidCandidate, ErrInvalidState.
func (e *LeaderElection) RunElectionCycle(tr kv.Transaction, me Registration, now time.Time, opts ...CycleOption) (CycleResult, error) {
	if err := me.Validate(); err != nil {
		return CycleResult{}, err
	}
	start := e.clock.Now()
	v, err := e.readForCandidate(tr, me.Identity)
	if err != nil {
		return CycleResult{}, err
	}
	c := e.newCaller(&v, me, now, opts)
	if err := e.noteRequest(tr, &v, &c); err != nil {
		return CycleResult{}, err
	}
	d := decide(&v, &c)
	if v.own == nil && !d.action.needsNoRecord() {
		return CycleResult{}, orUnregistered(v.unreadable.own)
	}
	result, err := e.carryOut(tr, &v, &c, d)
	if err != nil {
		return CycleResult{}, err
	}
	if valid := c.conclude(&v, d, &result.Leader, start); valid > 0 {
		result.ValidUntil = now.Add(valid)
		result.MustHandOver = d.action == Renewed && c.requestCounts(&v)
	}
	if v.unreadable.own == nil { // an unreadable record is left for repair, and its leader still renews
		if err := e.heartbeat(tr, &v, v.own, me, now, c.kept()); err != nil {
			return CycleResult{}, err
		}
	}
	return result, nil
}

// readForCandidate reads what a decision of me needs, in one wave of reads.
func (e *LeaderElection) readForCandidate(tr kv.Transaction, me Identity) (view, error) {
	reads := e.beginReads(tr)
	reads.own = e.readCandidate(tr, me.ID)
	v, err := reads.await()
	if err == nil {
		err = v.decidable()
	}
	if err == nil && v.own != nil && v.own.Incarnation != me.Incarnation {
		err = duplicateID(me, v.own.Identity)
	}
	return v, err
}

// orUnregistered returns the error for a candidate whose record is missing or unreadable.
func orUnregistered(unreadable error) error {
	if unreadable != nil {
		return unreadable
	}
	return fdbelection.ErrUnregisteredCandidate
}

// carryOut writes what a decision says, except the heartbeat. Everything that can fail
// comes before the first write.
func (e *LeaderElection) carryOut(tr kv.Transaction, v *view, c *caller, d decision) (CycleResult, error) {
	result := CycleResult{Action: d.action, Leader: v.leader, Config: v.config, Unreadable: errors.Join(v.unreadable.request, v.unreadable.own)}
	if v.request.about(v.leader.Term) && !v.leader.Vacant() {
		result.Request = v.request
	}
	nonce, err := e.nonceFor(v, c, d)
	if err != nil {
		return CycleResult{}, err
	}
	switch d.action {
	case Claimed:
		own := *v.own
		own.Priority = c.priority // as the heartbeat of this transaction writes it
		result.Leader, result.Request = v.claim(&own, d.reason, nonce, c.now), Request{}
		err = e.writeTenure(tr, v, &result.Leader)
	case Renewed:
		result.Leader = v.renewal(c.priority, c.now)
		err = e.writeRenewal(tr, v, &result.Leader)
	case Vacated:
		result.Leader, err = e.vacate(tr, v, c.whyVacated(v), c.now)
	case HandedOver:
		if err = record.ConflictOn(tr, e.keys.candidate(v.other.ID)); err == nil { // it was read by snapshot
			result.Leader = v.handOver(v.other, d.reason, nonce, c.now)
			err = e.writeTenure(tr, v, &result.Leader)
		}
	case RequestedPreemption:
		result.Request, err = e.requestPreemption(tr, v, c, nonce)
	case Withdrew:
		result.Request = Request{}
		if err = record.ConflictOn(tr, e.keys.request); err == nil {
			tr.Clear(e.keys.request)
		}
	case Followed, Draining:
	}
	if err != nil {
		return CycleResult{}, err
	}
	return result, nil
}

// nonceFor returns the nonce of the tenure or the preemption request that a decision
// begins. A hand-over and a repeated request keep the nonce of the request.
func (e *LeaderElection) nonceFor(v *view, c *caller, d decision) (uuid.UUID, error) {
	switch {
	case d.action == HandedOver, d.action == RequestedPreemption && v.request.about(v.leader.Term) && v.request.by(c.Identity):
		return v.request.Nonce, nil
	case d.action == Claimed, d.action == RequestedPreemption:
		return e.newNonce()
	}
	return uuid.Nil, nil
}

// whyVacated returns why the caller gives up leadership, for the history.
func (c *caller) whyVacated(v *view) string {
	switch {
	case c.role != Voter:
		return "became an observer"
	case c.mayNotLead():
		return "not ready"
	case !v.config.ElectionEnabled:
		return "not accepted: disabled"
	default:
		return "resigned on request"
	}
}
