package fdbkv

import (
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// watch is a kv.Watch over the binding's future. The binding can only be asked
// to block, so a goroutine waits for it, from the first call of Done on: a
// watch that nobody listens to costs none, and goes with its garbage.
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
			w.finish(t.failed(caught(p)))
		}
	}()
	t.usable()
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
			w.finish(caught(p))
		}
	}()
	err := w.change.Get()
	if err == nil {
		w.finish(nil)
		return
	}
	switch convert(err).Code {
	case codeOperationCancelled: // by giveUp
		err = kv.Error{Code: kv.CodeTransactionCancelled}
	case kv.CodeTransactionCancelled, codeBrokenPromise:
		if w.isActive() {
			w.finish(nil) // see activate
			return
		}
	}
	w.finish(w.scope.failed(err))
}

// activate says that the transaction has committed. From then on nothing that
// happens to the transaction ends the watch. If the client says so all the same,
// it has lost the watch at a change of its key: the client keeps one watch for a
// key and fails the others, if a transaction watches a key with several values
// (docs/fidelity.md). Such a watch fires.
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

// giveUp ends a watch whose transaction was reset. The client would let it be
// where its value was being read just then: it would fire with the next attempt,
// or never. One that has fired before the reset stays so: the cancellation comes
// after everything that was asked of the client until now.
func (w *watch) giveUp() {
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
		w.await() // returns at once, also where nobody has called Done
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
