package kvtest

import (
	"maps"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/kv"
)

// modelKeys are the keys of a random history, each with the gap between it and
// the next one behind it. A range is a set of these: what lies in the gaps can
// conflict, although it is never there.
var modelKeys = strings.Split("a a+ b b+ c c+ d d+ e e+ f f+ g g+", " ")

// model is a database in a few lines: every state it ever had, and what each
// commit wrote. It runs one step at a time.
type model struct {
	states []map[string]string   // states[i] is what stands after i commits
	wrote  []map[string]struct{} // wrote[i] led from states[i] to states[i+1]
}

func newModel() *model {
	return &model{states: []map[string]string{{}}}
}

// modelTransaction is a transaction of the model.
type modelTransaction struct {
	db      *model
	version int               // index into states; -1: none taken yet
	own     map[string]string // own writes; absent: cleared
	wrote   bool
	reads   map[string]struct{} // read conflicts
	writes  map[string]struct{} // write conflicts
}

func (db *model) begin() *modelTransaction {
	return &modelTransaction{
		db: db, version: -1,
		own: map[string]string{}, reads: map[string]struct{}{}, writes: map[string]struct{}{},
	}
}

// state takes a version where there is none yet.
func (tr *modelTransaction) state() map[string]string {
	if tr.version < 0 {
		tr.version = len(tr.db.states) - 1
	}
	return tr.db.states[tr.version]
}

// value is what the transaction sees at a key.
func (tr *modelTransaction) value(key string) string {
	stored, found := tr.state()[key]
	if !found {
		stored = absent
	}
	if own, ok := tr.own[key]; ok {
		return own
	}
	return stored
}

// depend adds a read conflict, unless an own write answers for the key.
func (tr *modelTransaction) depend(key string) {
	if _, own := tr.own[key]; !own {
		tr.reads[key] = struct{}{}
	}
}

func (tr *modelTransaction) get(key string, snapshot bool) string {
	if !snapshot {
		tr.depend(key)
	}
	return tr.value(key)
}

// scan reads keys, of which a limited one depends on no more than it saw.
func (tr *modelTransaction) scan(keys []string, opts kv.RangeOptions, snapshot bool) string {
	tr.state()
	if opts.Reverse {
		keys = slices.Clone(keys)
		slices.Reverse(keys)
	}
	var rows []string
	for _, key := range keys {
		if !snapshot {
			tr.depend(key)
		}
		if value := tr.value(key); value != absent {
			rows = append(rows, key+"="+value)
		}
		if opts.Limit > 0 && len(rows) == opts.Limit {
			break
		}
	}
	return strings.Join(rows, " ")
}

// write sets keys to a value, or clears them where it is absent.
func (tr *modelTransaction) write(value string, keys ...string) {
	tr.wrote = tr.wrote || len(keys) > 0
	for _, key := range keys {
		tr.own[key] = value
		tr.writes[key] = struct{}{}
	}
}

// commit reports whether the transaction commits.
func (tr *modelTransaction) commit() bool {
	if !tr.wrote && len(tr.writes) == 0 {
		return true
	}
	if tr.version >= 0 {
		for _, wrote := range tr.db.wrote[tr.version:] {
			for key := range wrote {
				if _, read := tr.reads[key]; read {
					return false
				}
			}
		}
	}
	next := maps.Clone(tr.db.states[len(tr.db.states)-1])
	for key, value := range tr.own {
		if value == absent {
			delete(next, key)
		} else {
			next[key] = value
		}
	}
	tr.db.states = append(tr.db.states, next)
	tr.db.wrote = append(tr.db.wrote, tr.writes)
	return true
}
