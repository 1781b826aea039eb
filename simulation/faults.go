package simulation

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// faults are the intensities of one run, in parts of a million of the calls or
// per second. Each seed has a subset of them.
type faults struct {
	readError   int // 1007, 1009, 1037 or 1213 on a read
	conflict    int // 1020 on a commit that would have gone well
	unknown     int // 1021: half of them applied
	detached    int // 1031 or 1039, and the commit lands later, or never
	slow        int // a call takes up to 2 leases
	watchLost   int
	watchLate   int
	watchFails  int
	spurious    int
	crash       int // per second of one process
	pause       int
	partition   int
	clockStep   int
	recovery    int
	operator    int // requests, evictions, changes of config and priority
	maxPPM      int64
	byClock     bool
	preemptGo   bool // a grace of zero
	shortLeases bool
}

// swarm draws a subset of all faults, each with an intensity of its own.
func swarm(r *rand.Rand) faults {
	some := func(most int) int {
		if r.IntN(2) == 0 {
			return 0
		}
		return 1 + r.IntN(most)
	}
	f := faults{
		readError: some(50_000), conflict: some(100_000), unknown: some(100_000), detached: some(60_000),
		slow: some(20_000), watchLost: some(300_000), watchLate: some(500_000), watchFails: some(200_000), spurious: some(200_000),
		crash: some(15_000), pause: some(30_000), partition: some(20_000), clockStep: some(20_000),
		recovery: some(10_000), operator: some(60_000),
	}
	switch r.IntN(4) {
	case 0:
		f.maxPPM = 500
	case 1:
		f.maxPPM = 20_000
	}
	if f.byClock = r.IntN(8) == 0; f.byClock {
		f.maxPPM = 0 // it is right while the clocks agree
	}
	f.preemptGo = r.IntN(6) == 0
	f.shortLeases = r.IntN(4) == 0
	return f
}

// chance reports whether something happens that does so n times in a million.
func (w *World) chance(n int) bool { return n > 0 && w.quiet == 0 && w.faultRand.IntN(1_000_000) < n }

// latency is how long a message takes.
func (w *World) latency() time.Duration {
	d := time.Duration(w.scheduleRand.Int64N(int64(2 * time.Millisecond)))
	switch w.scheduleRand.IntN(64) {
	case 0:
		d += time.Duration(w.scheduleRand.Int64N(int64(200 * time.Millisecond)))
	case 1, 2, 3:
		d += time.Duration(w.scheduleRand.Int64N(int64(20 * time.Millisecond)))
	}
	if w.chance(w.faults.slow) {
		d += time.Duration(w.faultRand.Int64N(int64(2 * w.lease)))
	}
	return d
}

// pendingCommit is a commit on its way.
type pendingCommit struct {
	call *memkv.Call
}

// before is the way of a call to the database.
func (w *World) before(ctx context.Context, call *memkv.Call) error {
	t, _ := ctx.Value(taskKey{}).(*task)
	if t == nil { // of the checker, or of nobody in particular
		return nil
	}
	recoveries := w.recoveries
	if err := w.way(t, call); err != nil {
		return err
	}
	if recoveries != w.recoveries && call.Kind == memkv.CallCommit {
		w.count("1021 by recovery")
		return w.unknown(call)
	}
	switch call.Kind {
	case memkv.CallCommit:
		switch {
		case w.chance(w.faults.conflict):
			w.count("1020")
			return kv.Error{Code: kv.CodeNotCommitted, Committing: true}
		case w.chance(w.faults.unknown):
			w.count("1021, not applied")
			return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
		case w.chance(w.faults.detached):
			w.count("late commit")
			w.landLater(call)
			return kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}
		}
	case memkv.CallRead, memkv.CallReadVersion:
		if w.chance(w.faults.readError) {
			codes := []int{kv.CodeTransactionTooOld, kv.CodeFutureVersion, kv.CodeProcessBehind}
			w.count("read error")
			return kv.Error{Code: codes[w.faultRand.IntN(len(codes))]}
		}
	case memkv.CallWatch:
		if w.chance(w.faults.watchFails) {
			w.count("watch fails")
			return kv.Error{Code: kv.CodeTooManyWatches}
		}
	}
	return nil
}

// way waits until a call has reached the database. Where its sender gives up or
// dies meanwhile, a commit may arrive all the same.
func (w *World) way(t *task, call *memkv.Call) error {
	p := t.process
	t.commits = &pendingCommit{call}
	err := t.wait(w.latency(), false)
	for err == nil && p.cutOffUntil > w.now {
		err = t.wait(p.cutOffUntil-w.now, false)
	}
	t.commits = nil
	if err != nil && call.Kind == memkv.CallCommit && w.faultRand.IntN(2) == 0 {
		w.count("commit of one who gave up")
		w.landLater(call)
	}
	return err
}

// unknown answers a commit with 1021, applied or not.
func (w *World) unknown(call *memkv.Call) error {
	if w.faultRand.IntN(2) == 0 {
		w.landNow(call)
	}
	return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
}

// landLater has a commit arrive within 5 seconds, or never.
func (w *World) landLater(call *memkv.Call) {
	late := call.Detach()
	if w.faultRand.IntN(4) == 0 {
		return
	}
	w.after(time.Duration(w.faultRand.Int64N(int64(5*time.Second))), func() {
		w.land(late)
	})
}

func (w *World) landNow(call *memkv.Call) {
	w.land(call.Detach())
}

// land lets a commit arrive; it may conflict, and nobody is told.
func (w *World) land(late *memkv.LateCommit) {
	_, _ = late.Land()
	w.committed()
}

// afterCall is the way of an answer back.
func (w *World) afterCall(ctx context.Context, call *memkv.Call) error {
	if call.Kind == memkv.CallCommit {
		w.committed()
	}
	t, _ := ctx.Value(taskKey{}).(*task)
	if t == nil {
		return nil
	}
	if call.Kind == memkv.CallCommit && call.Err == nil && w.chance(w.faults.unknown) {
		w.count("1021, applied")
		return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
	}
	p := t.process
	err := t.wait(w.latency(), true)
	for err == nil && p.cutOffUntil > w.now {
		err = t.wait(p.cutOffUntil-w.now, true)
	}
	return err
}

// changed is the news of a watch on its way.
func (w *World) changed(watch *memkv.Watch) bool {
	p := w.processes[watch.Client]
	if p == nil || w.chance(w.faults.watchLost) {
		w.count("watch lost")
		return false
	}
	d := w.latency()
	if w.chance(w.faults.watchLate) {
		d += time.Duration(w.faultRand.Int64N(int64(w.lease)))
	}
	w.after(d, func() {
		watch.Notify(nil)
		p.lookAtWatches()
	})
	return false
}
