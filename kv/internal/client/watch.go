package client

import (
	"bytes"
	"sync"

	"github.com/fdbelection/fdbelection/kv"
)

// watch implements kv.Watch. Before the commit, an own write may fire it and the
// end of the transaction may fail it. After the commit, the store decides. It holds
// no reference to the transaction.
type watch struct {
	key  []byte
	done chan struct{}

	mu       sync.Mutex
	finished bool
	err      error
	stop     func()

	// Used before the commit and guarded by the transaction's lock: the read of the
	// value, and the first own write since.
	read    *read
	written bool
	value   []byte // the value written; nil means cleared
}

var _ kv.Watch = (*watch)(nil)

// Watch implements kv.Transaction.
func (tr *Transaction) Watch(key []byte) kv.Watch {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	w := &watch{done: make(chan struct{})}
	if err := tr.useError(); err != nil {
		w.finish(err)
		return w
	}
	switch {
	case isSystemKey(key):
		w.finish(kv.Error{Code: kv.CodeKeyOutsideLegalRange})
		return w
	case len(key) > MaxKeySize:
		w.finish(kv.Error{Code: kv.CodeKeyTooLarge})
		return w
	}
	w.read = tr.startGet(key, false)
	w.key = w.read.Key
	if w.read.done && w.read.err != nil { // only the commit determines the value
		w.finish(w.read.err)
		return w
	}
	tr.watches = append(tr.watches, w)
	return w
}

// ownChange tells the watches in [begin, end), or of begin if end is nil, about an
// own write. They fire if the new value differs from the one watched. If known is
// false, only the commit determines the value, and they always fire.
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

// compareOwn fires the watches whose key was written before its value was read, if
// the two values differ. It fails those whose read failed.
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

// failWatches fails all watches that the commit has not activated.
func (tr *Transaction) failWatches(err error) {
	for _, w := range tr.watches {
		w.finish(err)
	}
	tr.watches = nil
}

// activate registers the watches with the store. The transaction's lock must not be
// held, because the store may call back at once.
func (tr *Transaction) activate(life *lifetime, watches []*watch, version int64) {
	for _, w := range watches {
		if w.isFinished() {
			continue
		}
		stop, err := tr.store.Watch(tr.parent, w.key, w.read.Value, version, w.finish)
		if err != nil {
			w.finish(asError(life, err))
			continue
		}
		w.setStop(stop)
		w.key, w.read, w.value = nil, nil, nil // they would keep the memory of the transaction
	}
}

// finish ends the watch. Later calls do nothing.
func (w *watch) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.finished {
		w.finished, w.err = true, err
		close(w.done)
	}
}

func (w *watch) isFinished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finished
}

// setStop sets the store's stop function, or calls it if the watch is already over.
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

// sameValue compares two values. A nil value means that there is no key.
func sameValue(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
