package election

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// CanHandOver reports whether the holder may do now what its own cycle says is asked of it.
// It is false if the challenger or the target of a transfer is gone, has restarted, is an
// observer, or does not have a higher priority. Then no work has to end. It is for callers
// that pass WithObservation to their cycles. Call it in the transaction of the cycle, before
// the work is told to stop. HandOver checks again after the work has ended.
//
// With WithObservation, the age of the tenure is what the holder has seen of it, as in the
// cycles of others. Without it, the age is taken from its wall clock.
//
// It reads the candidate that the request names by snapshot, so the renewal does not
// conflict with heartbeats of that candidate. Errors: ErrRegistrationPending.
func (e *LeaderElection) CanHandOver(tr kv.Transaction, result *CycleResult, now time.Time, opts ...CycleOption) (bool, error) {
	v := view{config: result.Config, leader: result.Leader, request: result.Request}
	if err := e.readNamed(tr, &v); err != nil {
		return false, err
	}
	c := caller{Identity: v.leader.Identity, now: now}
	c.apply(opts)
	return v.requestIsLegal(&c), nil
}

// HandOver does what a request asks of the holder of exactly the tenure of token, if that
// request still stands and is still legal. It hands leadership to the author of a
// preemption request or to the target of a transfer request. Only the holder may call it,
// after its work has ended. Pass the request that the holder saw before it stopped the work.
// For a resign request use ResignLeadership.
//
// A preemption request is legal if the config allows preemption, the tenure is older than
// the minimum tenure, and its author is registered under the same incarnation, as a voter,
// with a strictly higher priority. The age of the tenure is judged as in CanHandOver. A
// transfer request is legal if its target is registered under the same incarnation as a
// voter. The new tenure has the nonce of the request, so a run after an unknown result
// recognises its own success.
//
// It returns the leader record after that, and whether leadership was handed over. A void
// request is removed and the holder stays. A request that has replaced this one is left for
// the next cycle of the holder.
//
// Errors: ErrNotLeader, ErrNotInitialized, ErrInvalidCandidate (of the request),
// ErrNoNonce, ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) HandOver(tr kv.Transaction, token Token, request Request, now time.Time, opts ...CycleOption) (LeaderRecord, bool, error) {
	if err := validateID(request.ID); err != nil {
		return LeaderRecord{}, false, err
	}
	v, err := e.readForHandOver(tr, token, request.ID, request.Nonce)
	if err != nil {
		return LeaderRecord{}, false, err
	}
	if done, err := e.handedOver(tr, &v, token, request.Nonce); done || err != nil {
		return v.leader, done, err
	}
	c := caller{Identity: token.Identity, now: now}
	c.apply(opts)
	switch {
	case v.request.Nonce != request.Nonce || v.request.Kind != request.Kind || !v.request.concerns(request.Identity):
		return v.leader, false, nil // it was withdrawn, cancelled or replaced
	case !v.namesSuccessor():
		if err := record.ConflictOn(tr, e.keys.request, e.keys.leader); err != nil {
			return LeaderRecord{}, false, err
		}
		tr.Clear(e.keys.request)
		return v.leader, false, nil
	case v.request.Kind == PreemptionRequest && isProtected(&v, &c):
		return v.leader, false, nil // too early, and it may be repeated
	}
	reason := AcquirePreemption
	if v.request.Kind == TransferRequest {
		reason = AcquireTransfer
	}
	next := v.handOver(v.other, reason, request.Nonce, now)
	err = e.writeTenure(tr, &v, &next)
	return next, true, err
}

// namesSuccessor reports whether the author of the preemption request may preempt, or the
// target of the transfer request may lead, by its candidate record.
func (v *view) namesSuccessor() bool {
	if !v.config.ElectionEnabled || v.other == nil || v.other.Identity != v.request.Identity || !v.other.ranked() {
		return false
	}
	return v.request.Kind == TransferRequest || v.config.AllowPreemption && v.other.Priority > v.leader.Priority
}

// readNamed reads the candidate that the request of a view names, by snapshot. A request to
// resign names none.
func (e *LeaderElection) readNamed(tr kv.Transaction, v *view) error {
	if v.request.Kind != PreemptionRequest && v.request.Kind != TransferRequest {
		return nil
	}
	named := e.readCandidate(tr.Snapshot(), v.request.ID)
	var err error
	v.other, v.unreadable.other, err = named.await()
	return err
}

// readForHandOver reads what a hand-over to an id needs, in one wave of reads.
func (e *LeaderElection) readForHandOver(tr kv.Transaction, token Token, to string, nonce uuid.UUID) (view, error) {
	if nonce == uuid.Nil {
		return view{}, fdbelection.ErrNoNonce
	}
	reads := e.beginReads(tr)
	reads.own = e.readCandidate(tr, token.ID)
	reads.other = e.readCandidate(tr, to)
	v, err := reads.await()
	if err == nil {
		err = v.decidable()
	}
	return v, err
}

// handedOver reports whether the tenure of token was handed over already, under this nonce.
// Then the next term has the nonce, by the leader record or by the history. It returns an
// error if the tenure of token ended in another way.
func (e *LeaderElection) handedOver(tr kv.Transaction, v *view, token Token, nonce uuid.UUID) (bool, error) {
	switch {
	case v.leader.in(token):
		return false, nil
	case v.leader.Term == token.Term+1 && v.leader.Nonce == nonce:
		return true, nil
	case v.leader.Term > token.Term+1:
		key := e.keys.event(token.Term+1, EventBegan)
		value, err := tr.Snapshot().Get(key).Get()
		if err != nil {
			return false, err
		}
		event, _, unreadable := e.keys.decodeEvent(key, value)
		switch {
		case value == nil || unreadable != nil:
			return false, fmt.Errorf("%w; an earlier run may have handed the leadership over: the history (HistoryLimit %d) does not tell how term %d began",
				notLeader(token, v.leader), v.config.HistoryLimit, token.Term+1)
		case event.Nonce == nonce:
			return true, nil
		}
	}
	return false, notLeader(token, v.leader)
}
