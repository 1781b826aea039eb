package election

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// CanHandOver reports whether what the result of the holder's own cycle says is
// asked of it can be granted now: a challenger or a successor that is gone, has
// restarted, is an observer or does not outrank the holder is no reason to end
// any work. It is for callers that pass Observed to their cycles. Ask it in the
// transaction of the cycle, before the work is told to stop; Yield asks again once
// the work has ended.
//
// With Observed, the age of the tenure is judged by what the holder has seen of it,
// as the cycles of others do; without, by its wall clock.
//
// It reads the candidate that is concerned, by snapshot, so that the renewal does
// not conflict with that candidate's heartbeats. Errors: ErrRegistrationPending.
func (e *LeaderElection) CanHandOver(tr kv.Transaction, result *CycleResult, now time.Time, opts ...CycleOption) (bool, error) {
	v := view{config: result.Config, leader: result.Leader, intent: result.Request}
	if err := e.readAuthor(tr, &v); err != nil {
		return false, err
	}
	c := newContender(Registration{Identity: v.leader.Identity}, now, opts)
	return v.legal(&c), nil
}

// readAuthor reads the candidate that the intent of a view names, if it names one,
// by snapshot.
func (e *LeaderElection) readAuthor(tr kv.Transaction, v *view) (err error) {
	if v.intent.Kind != PreemptionRequest && v.intent.Kind != TransferRequest {
		return nil
	}
	load := load{election: e, tr: tr}
	author := load.snapshot(v.intent.ID)
	v.other, v.unreadable.other, err = author.await()
	return err
}
