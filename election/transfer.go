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
// closure, or take that of the request: run again after an unknown commit the
// transfer recognises its own success by it. In a disabled election it resigns
// instead. It returns the leader record that stands then.
//
// Errors: ErrNotLeader, ErrProcessNotFound and ErrNotVoting (of the target),
// ErrInvalidCandidate, ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) TransferLeadership(tr kv.Transaction, token Token, to string, nonce uuid.UUID, now time.Time) (Leader, error) {
	if err := validateID(to); err != nil {
		return Leader{}, err
	}
	if to == token.ID {
		return Leader{}, alreadyHolds(to)
	}
	v, err := e.loadHandover(tr, token, to, nonce)
	if err != nil {
		return Leader{}, err
	}
	if done, err := e.handedOver(tr, &v, token, nonce); done || err != nil {
		return v.leader, err
	}
	if !v.config.ElectionEnabled {
		return e.vacate(tr, &v, "transfer in a disabled election", now)
	}
	if err := v.mayReceive(to); err != nil {
		return Leader{}, err
	}
	next := v.handover(v.other, OriginTransfer, nonce, now)
	return next, e.writeTenure(tr, &v, &next)
}

// YieldToChallenger hands the seat of exactly the tenure of token to the
// author of a challenge, if it still stands and is still legal: preemption is
// allowed, the tenure is older than the minimum by the holder's own clock, and
// the challenger is registered under the same incarnation, voting, and of a
// strictly higher priority. It is the holder's own act, as TransferLeadership
// is, and the nonce serves as it does there.
//
// It returns the leader record that stands then, and whether the seat was
// handed over. A challenge that is void (its author gone, restarted, demoted
// or outranked) is removed, and the holder stays; one that was replaced
// meanwhile is left for the holder's next look.
//
// Errors: ErrNotLeader, ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) YieldToChallenger(tr kv.Transaction, token Token, challenge Intent, nonce uuid.UUID, now time.Time) (Leader, bool, error) {
	if err := challenge.Validate(); err != nil {
		return Leader{}, false, err
	}
	v, err := e.loadHandover(tr, token, challenge.ID, nonce)
	if err != nil {
		return Leader{}, false, err
	}
	if done, err := e.handedOver(tr, &v, token, nonce); done || err != nil {
		return v.leader, done, err
	}
	switch {
	case v.intent.Nonce != challenge.Nonce || !v.intent.by(challenge.Identity):
		return v.leader, false, nil // another one stands now, or none
	case !v.intent.about(v.leader.Term), !v.challengeStands():
		if err := conflictOn(tr, e.keys.intent, e.keys.leader); err != nil {
			return Leader{}, false, err
		}
		tr.Clear(e.keys.intent)
		return v.leader, false, nil
	case now.Sub(v.leader.AcquiredAt) < protection(&v):
		return v.leader, false, nil // too early; it may be repeated
	}
	next := v.handover(v.other, OriginPreemption, nonce, now)
	return next, true, e.writeTenure(tr, &v, &next)
}

// challengeStands reports whether the author of the intent that stands may
// preempt, by its candidate record.
func (v *view) challengeStands() bool {
	return v.config.ElectionEnabled && v.config.AllowPreemption &&
		v.other != nil && v.other.Identity == v.intent.Identity &&
		v.other.Role == Voter && v.other.Priority > v.leader.Priority
}

func (e *LeaderElection) loadHandover(tr kv.Transaction, token Token, to string, nonce uuid.UUID) (view, error) {
	if nonce == uuid.Nil {
		return view{}, errNoNonce
	}
	load := e.begin(tr)
	load.of(token.ID)
	load.other(to)
	return load.await()
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
		if value != nil {
			if event, err := e.keys.decodeEvent(key, value); err != nil || event.Nonce == nonce {
				return err == nil, err
			}
		}
	}
	return false, fmt.Errorf("%w in %s", fdbelection.ErrNotLeader, token)
}
