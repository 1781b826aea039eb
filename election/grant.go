package election

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Grantable reports whether what the result of the holder's own cycle says is
// asked of it can be granted now: a challenger or a successor that is gone, has
// restarted, is an observer or does not outrank the holder is no reason to end
// any work. Ask it in the transaction of the cycle, before the work is told to
// stop; Yield asks again once it has.
//
// With Observed, the age of the tenure is judged by what the holder has seen of it,
// as the cycles of others do; without, by its wall clock.
//
// It reads the candidate that is concerned, serialisably, and nothing where
// nothing is asked. Errors: ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) Grantable(tr kv.Transaction, result *CycleResult, now time.Time, opts ...CycleOption) (bool, error) {
	switch result.Intent.Kind {
	case IntentResign:
		return true, nil
	case IntentChallenge, IntentTransfer:
	default:
		return false, nil
	}
	load := load{election: e, tr: tr}
	author := load.candidate(result.Intent.ID)
	other, err := author.await()
	if err != nil {
		return false, err
	}
	v := view{config: result.Config, leader: result.Leader, intent: result.Intent, other: other}
	if !v.intentStands() {
		return false, nil
	}
	c := newContender(Registration{Identity: v.leader.Identity}, now, opts)
	return v.intent.Kind != IntentChallenge || !protected(&v, tenureAge(&v, &c)), nil
}
