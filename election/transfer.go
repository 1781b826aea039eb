package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/kv"
)

// TransferLeadership hands leadership from the holder of exactly the tenure of token to
// another voter, in a new term. Only the holder may call it, after its work has ended. The
// successor has to accept with its first renewal, before a short lease ends
// (Config.AcceptanceLease). It is protected from preemption for one lease.
//
// The nonce names the new tenure. Choose it outside of the transaction's closure. A run
// after an unknown result recognises its own success by it. If later terms have begun, it
// looks for the nonce in the history. If the history does not go back that far
// (Config.HistoryLimit), the error is ErrNotLeader and says that an earlier run may have
// succeeded. The tenure of token has ended in any case.
//
// It returns the leader record after that. In a disabled election it resigns instead. To do
// what a transfer request asks, use HandOver.
//
// Errors: ErrNotLeader, ErrProcessNotFound, ErrNotVoting and ErrNotReady (of the target),
// ErrInvalidCandidate, ErrNoNonce, ErrNotInitialized, ErrRegistrationPending,
// ErrInvalidState.
func (e *LeaderElection) TransferLeadership(tr kv.Transaction, token Token, to string, nonce uuid.UUID, now time.Time) (LeaderRecord, error) {
	if err := validateID(to); err != nil {
		return LeaderRecord{}, err
	}
	if to == token.ID {
		return LeaderRecord{}, alreadyHolds(to)
	}
	v, err := e.readForHandOver(tr, token, to, nonce)
	if err != nil {
		return LeaderRecord{}, err
	}
	if !v.config.ElectionEnabled && v.leader.vacatedBy(token) {
		return v.leader, nil // an earlier run has resigned
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
	next := v.handOver(v.other, AcquireTransfer, nonce, now)
	err = e.writeTenure(tr, &v, &next)
	return next, err
}
