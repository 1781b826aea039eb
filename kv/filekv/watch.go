package filekv

import (
	"bytes"
	"context"
	"os"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// watches holds the outstanding watches of a store. One goroutine serves all of them.
// It waits for a signal (see signal.go), reads all watched keys, and compares their
// values.
type watches struct {
	store    *store
	open     func(path string, mode os.FileMode) notifier
	interval time.Duration // of the checks without a signal

	mu       sync.Mutex
	byKey    map[string]map[*watch]struct{}
	count    int
	added    bool // there are watches whose key was not compared yet
	closed   bool
	notifier notifier      // nil until the first watch
	done     chan struct{} // closed when the goroutine has ended
}

// watch waits until the value of a key differs from the expected one, which is nil if
// the key does not exist.
type watch struct {
	expected []byte
	notify   func(error)
}

// If the keys cannot be read, the time between two attempts starts with
// firstCheckRetry and doubles up to lastCheckRetry.
const (
	firstCheckRetry = 20 * time.Millisecond
	lastCheckRetry  = time.Second
)

// Watch implements client.Store.
func (s *store) Watch(ctx context.Context, key, expected []byte, _ int64, notify func(error)) (stop func(), err error) {
	if err := waitError(ctx, s.closing); err != nil {
		return nil, s.cancelled("not started", err)
	}
	return s.watches.add(string(key), &watch{expected: clone(expected), notify: notify})
}

// add registers a watch. The first watch starts the goroutine, which also finds out
// whether the key has already changed.
func (ws *watches) add(key string, w *watch) (stop func(), err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	switch {
	case ws.closed:
		return nil, ws.store.cancelled("not started", ErrClosed)
	case ws.count >= ws.store.opts.MaxWatches:
		return nil, kv.Error{Code: kv.CodeTooManyWatches}
	}
	if ws.notifier == nil {
		ws.byKey = make(map[string]map[*watch]struct{})
		ws.notifier = ws.open(ws.store.path, ws.store.opts.Mode)
		ws.done = make(chan struct{})
		go ws.serve()
	}
	if ws.byKey[key] == nil {
		ws.byKey[key] = make(map[*watch]struct{})
	}
	ws.byKey[key][w] = struct{}{}
	ws.count++
	ws.added = true
	ws.notifier.wake()
	return func() { ws.remove(key, w) }, nil
}

// remove removes a watch. It returns false if the watch was already removed.
func (ws *watches) remove(key string, w *watch) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, ok := ws.byKey[key][w]; !ok {
		return false
	}
	delete(ws.byKey[key], w)
	if len(ws.byKey[key]) == 0 {
		delete(ws.byKey, key)
	}
	ws.count--
	return true
}

// close fails all watches and ends the goroutine.
func (ws *watches) close() {
	ws.mu.Lock()
	ws.closed = true
	started := ws.notifier != nil
	if started {
		ws.notifier.wake()
	}
	ws.mu.Unlock()
	if !started {
		return
	}
	<-ws.done
	everything, _, _ := ws.take()
	for _, k := range everything {
		for _, w := range k.watches {
			if ws.remove(k.key, w) {
				w.notify(ws.store.cancelled("watch ended", ErrClosed))
			}
		}
	}
	ws.notifier.close()
}

// watchedKey is a key with its watches.
type watchedKey struct {
	key     string
	watches []*watch
}

// take returns the outstanding watches and whether some are new.
func (ws *watches) take() (keys []watchedKey, added, closed bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key, list := range ws.byKey {
		k := watchedKey{key: key, watches: make([]*watch, 0, len(list))}
		for w := range list {
			k.watches = append(k.watches, w)
		}
		keys = append(keys, k)
	}
	added, ws.added = ws.added, false
	return keys, added, ws.closed
}

// serve compares the watched keys whenever the store may have changed.
func (ws *watches) serve() {
	defer close(ws.done)
	var (
		seen    uint64
		checked bool // the last comparison succeeded
		retry   = firstCheckRetry
	)
	for {
		keys, added, closed := ws.take()
		if closed {
			return
		}
		wait := ws.interval
		// The signal files are followed before the keys are read, so later changes cause
		// a signal.
		if !ws.notifier.follow(signalsOf(keys)) {
			wait = min(wait, pollInterval)
		}
		if len(keys) > 0 {
			// The generation is read before the keys, so the next iteration sees later
			// changes.
			generation, ok := ws.store.generation()
			if added || !checked || !ok || generation != seen {
				checked = ok && ws.compare(keys)
				seen = generation
			}
			if checked {
				retry = firstCheckRetry
			} else {
				wait, retry = retry, min(2*retry, lastCheckRetry)
			}
		}
		ws.notifier.wait(wait)
	}
}

// signalsOf returns the signal files of watched keys.
func signalsOf(keys []watchedKey) *signalSet {
	var set signalSet
	for _, k := range keys {
		set.add([]byte(k.key))
	}
	return &set
}

// compare reads the keys and fires the watches of those that have changed. It returns
// false if the keys cannot be read now.
func (ws *watches) compare(keys []watchedKey) bool {
	values, err := access(context.Background(), ws.store, shared, func(*attempt) ([][]byte, error) {
		return ws.store.newest(keys)
	})
	if err != nil {
		return false
	}
	for i, k := range keys {
		for _, w := range k.watches {
			if !sameValue(values[i], w.expected) && ws.remove(k.key, w) {
				w.notify(nil)
			}
		}
	}
	return true
}

// newest returns the newest values of watched keys. The store is locked.
func (s *store) newest(keys []watchedKey) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := s.view(s.id, func(b *buckets) error {
		p := past{data: b.data}
		for i, k := range keys {
			values[i] = p.get([]byte(k.key))
		}
		return nil
	})
	return values, err
}

// sameValue compares two values. nil, which means no key, differs from an empty value.
func sameValue(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
