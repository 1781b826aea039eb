package client

import (
	"bytes"
	"sync"

	"github.com/fdbelection/fdbelection/kv"
)

// watch implements kv.Watch. Its life has two halves: within the transaction,
// where own writes may fire it and the transaction's end may fail it, and after
// the commit, where the store decides. It keeps no reference to the transaction.
type watch struct {
	key  []byte
	done chan struct{}

	mu       sync.Mutex
	finished bool
	err      error
	stop     func()

	// Within the transaction, guarded by its lock: the value that was read, and
	// the first own write since.
	read    *read
	written bool
	value   []byte // what was written; nil: cleared
}

var _ kv.Watch = (*watch)(nil)

// Watch implements kv.Transaction.
func (tr *Transaction) Watch(key []byte) kv.Watch {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	w := &watch{done: make(chan struct{})}
	if err := tr.unusable(); err != nil {
		w.finish(err)
		return w
	}
	switch {
	case outside(key):
		w.finish(kv.Error{Code: kv.CodeKeyOutsideLegalRange})
		return w
	case len(key) > MaxKeySize:
		w.finish(kv.Error{Code: kv.CodeKeyTooLarge})
		return w
	}
	w.read = tr.startGet(key, false)
	w.key = w.read.Key
	if w.read.done && w.read.err != nil { // only the commit decides the value
		w.finish(w.read.err)
		return w
	}
	tr.watches = append(tr.watches, w)
	return w
}

// ownChange tells the watches of [begin, end) (of begin, where end is nil) that
// the transaction itself wrote there. A value other than the one watched fires.
func (tr *Transaction) ownChange(begin, end, value []byte, known bool) {
	for _, w := range tr.watches {
		if end == nil && !bytes.Equal(w.key, begin) {
			continue
		}
		if end != nil && (bytes.Compare(w.key, begin) < 0 || bytes.Compare(w.key, end) >= 0) {
			continue
		}
		if !known || (w.written && !sameValue(w.value, value)) ||
			(w.read.done && !sameValue(w.read.Value, value)) {
			w.finish(nil)
			continue
		}
		w.written, w.value = true, value
	}
}

// compareOwn fires the watches whose key the transaction wrote before the
// value was read, where the two differ.
func (tr *Transaction) compareOwn() {
	for _, w := range tr.watches {
		switch {
		case w.read.done && w.read.err != nil:
			w.finish(w.read.err)
		case w.read.done && w.written && !sameValue(w.value, w.read.Value):
			w.finish(nil)
		}
	}
}

// failWatches ends all watches of the attempt that the commit did not activate.
func (tr *Transaction) failWatches(err error) {
	for _, w := range tr.watches {
		w.finish(err)
	}
	tr.watches = nil
}

// activate hands the watches over to the store. The transaction's lock is not
// held: the store may call back at once.
func (tr *Transaction) activate(life *lifetime, watches []*watch, version int64) {
	for _, w := range watches {
		if w.over() {
			continue
		}
		stop, err := tr.store.Watch(tr.parent, w.key, w.read.Value, version, w.finish)
		if err != nil {
			w.finish(asError(life, err))
			continue
		}
		w.setStop(stop)
		w.read = nil
	}
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

func (w *watch) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finished
}

// setStop keeps the store's stop, or calls it where the watch is over already.
func (w *watch) setStop(stop func()) {
	w.mu.Lock()
	over := w.finished
	if !over {
		w.stop = stop
	}
	w.mu.Unlock()
	if over {
		stop()
	}
}

// Done implements kv.Watch.
func (w *watch) Done() <-chan struct{} { return w.done }

// Err implements kv.Watch.
func (w *watch) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Cancel implements kv.Watch.
func (w *watch) Cancel() {
	w.finish(kv.Error{Code: kv.CodeWatchCancelled})
	w.mu.Lock()
	stop := w.stop
	w.stop = nil
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// sameValue compares two values, of which nil is no value at all.
func sameValue(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
