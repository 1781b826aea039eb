package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// CycleResult is what stands if the transaction commits.
type CycleResult struct {
	// Action is what the cycle did about the seat.
	Action Action
	// Leader is the leader record. Whether a lease of somebody else has run out
	// is for the caller to judge.
	Leader Leader
	// Intent is what is asked of the leader of this term; its Kind is NoIntent
	// where nothing is.
	Intent Intent
	// Config is the one by which the cycle decided.
	Config fdbelection.Config
}

// Leads reports whether the actor holds the seat.
func (r CycleResult) Leads() bool { return r.Action.Leads() }

// RunElectionCycle writes the heartbeat of a registered candidate and does
// about the seat what the protocol says, in one transaction: it claims a seat
// that is vacant or whose lease is over, or that a strictly higher priority may
// take; renews its own; challenges a lower leader where there is a grace; or
// follows. A change of priority, role or metadata is written with the
// heartbeat. A follower writes nothing but its own candidate record.
//
// Run again after an unknown commit it finds what the first run did: the
// incarnation that finds itself leading renews in the same term. A leader whose
// candidate record was evicted registers again with its renewal. Where the
// election is disabled heartbeats go on, and the result says Draining or
// Followed.
//
// Errors: ErrNotInitialized, ErrUnregisteredCandidate, ErrDuplicateID,
// ErrRegistrationPending, ErrExpiryMode, ErrInvalidCandidate, ErrInvalidState.
func (e *LeaderElection) RunElectionCycle(tr kv.Transaction, me Registration, now time.Time, opts ...CycleOption) (CycleResult, error) {
	if err := me.Validate(); err != nil {
		return CycleResult{}, err
	}
	v, err := e.loadFor(tr, me.Identity)
	if err != nil {
		return CycleResult{}, err
	}
	c := newContender(me, now, opts)
	if err := v.checkMode(&c); err != nil {
		return CycleResult{}, err
	}
	d := decide(&v, &c)
	if v.own == nil && d.action != Renewed && d.action != Draining && d.action != Vacated {
		return CycleResult{}, fdbelection.ErrUnregisteredCandidate
	}
	if err := e.prepare(tr, &v, &c, d); err != nil {
		return CycleResult{}, err
	}
	if err := e.heartbeat(tr, v.own, me, now); err != nil {
		return CycleResult{}, err
	}
	return e.act(tr, &v, &c, d)
}

// TryClaimLeadership does about the seat what RunElectionCycle does, and
// writes no heartbeat: the candidate is as its record says.
//
// Errors: those of RunElectionCycle, and ErrElectionDisabled, ErrNotVoting.
func (e *LeaderElection) TryClaimLeadership(tr kv.Transaction, me Identity, now time.Time, opts ...CycleOption) (CycleResult, error) {
	if err := me.Validate(); err != nil {
		return CycleResult{}, err
	}
	v, err := e.loadFor(tr, me)
	switch {
	case err != nil:
		return CycleResult{}, err
	case v.own == nil:
		return CycleResult{}, fdbelection.ErrUnregisteredCandidate
	case v.own.Role != Voter:
		return CycleResult{}, fdbelection.ErrNotVoting
	case !v.config.ElectionEnabled:
		return CycleResult{}, fdbelection.ErrElectionDisabled
	}
	c := newContender(v.own.Registration, now, opts)
	if err := v.checkMode(&c); err != nil {
		return CycleResult{}, err
	}
	d := decide(&v, &c)
	if err := e.prepare(tr, &v, &c, d); err != nil {
		return CycleResult{}, err
	}
	return e.act(tr, &v, &c, d)
}

// loadFor reads what a decision of me needs, in one wave.
func (e *LeaderElection) loadFor(tr kv.Transaction, me Identity) (view, error) {
	load := e.begin(tr)
	load.of(me.ID)
	v, err := load.await()
	if err == nil && v.own != nil && v.own.Incarnation != me.Incarnation {
		err = duplicateID(me, v.own.Identity)
	}
	return v, err
}

func newContender(me Registration, now time.Time, opts []CycleOption) contender {
	c := contender{Identity: me.Identity, priority: me.Priority, role: me.Role, now: now}
	for _, opt := range opts {
		opt(&c.choices)
	}
	return c
}

// checkMode refuses to judge by the clock where the config asks for
// observation: a contender that never could take over would be no contender.
func (v *view) checkMode(c *contender) error {
	if v.config.Expiry == fdbelection.ExpiryByObservation && !c.observed &&
		c.role == Voter && !v.leader.HeldBy(c.Identity) {
		return fdbelection.ErrExpiryMode
	}
	return nil
}

// prepare does, before the first write, all of a decision that can fail.
func (e *LeaderElection) prepare(tr kv.Transaction, v *view, c *contender, d decision) (err error) {
	switch {
	case d.action == Claimed:
		if err = e.continued(tr, v.leader); err == nil {
			c.nonce, err = e.newNonce()
		}
	case d.action == Challenged && v.intent.about(v.leader.Term) && v.intent.by(c.Identity):
		c.nonce = v.intent.Nonce
	case d.action == Challenged:
		c.nonce, err = e.newNonce()
	}
	return err
}

// act carries out a decision.
func (e *LeaderElection) act(tr kv.Transaction, v *view, c *contender, d decision) (CycleResult, error) {
	result := CycleResult{Action: d.action, Leader: v.leader, Config: v.config}
	if v.intent.about(v.leader.Term) && !v.leader.Vacant() {
		result.Intent = v.intent
	}
	var err error
	switch d.action {
	case Claimed:
		result.Leader, err = e.claimSeat(tr, v, c, d.origin)
		result.Intent = Intent{}
	case Renewed:
		result.Leader = v.renewal(c.priority, c.now)
		err = e.writeRenewal(tr, &result.Leader)
	case Vacated:
		reason := "became an observer"
		if c.role == Voter {
			reason = "not accepted: disabled"
		}
		result.Leader, err = e.vacate(tr, v, reason, c.now)
		result.Intent = Intent{}
	case Challenged:
		result.Intent, err = e.challenge(tr, v, c)
	case Withdrew:
		result.Intent = Intent{}
		if err = conflictOn(tr, e.keys.intent); err == nil {
			tr.Clear(e.keys.intent)
		}
	case Followed, Draining:
	}
	if err != nil {
		return CycleResult{}, err
	}
	return result, nil
}

func (e *LeaderElection) claimSeat(tr kv.Transaction, v *view, c *contender, origin Origin) (Leader, error) {
	own := *v.own
	own.Priority = c.priority // as the heartbeat of this transaction has it
	next := v.claim(&own, origin, c.nonce, c.now)
	err := e.writeTenure(tr, v, &next)
	return next, err
}

// challenge writes the contender's own intent, or keeps it fresh. It depends
// on the term record and not on the leader record, so that it conflicts with
// changes of the tenure and not with renewals.
func (e *LeaderElection) challenge(tr kv.Transaction, v *view, c *contender) (Intent, error) {
	next := Intent{
		Kind: IntentChallenge, Term: v.leader.Term, Identity: c.Identity,
		Nonce: c.nonce, Counter: 1, Priority: c.priority,
	}
	if v.intent.Nonce == c.nonce {
		next.Counter = v.intent.Counter + 1
	}
	if err := conflictOn(tr, e.keys.intent, e.keys.term, e.keys.config); err != nil {
		return Intent{}, err
	}
	tr.Set(e.keys.intent, next.encode())
	return next, nil
}
