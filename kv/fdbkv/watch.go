package fdbkv

import (
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// watch is a kv.Watch on a future of the binding. The binding only has a blocking wait,
// so the first call of Done starts a goroutine that waits. Before that, a watch does not
// use a goroutine and can be garbage collected.
type watch struct {
	scope  *scope
	change fdb.FutureNil
	listen sync.Once

	mu       sync.Mutex
	active   bool // its transaction has committed
	finished bool
	err      error
	done     chan struct{}
}

var _ kv.Watch = (*watch)(nil)

// Watch implements kv.Transaction.
func (t *transaction) Watch(name []byte) (answer kv.Watch) {
	w := &watch{scope: &t.scope, done: make(chan struct{})}
	answer = w
	defer func() {
		if p := recover(); p != nil {
			w.finish(t.failed(panicError(p)))
		}
	}()
	t.requireUsable()
	k := lend(name)
	w.change = t.tr.Watch(k)
	k.done()
	if t.own != nil {
		t.own.watching(w)
	}
	return answer
}

// await waits for the binding.
func (w *watch) await() {
	defer func() {
		if p := recover(); p != nil {
			w.finish(panicError(p))
		}
	}()
	err := w.change.Get()
	if err == nil {
		w.finish(nil)
		return
	}
	switch convert(err).Code {
	case codeOperationCancelled: // by cancelUncommitted
		err = kv.Error{Code: kv.CodeTransactionCancelled}
	case kv.CodeTransactionCancelled, codeBrokenPromise:
		if w.isActive() {
			w.finish(nil) // see activate
			return
		}
	}
	w.finish(w.scope.failed(err))
}

// activate records that the transaction has committed. From then on, the end of the
// transaction does not end the watch. If the client nevertheless reports such an end, it
// has dropped the watch at a change of its key: if a transaction watches a key with
// several values, the client keeps one watch and fails the others (docs/fidelity.md).
// Such a watch fires.
func (w *watch) activate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = true
}

func (w *watch) isActive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active
}

// cancelUncommitted ends a watch whose transaction was reset. If the value of the watch
// is just being read, the client does not end it, so it would fire with the next attempt
// or never. A watch that fired before the reset stays fired, because the client handles
// the cancellation after all earlier requests.
func (w *watch) cancelUncommitted() {
	w.change.Cancel()
	w.await()
}

// finish ends the watch, once.
func (w *watch) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.finished {
		w.finished, w.err = true, err
		close(w.done)
	}
}

// Done implements kv.Watch.
func (w *watch) Done() <-chan struct{} {
	if w.change != nil {
		w.listen.Do(func() { go w.await() })
	}
	return w.done
}

// Err implements kv.Watch.
func (w *watch) Err() error {
	if w.change != nil && w.change.IsReady() {
		w.await() // returns immediately, even if Done was never called
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Cancel implements kv.Watch.
func (w *watch) Cancel() {
	w.finish(kv.Error{Code: kv.CodeWatchCancelled})
	if w.change != nil {
		w.change.Cancel()
	}
}
