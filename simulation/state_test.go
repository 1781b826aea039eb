package simulation

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/kv/memkv"
)

// This file identifies the states of a schedule.

// view is what a transaction sees: everything up to its read version.
type view struct {
	writtenSince []memkv.Range     // by all actors
	replaced     map[string]string // what it sees of what was written since; "": nothing
	readAt       time.Duration     // when it got its read version
}

// add adds what a commit has written, and what it has replaced.
func (v *view) add(written []memkv.Range, replaced map[string]string) {
	for key, value := range replaced {
		if _, earlier := v.replaced[key]; !earlier {
			if v.replaced == nil {
				v.replaced = map[string]string{}
			}
			v.replaced[key] = value
		}
	}
	for _, r := range written {
		if !slices.ContainsFunc(v.writtenSince, func(o memkv.Range) bool { return compareRanges(o, r) == 0 }) {
			v.writtenSince = append(v.writtenSince, r)
		}
	}
}

func compareRanges(a, b memkv.Range) int {
	return cmp.Or(bytes.Compare(a.Begin, b.Begin), bytes.Compare(a.End, b.End))
}

// conflicts reports whether a commit with these read conflicts will be refused. Nothing else
// matters then of what others have written.
func (v *view) conflicts(reads []memkv.Range) bool {
	return slices.ContainsFunc(v.writtenSince, func(o memkv.Range) bool {
		return slices.ContainsFunc(reads, func(r memkv.Range) bool {
			return bytes.Compare(o.Begin, r.End) < 0 && bytes.Compare(r.Begin, o.End) < 0
		})
	})
}

// stateHash is the hash of a state.
type stateHash struct{ hash.Hash64 }

func (h *stateHash) bytes(b []byte) {
	_, _ = h.Write(b)
	_, _ = h.Write([]byte{0xff, byte(len(b))})
}

func (h *stateHash) number(n uint64) { _, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n)) }

// hash identifies the state.
func (s *schedule) hash() uint64 {
	h := &stateHash{fnv.New64a()}
	h.number(uint64(s.losses)<<32 | uint64(s.passed))
	for _, row := range s.checked.stored() {
		if s.checked.dependOn(row.Key) {
			h.bytes(row.Key)
			h.bytes(row.Value)
			h.number(uint64(s.writtenAt[string(row.Key)]))
		}
	}
	s.checked.hashState(h)
	for _, a := range s.actors {
		a.hash(s.now, h)
	}
	for _, l := range s.late {
		if l.over() {
			h.bytes([]byte("over"))
			continue
		}
		h.number(l.known)
		h.number(uint64(s.now - l.view.readAt))
	}
	return h.Sum64()
}

// over reports whether the commit has arrived, or would be refused.
func (l *lateCommit) over() bool { return l.landed || l.view.conflicts(l.reads) }

// hash adds everything that determines what the actor does next.
func (a *actor) hash(now time.Duration, h *stateHash) {
	if a.ended {
		h.bytes([]byte("ended"))
		return
	}
	h.number(a.known)
	h.number(uint64(a.kind))
	if a.noReadVersion {
		return
	}
	h.number(uint64(now - a.view.readAt)) // it may be too old
	switch {
	case a.commit == nil:
		slices.SortFunc(a.view.writtenSince, compareRanges)
		for _, r := range a.view.writtenSince {
			h.bytes(r.Begin)
			h.bytes(r.End)
		}
		for _, key := range slices.Sorted(maps.Keys(a.view.replaced)) {
			h.bytes([]byte(key))
			h.bytes([]byte(a.view.replaced[key]))
		}
	case a.view.conflicts(a.commit.ReadConflicts):
		h.bytes([]byte("conflict"))
	}
}
