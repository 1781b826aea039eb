package memkv

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
)

// Watch is an active watch, as hooks see it.
type Watch struct {
	db       *DB
	item     *item
	expected []byte // nil: no key
	notify   func(error)

	// Client, Transaction and Label tell whose watch it is, Key what it watches.
	Client      string
	Transaction uint64
	Label       string
	Key         []byte
}

// watchList counts the watches that are outstanding.
type watchList struct {
	outstanding int
}

// addWatch registers a watch, or reports that the key has changed already.
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

// removeWatch takes a watch off the list. It reports false where it was off,
// or not yet on it. db.mu is held.
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
		db.garbage.push(db.clock.version, w.item) // look whether it is of use to anybody
	}
	return true
}

// Notify ends the watch: with nil it fires, whether or not the key has changed;
// with an error it fails. It does nothing to a watch that is over, or that the
// store does not have yet, as in Hooks.Before of its own CallWatch.
func (w *Watch) Notify(err error) {
	w.db.mu.Lock()
	active := w.db.removeWatch(w)
	w.db.mu.Unlock()
	if active {
		w.notify(err)
	}
}

// stop ends the watch without a word.
func (w *Watch) stop() {
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	w.db.removeWatch(w)
}

// fireTouched puts the watches whose key the commit has changed on db.fired.
// db.mu is held.
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

// takeFired returns the watches to notify. db.mu is held.
func (db *DB) takeFired() []*Watch {
	if len(db.fired) == 0 {
		return nil
	}
	fired := slices.Clone(db.fired)
	clear(db.fired)
	db.fired = db.fired[:0]
	return fired
}

// notifyFired tells the watches, unless a hook holds them back. db.mu is free.
func (db *DB) notifyFired(fired []*Watch) {
	for _, w := range fired {
		if db.hooks != nil && db.hooks.Changed != nil && !db.hooks.Changed(w) {
			continue
		}
		w.Notify(nil)
	}
}

// sameValue compares two values, of which nil is no value at all.
func sameValue(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
