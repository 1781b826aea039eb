package simulation

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// latency draws how long a message takes.
func (w *world) latency() time.Duration {
	if w.exact && w.scheduleRand.IntN(2) == 0 {
		return 0
	}
	d := time.Duration(w.scheduleRand.Int64N(int64(2 * time.Millisecond)))
	switch n := w.scheduleRand.IntN(64); {
	case n == 0 && w.faultFreeSince == 0:
		d += time.Duration(w.scheduleRand.Int64N(int64(200 * time.Millisecond)))
	case n <= 3:
		d += time.Duration(w.scheduleRand.Int64N(int64(20 * time.Millisecond)))
	}
	if w.chance(faultSlow) {
		w.count(faultSlow)
		d += w.span(faultSlow, 2*w.config.LeaseDuration)
	}
	return d
}

// beforeCall is the hook before each call to the database. It delays the call and
// injects faults.
func (w *world) beforeCall(ctx context.Context, call *memkv.Call) error {
	t := taskOf(ctx)
	if t == nil { // a transaction of the simulator itself
		return nil
	}
	if t.killed {
		return t.ctx.err
	}
	w.interrupt(t)
	recoveries := w.recoveries
	if err := w.reachDatabase(t, call); err != nil {
		return err
	}
	if recoveries != w.recoveries && call.Kind == memkv.CallCommit {
		w.situation("commit lost in a recovery")
		return w.returnAnswer(t, w.unknownResult(call))
	}
	err := w.fault(call)
	if t.process.host.failsUntil > w.now {
		err = kv.Error{Code: kv.CodeIOError, Committing: call.Kind == memkv.CallCommit}
	}
	if err != nil {
		return w.returnAnswer(t, err)
	}
	return nil
}

// fault returns the error that a call gets instead of an answer, or nil.
func (w *world) fault(call *memkv.Call) error {
	switch call.Kind {
	case memkv.CallCommit:
		switch {
		case w.chance(faultRefused):
			w.count(faultRefused)
			codes := [...]int{kv.CodeNotCommitted, kv.CodeNotCommitted, kv.CodeTransactionTooOld, kv.CodeCommitProxyMemory}
			return kv.Error{Code: codes[w.pick(faultRefused, len(codes))], Committing: true}
		case w.chance(faultUnknown):
			w.count(faultUnknown)
			return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true} // the writes never arrive
		case w.chance(faultUnsettled):
			w.count(faultUnsettled)
			w.landLater(call)
			codes := [...]int{kv.CodeTransactionTimedOut, kv.CodeClusterVersionChanged}
			return kv.Error{Code: codes[w.pick(faultUnsettled, len(codes))], Committing: true}
		case w.chance(faultBusy):
			w.count(faultBusy)
			codes := [...]int{kv.CodeFutureVersion, kv.CodeProcessBehind, kv.CodeDatabaseLocked, kv.CodeTagThrottled}
			return kv.Error{Code: codes[w.pick(faultBusy, len(codes))], Committing: true}
		}
	case memkv.CallRead, memkv.CallReadVersion:
		if w.chance(faultReadError) {
			w.count(faultReadError)
			codes := [...]int{kv.CodeTransactionTooOld, kv.CodeFutureVersion, kv.CodeProcessBehind, kv.CodeDatabaseLocked, kv.CodeTagThrottled}
			return kv.Error{Code: codes[w.pick(faultReadError, len(codes))]}
		}
	case memkv.CallWatch:
		if w.chance(faultWatchFails) {
			w.count(faultWatchFails)
			return kv.Error{Code: kv.CodeTooManyWatches}
		}
	}
	return nil
}

// interrupt may pause or end the process between two calls: between a read and a
// decision, between a decision and a commit, or between a commit and its answer.
func (w *world) interrupt(t *task) {
	p := t.process
	switch {
	case !p.alive || p == w.operator:
	case w.chance(faultStall):
		w.count(faultStall)
		p.pause(w.pauseLength(p, faultStall))
		_ = t.wait(0, true)
	case !p.application && w.chance(faultDeath):
		w.count(faultDeath)
		p.crash()
	}
}

// pauseLength draws a pause of up to three leases. Some pauses end within a nanosecond
// of the end of a lease or of the end deadline of the process.
func (w *world) pauseLength(p *process, kind Fault) time.Duration {
	d := w.span(kind, 3*w.config.LeaseDuration)
	end := p.deadlines.End
	switch off := time.Duration(w.pick(kind, 3) - 1); w.pick(kind, 6) {
	case 0:
		w.situation("paused for a lease to the nanosecond")
		return w.config.LeaseDuration + off
	case 1:
		if !end.IsZero() {
			return p.clocks.wait(w.now, end) + off
		}
	case 2:
		if leader := &w.state.Leader; !leader.Vacant() {
			return w.leaderAt + leader.LeaseDuration - w.now + off
		}
	}
	return d
}

// reachDatabase waits until a call has reached the database. If the sender gives up or
// dies meanwhile, its commit may still arrive.
func (w *world) reachDatabase(t *task, call *memkv.Call) error {
	p := t.process
	err := t.wait(w.latency(), false)
	for err == nil && p.requestsHeldUntil > w.now {
		err = t.wait(p.requestsHeldUntil-w.now, false)
	}
	if err != nil && call.Kind == memkv.CallCommit && w.scheduleRand.IntN(2) == 0 {
		w.situation("commit after its process gave up")
		w.landLater(call)
	}
	return err
}

// returnAnswer delays an answer on its way back. A process that is paused or cut off
// does not get it until that is over.
func (w *world) returnAnswer(t *task, answer error) error {
	err := t.wait(w.latency(), true)
	for err == nil && t.process.repliesHeldUntil > w.now {
		err = t.wait(t.process.repliesHeldUntil-w.now, true)
	}
	if err != nil && kv.OutcomeOf(answer) == kv.NotCommitted {
		return err // the process must not learn that the commit failed
	}
	return answer
}

// unknownResult answers a commit with 1021. The writes are applied or not.
func (w *world) unknownResult(call *memkv.Call) error {
	if w.scheduleRand.IntN(2) == 0 {
		_, _ = call.Detach().Land()
	}
	return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
}

// landLater lets a commit arrive within 5 seconds, or never.
func (w *world) landLater(call *memkv.Call) {
	late := call.Detach()
	if w.scheduleRand.IntN(4) == 0 {
		return
	}
	most := 5 * time.Second
	if w.scheduleRand.IntN(2) == 0 { // before other processes act
		most = 50 * time.Millisecond
	}
	w.after(time.Duration(w.scheduleRand.Int64N(int64(most))), func() {
		if _, err := late.Land(); err != nil {
			w.situation("late commit refused")
		}
	})
}

// afterCall is the hook after each call. It may lose the acknowledgement of a commit or
// end the process, and it delays the answer.
func (w *world) afterCall(ctx context.Context, call *memkv.Call) error {
	t := taskOf(ctx)
	if t == nil {
		return nil
	}
	if t.killed {
		return t.ctx.err
	}
	if call.Kind == memkv.CallCommit && call.Err == nil {
		if w.chance(faultUnknown) {
			w.count(faultUnknown)
			if t.op != nil {
				if t.op.lostAnswers++; t.op.lostAnswers == 2 {
					w.situation("acknowledgement lost twice")
				}
			}
			return w.returnAnswer(t, kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true})
		}
		if t.process.alive && !t.process.application && w.chance(faultDeath) {
			w.count(faultDeath)
			w.situation("crash between commit and acknowledgement")
			t.process.crash()
			return t.ctx.err
		}
	}
	w.interrupt(t)
	if t.killed {
		return t.ctx.err
	}
	err := t.wait(w.latency(), true)
	for err == nil && t.process.repliesHeldUntil > w.now {
		err = t.wait(t.process.repliesHeldUntil-w.now, true)
	}
	return err
}

// watchChanged is the hook for a watch whose key has changed. It may lose or delay the
// notification.
func (w *world) watchChanged(watch *memkv.Watch) bool {
	p := w.clients[watch.Client]
	if p == nil || w.chance(faultWatchLost) {
		w.count(faultWatchLost)
		return false
	}
	d := w.latency()
	if w.chance(faultWatchLate) {
		w.count(faultWatchLate)
		d += w.span(faultWatchLate, w.config.LeaseDuration)
	}
	var failure error
	if w.chance(faultWatchFails) {
		failure = kv.Error{Code: kv.CodeTransactionCancelled}
	}
	w.after(max(d, p.repliesHeldUntil-w.now), func() {
		watch.Notify(failure)
		p.reportEndedWatches()
	})
	return false
}
