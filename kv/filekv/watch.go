package filekv

import (
	"bytes"
	"context"
	"os"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// watches are the outstanding watches of a store. One goroutine serves them
// all: it waits for a signal (see signal.go), reads every watched key at once, and
// compares.
type watches struct {
	store *store
	open  func(path string, mode os.FileMode) notifier
	look  time.Duration // how often to look without a signal

	mu       sync.Mutex
	byKey    map[string]map[*watch]struct{}
	count    int
	fresh    bool // there are watches whose key was never compared
	closed   bool
	notifier notifier      // nil until the first watch
	done     chan struct{} // closed when the goroutine has ended
}

// watch waits for another value than the expected one; nil is no key.
type watch struct {
	expected []byte
	notify   func(error)
}

// Where a look at the store failed, the next one comes after firstLookRetry,
// then twice that, and so on up to lastLookRetry.
const (
	firstLookRetry = 20 * time.Millisecond
	lastLookRetry  = time.Second
)

// Watch implements client.Store.
func (s *store) Watch(ctx context.Context, key, expected []byte, _ int64, notify func(error)) (stop func(), err error) {
	if err := ended(ctx, s.closing); err != nil {
		return nil, s.gaveUp("not begun", err)
	}
	return s.watches.add(string(key), &watch{expected: clone(expected), notify: notify})
}

// add registers a watch, and starts the goroutine with the first one. Whether
// the key has changed already is for the goroutine to find out.
func (ws *watches) add(key string, w *watch) (stop func(), err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	switch {
	case ws.closed:
		return nil, ws.store.gaveUp("not begun", ErrClosed)
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
	ws.fresh = true
	ws.notifier.wake()
	return func() { ws.remove(key, w) }, nil
}

// remove takes a watch off the list; false where it was off.
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
				w.notify(ws.store.gaveUp("watch ended", ErrClosed))
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

// take returns what is outstanding, and whether some of it is new.
func (ws *watches) take() (keys []watchedKey, fresh, closed bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key, list := range ws.byKey {
		k := watchedKey{key: key, watches: make([]*watch, 0, len(list))}
		for w := range list {
			k.watches = append(k.watches, w)
		}
		keys = append(keys, k)
	}
	fresh, ws.fresh = ws.fresh, false
	return keys, fresh, ws.closed
}

// serve compares the watched keys whenever the store may have changed.
func (ws *watches) serve() {
	defer close(ws.done)
	var (
		seen    uint64
		settled bool // the last look at the store succeeded
		retry   = firstLookRetry
	)
	for {
		keys, fresh, closed := ws.take()
		if closed {
			return
		}
		wait := ws.look
		// Followed before the keys are read: what changes after that is signalled.
		if !ws.notifier.follow(signalsOf(keys)) {
			wait = min(wait, pollEvery)
		}
		if len(keys) > 0 {
			// Asked for before the keys are read: what changes after that is seen
			// by the next look.
			generation, ok := ws.store.generation()
			if fresh || !settled || !ok || generation != seen {
				settled = ok && ws.compare(keys)
				seen = generation
			}
			if settled {
				retry = firstLookRetry
			} else {
				wait, retry = retry, min(2*retry, lastLookRetry)
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

// compare reads the keys and fires what has changed; false where they cannot
// be read now.
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

// sameValue compares two values, of which nil is no value at all.
func sameValue(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
