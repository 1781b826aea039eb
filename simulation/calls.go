package simulation

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// latency is how long a message takes.
func (w *World) latency() time.Duration {
	if w.exact && w.scheduleRand.IntN(2) == 0 {
		return 0
	}
	d := time.Duration(w.scheduleRand.Int64N(int64(2 * time.Millisecond)))
	switch n := w.scheduleRand.IntN(64); {
	case n == 0 && w.quiet == 0:
		d += time.Duration(w.scheduleRand.Int64N(int64(200 * time.Millisecond)))
	case n <= 3:
		d += time.Duration(w.scheduleRand.Int64N(int64(20 * time.Millisecond)))
	}
	if w.chance(Slow) {
		w.count(Slow)
		d += w.span(Slow, 2*w.config.LeaseDuration)
	}
	return d
}

// before is the way of a call to the database, and what goes wrong with it.
func (w *World) before(ctx context.Context, call *memkv.Call) error {
	t := taskOf(ctx)
	if t == nil { // of the checker
		return nil
	}
	if t.killed {
		return t.ctx.err
	}
	w.interrupt(t)
	recoveries := w.recoveries
	if err := w.way(t, call); err != nil {
		return err
	}
	if recoveries != w.recoveries && call.Kind == memkv.CallCommit {
		w.situation("commit lost in a recovery")
		return w.answered(t, w.unknown(call))
	}
	if err := w.fault(call); err != nil {
		return w.answered(t, err)
	}
	return nil
}

// fault is the error that a call gets in place of an answer, or nil.
func (w *World) fault(call *memkv.Call) error {
	switch call.Kind {
	case memkv.CallCommit:
		switch {
		case w.chance(Refused):
			w.count(Refused)
			codes := [...]int{kv.CodeNotCommitted, kv.CodeNotCommitted, kv.CodeTransactionTooOld, kv.CodeCommitProxyMemory}
			return kv.Error{Code: codes[w.pick(Refused, len(codes))], Committing: true}
		case w.chance(Unknown):
			w.count(Unknown)
			return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true} // and never applied
		case w.chance(Unsettled):
			w.count(Unsettled)
			w.landLater(call)
			codes := [...]int{kv.CodeTransactionTimedOut, kv.CodeClusterVersionChanged}
			return kv.Error{Code: codes[w.pick(Unsettled, len(codes))], Committing: true}
		case w.chance(Busy):
			w.count(Busy)
			codes := [...]int{kv.CodeFutureVersion, kv.CodeProcessBehind, kv.CodeDatabaseLocked, kv.CodeTagThrottled}
			return kv.Error{Code: codes[w.pick(Busy, len(codes))], Committing: true}
		}
	case memkv.CallRead, memkv.CallReadVersion:
		if w.chance(ReadError) {
			w.count(ReadError)
			codes := [...]int{kv.CodeTransactionTooOld, kv.CodeFutureVersion, kv.CodeProcessBehind, kv.CodeDatabaseLocked, kv.CodeTagThrottled}
			return kv.Error{Code: codes[w.pick(ReadError, len(codes))]}
		}
	case memkv.CallWatch:
		if w.chance(WatchFails) {
			w.count(WatchFails)
			return kv.Error{Code: kv.CodeTooManyWatches}
		}
	}
	return nil
}

// interrupt pauses or ends the process between two of its calls: between a read
// and a decision, a decision and a commit, a commit and its answer.
func (w *World) interrupt(t *task) {
	p := t.process
	switch {
	case !p.alive || p == w.operator:
	case w.chance(Stall):
		w.count(Stall)
		p.pause(w.pauseLength(p, Stall))
		_ = t.wait(0, true)
	case !p.application && w.chance(Death):
		w.count(Death)
		p.crash()
	}
}

// pauseLength is up to three leases, or ends within a nanosecond of the end of a
// lease or of the belief of the process.
func (w *World) pauseLength(p *process, kind Fault) time.Duration {
	d := w.span(kind, 3*w.config.LeaseDuration)
	end := p.belief.End
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
			return w.seatAt + leader.LeaseDuration - w.now + off
		}
	}
	return d
}

// way waits until a call has reached the database. Where its sender gives up or
// dies meanwhile, a commit may arrive all the same.
func (w *World) way(t *task, call *memkv.Call) error {
	p := t.process
	err := t.wait(w.latency(), false)
	for err == nil && p.deafUntil > w.now {
		err = t.wait(p.deafUntil-w.now, false)
	}
	if err != nil && call.Kind == memkv.CallCommit && w.scheduleRand.IntN(2) == 0 {
		w.situation("commit of one who gave up")
		w.landLater(call)
	}
	return err
}

// answered is the way of an answer back. A process that is paused, or cut off,
// does not get it before that is over.
func (w *World) answered(t *task, answer error) error {
	err := t.wait(w.latency(), true)
	for err == nil && t.process.blindUntil > w.now {
		err = t.wait(t.process.blindUntil-w.now, true)
	}
	if err != nil && kv.OutcomeOf(answer) == kv.NotCommitted {
		return err // it never learns that it may be sure
	}
	return answer
}

// unknown answers a commit with 1021, applied or not.
func (w *World) unknown(call *memkv.Call) error {
	if w.scheduleRand.IntN(2) == 0 {
		_, _ = call.Detach().Land()
	}
	return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
}

// landLater has a commit arrive within 5 seconds, or never.
func (w *World) landLater(call *memkv.Call) {
	late := call.Detach()
	if w.scheduleRand.IntN(4) == 0 {
		return
	}
	most := 5 * time.Second
	if w.scheduleRand.IntN(2) == 0 { // before anybody else has done anything
		most = 50 * time.Millisecond
	}
	w.after(time.Duration(w.scheduleRand.Int64N(int64(most))), func() {
		if _, err := late.Land(); err != nil {
			w.situation("late commit refused")
		}
	})
}

// afterCall is the way of an answer back.
func (w *World) afterCall(ctx context.Context, call *memkv.Call) error {
	t := taskOf(ctx)
	if t == nil {
		return nil
	}
	if t.killed {
		return t.ctx.err
	}
	if call.Kind == memkv.CallCommit && call.Err == nil {
		if w.chance(Unknown) {
			w.count(Unknown)
			if t.op != nil {
				if t.op.lost++; t.op.lost == 2 {
					w.situation("acknowledgement lost twice")
				}
			}
			return w.answered(t, kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true})
		}
		if t.process.alive && !t.process.application && w.chance(Death) {
			w.count(Death)
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
	for err == nil && t.process.blindUntil > w.now {
		err = t.wait(t.process.blindUntil-w.now, true)
	}
	return err
}

// changed is the news of a watch on its way.
func (w *World) changed(watch *memkv.Watch) bool {
	p := w.clients[watch.Client]
	if p == nil || w.chance(WatchLost) {
		w.count(WatchLost)
		return false
	}
	d := w.latency()
	if w.chance(WatchLate) {
		w.count(WatchLate)
		d += w.span(WatchLate, w.config.LeaseDuration)
	}
	var failure error
	if w.chance(WatchFails) {
		failure = kv.Error{Code: kv.CodeTransactionCancelled}
	}
	w.after(max(d, p.blindUntil-w.now), func() {
		watch.Notify(failure)
		p.lookAtWatches()
	})
	return false
}
