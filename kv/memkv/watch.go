package memkv

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
)

// Watch is a registered watch, as hooks see it.
type Watch struct {
	db       *DB
	item     *item
	expected []byte // nil means that the key is absent
	notify   func(error)

	// Client, Transaction and Label identify the transaction. Key is the watched
	// key.
	Client      string
	Transaction uint64
	Label       string
	Key         []byte
}

// watchList counts the outstanding watches.
type watchList struct {
	outstanding int
}

// addWatch registers a watch, and reports whether the key has already changed.
// db.mu is held.
func (db *DB) addWatch(w *Watch) (changed bool, err error) {
	if db.watches.outstanding >= db.opts.MaxWatches {
		return false, kv.Error{Code: kv.CodeTooManyWatches}
	}
	w.item = db.item(w.Key)
	w.item.watches = append(w.item.watches, w)
	db.watches.outstanding++
	return !sameValue(w.item.newest(), w.expected), nil
}

// removeWatch removes a watch, and reports whether it was registered. db.mu is
// held.
func (db *DB) removeWatch(w *Watch) bool {
	if w.item == nil {
		return false
	}
	i := slices.Index(w.item.watches, w)
	if i < 0 {
		return false
	}
	w.item.watches = slices.Delete(w.item.watches, i, i+1)
	db.watches.outstanding--
	if len(w.item.watches) == 0 && len(w.item.cells) == 0 {
		db.garbage.push(db.clock.version, w.item) // the item may no longer be needed
	}
	return true
}

// Notify ends the watch. If err is nil, it fires, whether or not the key has
// changed. Otherwise it fails with err. Notify does nothing if the watch is over or
// not yet registered, as in Hooks.Before of its own CallWatch.
func (w *Watch) Notify(err error) {
	w.db.mu.Lock()
	active := w.db.removeWatch(w)
	w.db.mu.Unlock()
	if active {
		w.notify(err)
	}
}

// stop removes the watch without a notification.
func (w *Watch) stop() {
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	w.db.removeWatch(w)
}

// fireTouched adds the watches whose key the commit has changed to db.fired. db.mu
// is held.
func (db *DB) fireTouched() {
	for _, it := range db.touched {
		for _, w := range it.watches {
			if !sameValue(it.newest(), w.expected) {
				db.fired = append(db.fired, w)
			}
		}
	}
	clear(db.touched)
	db.touched = db.touched[:0]
}

// takeFired returns the watches to notify, and clears db.fired. db.mu is held.
func (db *DB) takeFired() []*Watch {
	if len(db.fired) == 0 {
		return nil
	}
	fired := slices.Clone(db.fired)
	clear(db.fired)
	db.fired = db.fired[:0]
	return fired
}

// notifyFired notifies the watches, except those that Hooks.Changed holds back.
// db.mu is not held.
func (db *DB) notifyFired(fired []*Watch) {
	for _, w := range fired {
		if db.hooks != nil && db.hooks.Changed != nil && !db.hooks.Changed(w) {
			continue
		}
		w.Notify(nil)
	}
}

// sameValue compares two values. A nil value means that the key is absent.
func sameValue(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
