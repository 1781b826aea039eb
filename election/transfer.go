package election

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// TransferLeadership hands the seat of exactly the tenure of token to another
// voter, in a new term. It is the holder's own act: send it only after the work
// under the tenure has ended. The seat waits for its new holder's first renewal
// with a short lease (Config.AcceptanceLease), and is protected from preemption
// for one lease.
//
// The nonce names the new tenure. Choose it outside of the transaction's
// closure: run again after an unknown commit the transfer recognises its own
// success by it. If other terms have followed meanwhile, it finds the nonce in the
// history. If that does not go back so far (Config.HistoryLimit), the error is
// ErrNotLeader and says that an earlier run may have succeeded: the tenure of token is
// over in any case. In a disabled election it resigns instead. It returns the leader
// record that stands then. For a transfer that was requested, use Yield.
//
// Errors: ErrNotLeader, ErrProcessNotFound and ErrNotVoting (of the target),
// ErrInvalidCandidate, ErrNoNonce, ErrNotInitialized, ErrRegistrationPending,
// ErrInvalidState.
func (e *LeaderElection) TransferLeadership(tr kv.Transaction, token Token, to string, nonce uuid.UUID, now time.Time) (LeaderRecord, error) {
	if err := validateID(to); err != nil {
		return LeaderRecord{}, err
	}
	if to == token.ID {
		return LeaderRecord{}, alreadyHolds(to)
	}
	v, err := e.loadHandover(tr, token, to, nonce)
	if err != nil {
		return LeaderRecord{}, err
	}
	if !v.config.ElectionEnabled && v.leader.vacatedBy(token) {
		return v.leader, nil // it has resigned
	}
	if done, err := e.handedOver(tr, &v, token, nonce); done || err != nil {
		return v.leader, err
	}
	if !v.config.ElectionEnabled {
		return e.vacate(tr, &v, "transfer in a disabled election", now)
	}
	if err := v.mayReceive(to); err != nil {
		return LeaderRecord{}, err
	}
	next := v.handover(v.other, AcquireTransfer, nonce, now)
	err = e.writeTenure(tr, &v, &next)
	return next, err
}

// HandOver does what an intent asks of the holder of exactly the tenure of token,
// if that very intent still stands and is still legal: it hands the seat to the
// author of a challenge, or to the target of a request to transfer. It is the
// holder's own act, as TransferLeadership is. The intent is as the holder saw it
// before it ended its work; a request to resign is for ResignLeadership.
//
// A challenge is legal while preemption is allowed, the tenure is older than
// the minimum by what the holder observed (Observed), else by its own wall clock,
// and its author is registered under the same incarnation, voting, and of a
// strictly higher priority; a transfer, while its target is registered under the
// same incarnation and voting. The new tenure has the nonce of the intent, by
// which a run after an unknown commit recognises its own success.
//
// It returns the leader record that stands then, and whether the seat was
// handed over. An intent that is void (its author or target gone, restarted,
// demoted or outranked) is removed, and the holder stays; one that was replaced
// meanwhile is left for the holder's next look.
//
// Errors: ErrNotLeader, ErrNotInitialized, ErrInvalidCandidate (of the intent),
// ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) HandOver(tr kv.Transaction, token Token, intent Request, now time.Time, opts ...CycleOption) (LeaderRecord, bool, error) {
	if err := validateID(intent.ID); err != nil {
		return LeaderRecord{}, false, err
	}
	v, err := e.loadHandover(tr, token, intent.ID, intent.Nonce)
	if err != nil {
		return LeaderRecord{}, false, err
	}
	if done, err := e.handedOver(tr, &v, token, intent.Nonce); done || err != nil {
		return v.leader, done, err
	}
	c := newContender(Registration{Identity: token.Identity}, now, opts)
	switch {
	case v.intent.Nonce != intent.Nonce || v.intent.Kind != intent.Kind || !v.intent.concerns(intent.Identity):
		return v.leader, false, nil // another one stands now, or none
	case !v.intentStands():
		if err := conflictOn(tr, e.keys.intent, e.keys.leader); err != nil {
			return LeaderRecord{}, false, err
		}
		tr.Clear(e.keys.intent)
		return v.leader, false, nil
	case v.intent.Kind == PreemptionRequest && protected(&v, tenureAge(&v, &c)):
		return v.leader, false, nil // too early; it may be repeated
	}
	origin := AcquirePreemption
	if v.intent.Kind == TransferRequest {
		origin = AcquireTransfer
	}
	next := v.handover(v.other, origin, intent.Nonce, now)
	err = e.writeTenure(tr, &v, &next)
	return next, true, err
}

// intentStands reports whether the author of the challenge that stands may
// preempt, or the target of the transfer may lead, by its candidate record.
func (v *view) intentStands() bool {
	if !v.config.ElectionEnabled || v.other == nil || v.other.Identity != v.intent.Identity || v.other.Role != Voter {
		return false
	}
	return v.intent.Kind == TransferRequest || v.config.AllowPreemption && v.other.Priority > v.leader.Priority
}

func (e *LeaderElection) loadHandover(tr kv.Transaction, token Token, to string, nonce uuid.UUID) (view, error) {
	if nonce == uuid.Nil {
		return view{}, fdbelection.ErrNoNonce
	}
	load := e.begin(tr)
	load.of(token.ID)
	load.other(to)
	v, err := load.await()
	if err == nil {
		err = v.decidable()
	}
	return v, err
}

// handedOver reports whether a hand-over by this nonce has been done already:
// the seat stands in the term after the token's with it, or did. Where the
// token's own tenure stands, it was not.
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
