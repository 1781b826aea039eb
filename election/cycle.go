package election

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// CycleResult says what stands if the transaction commits.
type CycleResult struct {
	// Action is what the cycle did about the leadership.
	Action Action
	// Leader is the leader record. Whether the lease of another candidate has run
	// out is for the caller to judge.
	Leader LeaderRecord
	// ValidUntil is until when the caller may take itself for the leader, on the
	// clock of the cycle's now. It is zero if the caller does not lead. The work must
	// have stopped by then, unless a later cycle has returned a later instant.
	//
	// While the leader is Asked to give up, ValidUntil does not pass the end of the
	// preemption grace. As long as the commit of a cycle is not known, the earlier of its
	// ValidUntil and the one before counts: a new config may have made the lease shorter.
	ValidUntil time.Time
	// MustHandOver says that the caller leads and has to give up what Intent asks for: stop
	// the work, and go on calling RunElectionCycle. It can end, if a challenger dies.
	// It is false if the caller keeps its own observation (Observed).
	MustHandOver bool
	// Request is what is asked of the leader of this term. Its Kind is NoRequest if
	// nothing is asked. It may be a challenge that the leader does not obey, because its
	// author is dead or comes too early.
	Request Request
	// Config is the one by which the cycle decided.
	Config fdbelection.Config
	// Unreadable names the advisory records that could not be read, and were passed
	// over (ErrInvalidState); nil if there are none.
	Unreadable error
}

// Leads reports whether the caller leads, as long as ValidUntil has not passed.
// It is false while the holder drains in a disabled election.
func (r CycleResult) Leads() bool { return r.Action.Leads() }

// Holds reports whether the caller holds the leadership: it leads, or drains in a
// disabled election. Once its lease is over by its own clock it does not, although the
// leader record may still name it.
func (r CycleResult) Holds() bool { return r.Action.Holds() }

// RunElectionCycle writes the heartbeat of a registered candidate and does about
// the leadership what the protocol says, in one transaction. It claims a leadership
// that is vacant, whose lease is over, or that a strictly higher priority may
// take; renews its own; challenges a leader of a lower priority if there is a
// grace; or follows. A change of priority, role or metadata is written with the
// heartbeat. A follower writes nothing but its own candidate record.
//
// Call it once per heartbeat. It needs no bookkeeping by its caller: what this
// incarnation has seen of the leader and since when, on the clock of the election
// (WithClock), is kept in its candidate record. No clock of another process is
// compared.
//
// A leader that only calls RunElectionCycle also meets challenges and the requests
// of operators by it. While the grace of the config runs, the cycle renews, and the
// result is Asked, with a ValidUntil that ends with the grace. After that,
// and after every ValidUntil that it has returned, the next cycle hands over
// (HandedOver) or resigns (Vacated). WorkEnded has it do so at once.
//
// Run again after an unknown commit it finds what the first run did: the
// incarnation that finds itself leading renews in the same term. If its lease is
// over by its own clock, it claims a new term instead. A leader whose candidate
// record was evicted registers again with its renewal. In a disabled election
// heartbeats continue, and the result says Draining or Followed.
//
// Errors: ErrNotInitialized, ErrUnregisteredCandidate, ErrDuplicateID,
// ErrRegistrationPending, ErrInvalidCandidate, ErrInvalidState.
func (e *LeaderElection) RunElectionCycle(tr kv.Transaction, me Registration, now time.Time, opts ...CycleOption) (CycleResult, error) {
	if err := me.Validate(); err != nil {
		return CycleResult{}, err
	}
	start := e.clock.Now()
	v, err := e.loadFor(tr, me.Identity)
	if err != nil {
		return CycleResult{}, err
	}
	c, err := e.contend(tr, &v, me, now, opts)
	if err != nil {
		return CycleResult{}, err
	}
	d := decide(&v, &c)
	keeps := d.action == Renewed || d.action == Draining || d.action == Vacated || d.action == HandedOver
	if v.own == nil && !keeps {
		return CycleResult{}, orUnregistered(v.unreadable.own)
	}
	if err := e.prepare(&v, &c, d); err != nil {
		return CycleResult{}, err
	}
	result, err := e.act(tr, &v, &c, d)
	if err != nil {
		return CycleResult{}, err
	}
	if valid := c.conclude(&v, d, &result.Leader, start); valid > 0 {
		result.ValidUntil = now.Add(valid)
		result.MustHandOver = d.action == Renewed && c.asked(&v)
	}
	if v.unreadable.own == nil { // else the leader renews, and its record waits for its repair
		if err := e.heartbeat(tr, v.own, me, now, c.kept()); err != nil {
			return CycleResult{}, err
		}
	}
	return result, nil
}

// TryClaimLeadership does about the leadership what RunElectionCycle does, and
// writes no heartbeat: the candidate is as its record says. What it judges by
// observation is what the heartbeats of this incarnation have noted in that record
// (HeartbeatCandidate, RunElectionCycle). The holder renews, and answers for
// requests itself. If RunElectionCycle has seen a request that stands, ValidUntil does
// not pass the one that it has returned.
//
// Errors: those of RunElectionCycle, and ErrElectionDisabled, ErrNotVoting.
func (e *LeaderElection) TryClaimLeadership(tr kv.Transaction, me Identity, now time.Time, opts ...CycleOption) (CycleResult, error) {
	if err := me.Validate(); err != nil {
		return CycleResult{}, err
	}
	start := e.clock.Now()
	v, err := e.loadFor(tr, me)
	switch {
	case err != nil:
		return CycleResult{}, err
	case v.own == nil:
		return CycleResult{}, orUnregistered(v.unreadable.own)
	case v.own.Role != Voter:
		return CycleResult{}, fdbelection.ErrNotVoting
	case !v.config.ElectionEnabled:
		return CycleResult{}, fdbelection.ErrElectionDisabled
	}
	c := e.judge(&v, v.own.Registration, now, opts)
	limit := c.promised(&v)
	c.notes.request = seenRequest{} // what is asked of a holder is for RunElectionCycle, which can take note of it
	d := decide(&v, &c)
	if err := e.prepare(&v, &c, d); err != nil {
		return CycleResult{}, err
	}
	result, err := e.act(tr, &v, &c, d)
	valid := c.conclude(&v, d, &result.Leader, start)
	if d.action == Renewed && !limit.IsZero() {
		valid = min(valid, max(limit.Sub(start), 0))
	}
	if err == nil && d.action.Leads() {
		result.ValidUntil = now.Add(valid)
	}
	return result, err
}

// promised is the end of what the cycles of the holder have promised while a request
// stands that they know; zero if they know of none. The cycle that hands over counts
// on it, and takes no note of what a claim promises.
func (c *caller) promised(v *view) time.Time {
	known := &c.notes.request
	switch {
	case known.kind == NoRequest, known.nonce != v.intent.Nonce:
		return time.Time{}
	case !known.live.IsZero() && c.graceEnd(v).Before(c.notes.trusted):
		return c.graceEnd(v)
	}
	return c.notes.trusted
}

// loadFor reads what a decision of me needs, in one wave.
func (e *LeaderElection) loadFor(tr kv.Transaction, me Identity) (view, error) {
	load := e.begin(tr)
	load.of(me.ID)
	v, err := load.await()
	if err == nil {
		err = v.decidable()
	}
	if err == nil && v.own != nil && v.own.Incarnation != me.Incarnation {
		err = duplicateID(me, v.own.Identity)
	}
	return v, err
}

// orUnregistered is the error of a candidate without a record that can be used.
func orUnregistered(unreadable error) error {
	if unreadable != nil {
		return unreadable
	}
	return fdbelection.ErrUnregisteredCandidate
}

func newContender(me Registration, now time.Time, opts []CycleOption) caller {
	c := caller{Identity: me.Identity, priority: me.Priority, role: me.Role, now: now}
	for _, opt := range opts {
		opt(&c.cycleOptions)
	}
	return c
}

// judge returns the contender with what it has seen: as its caller says, or as the
// notes in its candidate record do.
func (e *LeaderElection) judge(v *view, me Registration, now time.Time, opts []CycleOption) caller {
	c := newContender(me, now, opts)
	if !c.observed {
		c.at = e.clock.Now()
		c.notes = notesOf(v.own, me.Identity, e.clock, c.at)
		c.seen = c.notes.seen
	}
	// What this very read has seen counts too: a ballot that went back, above all.
	c.seen = c.seen.Next(v.leader, c.at)
	return c
}

// contend is judge for a cycle, which also takes note of what is asked of the
// holder.
func (e *LeaderElection) contend(tr kv.Transaction, v *view, me Registration, now time.Time, opts []CycleOption) (caller, error) {
	c := e.judge(v, me, now, opts)
	if c.observed {
		return c, nil
	}
	asked := v.leader.HeldBy(c.Identity) && v.intent.about(v.leader.Term)
	if asked {
		if err := e.readAuthor(tr, v); err != nil {
			return c, err
		}
	}
	if asked && v.legal(&c) {
		c.sight(v)
	} else {
		c.notes.request = seenRequest{}
	}
	return c, nil
}

// conclude updates the notes by a decision, after which next is the leader record. It
// returns for how long the caller may lead, counted from the now of its cycle; start is
// a reading of the clock after that.
func (c *caller) conclude(v *view, d decision, next *LeaderRecord, start time.Time) time.Duration {
	var valid time.Duration
	if d.action.Leads() {
		valid = v.config.LeaseDuration - v.config.EffectiveMargin()
		if d.action == Renewed && c.asked(v) {
			valid = min(valid, max(c.graceEnd(v).Sub(start), 1))
		}
		if until := start.Add(valid); until.After(c.notes.trusted) {
			c.notes.trusted = until
		}
	}
	if d.action != Renewed && d.action != Draining { // it was asked of the tenure before
		c.notes.request = seenRequest{}
	}
	switch {
	case d.action.Holds():
		c.notes.seen = c.seen.Next(*next, c.at)
	case d.action == Vacated && v.intent.Kind == ResignRequest:
		c.notes.out = c.at.Add(v.config.LeaseDuration)
		fallthrough
	default:
		c.notes.seen = c.seen
	}
	return valid
}

// kept returns the notes for the candidate record, nil if the caller keeps its own.
func (c *caller) kept() *notes {
	if c.observed {
		return nil
	}
	return &c.notes
}

// prepare does, before the first write, all of a decision that can fail.
func (e *LeaderElection) prepare(v *view, c *caller, d decision) (err error) {
	switch {
	case d.action == HandedOver, d.action == RequestedPreemption && v.intent.about(v.leader.Term) && v.intent.by(c.Identity):
		c.nonce = v.intent.Nonce
	case d.action == Claimed, d.action == RequestedPreemption:
		c.nonce, err = e.newNonce()
	}
	return err
}

// act carries out a decision.
func (e *LeaderElection) act(tr kv.Transaction, v *view, c *caller, d decision) (CycleResult, error) {
	result := CycleResult{Action: d.action, Leader: v.leader, Config: v.config, Unreadable: errors.Join(v.unreadable.intent, v.unreadable.own)}
	if v.intent.about(v.leader.Term) && !v.leader.Vacant() {
		result.Request = v.intent
	}
	var err error
	switch d.action {
	case Claimed:
		result.Leader, err = e.claimSeat(tr, v, c, d.origin)
		result.Request = Request{}
	case Renewed:
		result.Leader = v.renewal(c.priority, c.now)
		err = e.writeRenewal(tr, v, &result.Leader)
	case Vacated:
		result.Leader, err = e.vacate(tr, v, c.whyVacated(v), c.now)
	case HandedOver:
		if err = conflictOn(tr, e.keys.candidate(v.other.ID)); err == nil { // it was read by snapshot
			result.Leader = v.handover(v.other, d.origin, c.nonce, c.now)
			err = e.writeTenure(tr, v, &result.Leader)
		}
	case RequestedPreemption:
		result.Request, err = e.challenge(tr, v, c)
	case Withdrew:
		result.Request = Request{}
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

// whyVacated is the reason of a vacancy, for the history.
func (c *caller) whyVacated(v *view) string {
	switch {
	case c.role != Voter:
		return "became an observer"
	case !v.config.ElectionEnabled:
		return "not accepted: disabled"
	default:
		return "resigned on request"
	}
}

func (e *LeaderElection) claimSeat(tr kv.Transaction, v *view, c *caller, origin AcquireReason) (LeaderRecord, error) {
	own := *v.own
	own.Priority = c.priority // as the heartbeat of this transaction has it
	next := v.claim(&own, origin, c.nonce, c.now)
	err := e.writeTenure(tr, v, &next)
	return next, err
}

// challenge writes the contender's own intent, or keeps it fresh. It depends
// on the term record and not on the leader record, so that it conflicts with
// changes of the tenure and not with renewals.
func (e *LeaderElection) challenge(tr kv.Transaction, v *view, c *caller) (Request, error) {
	next := Request{
		Kind: PreemptionRequest, Term: v.leader.Term, Identity: c.Identity,
		Nonce: c.nonce, Counter: 1, Priority: c.priority,
	}
	if v.intent.Nonce == c.nonce {
		next.Counter = v.intent.Counter + 1
	}
	// A transaction that removes the author, replaces it, or makes it an observer, and
	// has not read this challenge, must not commit after it: the challenge would stand
	// for the rest of the term. (A heartbeat in this transaction writes that key too.)
	if err := tr.AddWriteConflictKey(e.keys.candidate(c.ID)); err != nil {
		return Request{}, err
	}
	if err := conflictOn(tr, e.keys.intent, e.keys.term, e.keys.config); err != nil {
		return Request{}, err
	}
	tr.Set(e.keys.intent, next.encode())
	return next, nil
}
