package simulation

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// latency draws how long a message takes.
func (k *kernel) latency() time.Duration {
	if k.instant && k.scheduleRand.IntN(2) == 0 {
		return 0
	}
	d := time.Duration(k.scheduleRand.Int64N(int64(2 * time.Millisecond)))
	switch n := k.scheduleRand.IntN(64); {
	case n == 0 && k.faultFreeSince == 0:
		d += time.Duration(k.scheduleRand.Int64N(int64(200 * time.Millisecond)))
	case n <= 3:
		d += time.Duration(k.scheduleRand.Int64N(int64(20 * time.Millisecond)))
	}
	if k.chance(faultSlow) {
		k.count(faultSlow)
		d += k.span(faultSlow, 2*k.lease)
	}
	return d
}

// beforeCall is the hook before each call to the database. It delays the call and
// injects faults.
func (k *kernel) beforeCall(ctx context.Context, call *memkv.Call) error {
	t := taskOf(ctx)
	if t == nil { // a transaction of the simulator itself
		return nil
	}
	if t.killed {
		return t.ctx.err
	}
	k.interrupt(t)
	recoveries := k.recoveries
	if err := k.reachDatabase(t, call); err != nil {
		return err
	}
	if recoveries != k.recoveries && call.Kind == memkv.CallCommit {
		k.situation("commit lost in a recovery")
		return k.returnAnswer(t, k.unknownResult(call))
	}
	err := k.fault(call)
	if call.Kind == memkv.CallCommit && err == nil && k.model.hunt(t, call) {
		err = kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}
	}
	if t.node.place.failsUntil > k.now {
		err = kv.Error{Code: kv.CodeIOError, Committing: call.Kind == memkv.CallCommit}
	}
	if err != nil {
		return k.returnAnswer(t, err)
	}
	return nil
}

// fault returns the error that a call gets instead of an answer, or nil.
func (k *kernel) fault(call *memkv.Call) error {
	switch call.Kind {
	case memkv.CallCommit:
		switch {
		case k.chance(faultRefused):
			k.count(faultRefused)
			codes := [...]int{kv.CodeNotCommitted, kv.CodeNotCommitted, kv.CodeTransactionTooOld, kv.CodeCommitProxyMemory}
			return kv.Error{Code: codes[k.pick(faultRefused, len(codes))], Committing: true}
		case k.chance(faultUnknown):
			k.count(faultUnknown)
			return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true} // the writes never arrive
		case k.chance(faultUnsettled):
			k.count(faultUnsettled)
			k.landLater(call)
			codes := [...]int{kv.CodeTransactionTimedOut, kv.CodeClusterVersionChanged}
			return kv.Error{Code: codes[k.pick(faultUnsettled, len(codes))], Committing: true}
		case k.chance(faultBusy):
			k.count(faultBusy)
			codes := [...]int{kv.CodeFutureVersion, kv.CodeProcessBehind, kv.CodeDatabaseLocked, kv.CodeTagThrottled}
			return kv.Error{Code: codes[k.pick(faultBusy, len(codes))], Committing: true}
		}
	case memkv.CallRead, memkv.CallReadVersion:
		if k.chance(faultReadError) {
			k.count(faultReadError)
			codes := [...]int{kv.CodeTransactionTooOld, kv.CodeFutureVersion, kv.CodeProcessBehind, kv.CodeDatabaseLocked, kv.CodeTagThrottled}
			return kv.Error{Code: codes[k.pick(faultReadError, len(codes))]}
		}
	case memkv.CallWatch:
		if k.chance(faultWatchFails) {
			k.count(faultWatchFails)
			return kv.Error{Code: kv.CodeTooManyWatches}
		}
	}
	return nil
}

// interrupt may pause or end the process between two calls: between a read and a
// decision, between a decision and a commit, or between a commit and its answer.
func (k *kernel) interrupt(t *task) {
	n := t.node
	switch {
	case !n.alive || n.operator:
	case k.chance(faultStall):
		k.count(faultStall)
		n.pause(k.pauseLength(n, faultStall))
		_ = t.wait(0, true)
	case !n.application && k.chance(faultDeath):
		k.count(faultDeath)
		n.runner.crash()
	}
}

// pauseLength draws a pause of up to three leases. Some pauses end within a nanosecond
// of the end of a lease or of the end deadline of the process.
func (k *kernel) pauseLength(n *node, kind Fault) time.Duration {
	d := k.span(kind, 3*k.lease)
	own, other := n.runner.ends()
	switch off := time.Duration(k.pick(kind, 3) - 1); k.pick(kind, 6) {
	case 0:
		k.situation("paused for a lease to the nanosecond")
		return k.lease + off
	case 1:
		if !own.IsZero() {
			return n.clocks.wait(k.now, own) + off
		}
	case 2:
		if other > 0 {
			return other - k.now + off
		}
	}
	return d
}

// reachDatabase waits until a call has reached the database. If the sender gives up or
// dies meanwhile, its commit may still arrive.
func (k *kernel) reachDatabase(t *task, call *memkv.Call) error {
	n := t.node
	err := t.wait(k.latency(), false)
	for err == nil && n.requestsHeldUntil > k.now {
		err = t.wait(n.requestsHeldUntil-k.now, false)
	}
	if err != nil && call.Kind == memkv.CallCommit && k.scheduleRand.IntN(2) == 0 {
		k.situation("commit after its process gave up")
		k.landLater(call)
	}
	return err
}

// returnAnswer delays an answer on its way back. A process that is paused or cut off
// does not get it until that is over.
func (k *kernel) returnAnswer(t *task, answer error) error {
	err := t.wait(k.latency(), true)
	for err == nil && t.node.repliesHeldUntil > k.now {
		err = t.wait(t.node.repliesHeldUntil-k.now, true)
	}
	if err != nil && kv.OutcomeOf(answer) == kv.NotCommitted {
		return err // the process must not learn that the commit failed
	}
	return answer
}

// unknownResult answers a commit with 1021. The writes are applied or not.
func (k *kernel) unknownResult(call *memkv.Call) error {
	if k.scheduleRand.IntN(2) == 0 {
		_, _ = call.Detach().Land()
	}
	return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
}

// landLater lets a commit arrive within 5 seconds, or never.
func (k *kernel) landLater(call *memkv.Call) {
	if k.scheduleRand.IntN(4) == 0 {
		return
	}
	most := 5 * time.Second
	if k.scheduleRand.IntN(2) == 0 { // before other processes act
		most = 50 * time.Millisecond
	}
	k.landAfter(call.Detach(), time.Duration(k.scheduleRand.Int64N(int64(most))))
}

// landAfter lets a commit arrive after d, unless it has arrived before.
func (k *kernel) landAfter(late *memkv.LateCommit, d time.Duration) {
	k.after(d, func() {
		if _, err := late.Land(); err != nil {
			k.situation("late commit refused")
		}
	})
}

// afterCall is the hook after each call. It may lose the acknowledgement of a commit or
// end the process, and it delays the answer.
func (k *kernel) afterCall(ctx context.Context, call *memkv.Call) error {
	t := taskOf(ctx)
	if t == nil {
		return nil
	}
	if t.killed {
		return t.ctx.err
	}
	if call.Kind == memkv.CallCommit && call.Err == nil {
		if k.chance(faultUnknown) {
			k.count(faultUnknown)
			if t.lost++; t.lost == 2 && t.op != nil {
				k.situation("acknowledgement lost twice")
			}
			return k.returnAnswer(t, kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true})
		}
		if t.node.alive && !t.node.application && k.chance(faultDeath) {
			k.count(faultDeath)
			k.situation("crash between commit and acknowledgement")
			t.node.runner.crash()
			return t.ctx.err
		}
	}
	k.interrupt(t)
	if t.killed {
		return t.ctx.err
	}
	err := t.wait(k.latency(), true)
	for err == nil && t.node.repliesHeldUntil > k.now {
		err = t.wait(t.node.repliesHeldUntil-k.now, true)
	}
	return err
}

// watchChanged is the hook for a watch whose key has changed. It may lose or delay the
// notification.
func (k *kernel) watchChanged(watch *memkv.Watch) bool {
	n := k.nodes[watch.Client]
	if n == nil || k.chance(faultWatchLost) {
		k.count(faultWatchLost)
		return false
	}
	d := k.latency()
	if k.chance(faultWatchLate) {
		k.count(faultWatchLate)
		d += k.span(faultWatchLate, k.lease)
	}
	var failure error
	if k.chance(faultWatchFails) {
		failure = kv.Error{Code: kv.CodeTransactionCancelled}
	}
	k.after(max(d, n.repliesHeldUntil-k.now), func() {
		watch.Notify(failure)
		n.reportEndedWatches()
	})
	return false
}
