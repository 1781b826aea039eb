//go:build unix

package filekv

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// model is the expected behavior of a store. It keeps every state.
type model struct {
	states []modelState // by version
}

type modelState struct {
	version int64
	data    map[string]string
	writes  []client.Range // of the commit that created this state
}

// TestAgainstModel compares the reads at all available versions and the conflicts of all
// commits with a model. It uses two handles on the file, like two processes.
func TestAgainstModel(t *testing.T) {
	r := testseed.Random(t)
	clock := newStillClock()
	path := filepath.Join(t.TempDir(), "store")
	handles := []*store{openStore(t, path, Options{Now: clock.Now}), openStore(t, path, Options{Now: clock.Now})}
	_, first := get(t, handles[0], "", 0)
	m := &model{states: []modelState{{version: first, data: map[string]string{}}}}
	conflicts, tooOld := 0, 0
	for range 600 {
		clock.move(time.Duration(r.IntN(60)) * time.Millisecond)
		s := handles[r.IntN(2)]
		base := m.states[max(0, len(m.states)-1-r.IntN(40))]
		s.issued.add(base.version, clock.Now())
		if r.IntN(2) == 0 {
			if !m.compareReads(t, r, s, base) {
				tooOld++
			}
			continue
		}
		switch err := m.commit(t, r, s, base); kv.CodeOf(err) {
		case kv.CodeNotCommitted:
			conflicts++
		case kv.CodeTransactionTooOld:
			tooOld++
		default:
			require.NoError(t, err)
		}
	}
	t.Logf("%d commits, %d conflicts, %d too old", len(m.states)-1, conflicts, tooOld)
	require.Positive(t, conflicts)
}

// randomKey returns one of a few keys, including the empty one and prefixes of others.
func randomKey(r *rand.Rand) string {
	return []string{"", "\x00", "a", "a\x00", "ab", "b", "b\xff", "c", "\xfe"}[r.IntN(9)]
}

// randomRange returns a range that is not empty.
func randomRange(r *rand.Rand) client.Range {
	a, b := randomKey(r), randomKey(r)
	if r.IntN(4) == 0 {
		b = "\xff"
	}
	if a > b {
		a, b = b, a
	}
	if a == b {
		b += "\x00"
	}
	return client.Range{Begin: []byte(a), End: []byte(b)}
}

func holds(r client.Range, key string) bool { return string(r.Begin) <= key && key < string(r.End) }

func meet(a, b client.Range) bool {
	return string(a.Begin) < string(b.End) && string(b.Begin) < string(a.End)
}

// compareReads reads a batch at a state. It returns false if the state is not available
// any more.
func (m *model) compareReads(t *testing.T, r *rand.Rand, s *store, at modelState) bool {
	t.Helper()
	var wave []*client.Read
	for range 1 + r.IntN(4) {
		if r.IntN(2) == 0 {
			wave = append(wave, &client.Read{Key: []byte(randomKey(r))})
			continue
		}
		keys := randomRange(r)
		wave = append(wave, &client.Read{Key: keys.Begin, End: keys.End, Limit: r.IntN(4), Reverse: r.IntN(2) == 0})
	}
	version, err := s.Read(t.Context(), at.version, wave)
	if kv.CodeOf(err) == kv.CodeTransactionTooOld {
		newest := m.states[len(m.states)-1].version
		require.Less(t, at.version, newest-window, "a version expired too early")
		return false
	}
	require.NoError(t, err)
	require.Equal(t, at.version, version)
	for _, read := range wave {
		if read.End == nil {
			want, ok := at.data[string(read.Key)]
			require.Equal(t, ok, read.Value != nil, "key %q at %d", read.Key, version)
			require.Equal(t, want, string(read.Value), "key %q at %d", read.Key, version)
			continue
		}
		require.Equal(t, at.scan(read), rows(read), "range %q to %q at %d", read.Key, read.End, version)
	}
	return true
}

func (st modelState) scan(read *client.Read) []string {
	keys := slices.Sorted(maps.Keys(st.data))
	if read.Reverse {
		slices.Reverse(keys)
	}
	found := []string{}
	for _, key := range keys {
		if holds(client.Range{Begin: read.Key, End: read.End}, key) && (read.Limit == 0 || len(found) < read.Limit) {
			found = append(found, fmt.Sprintf("%q=%q", key, st.data[key]))
		}
	}
	return found
}

func rows(read *client.Read) []string {
	found := []string{}
	for _, row := range read.Rows {
		found = append(found, fmt.Sprintf("%q=%q", row.Key, row.Value))
	}
	return found
}

// commit commits writes with read conflicts at a state.
func (m *model) commit(t *testing.T, r *rand.Rand, s *store, base modelState) error {
	t.Helper()
	c := &client.Commit{ReadVersion: base.version}
	if r.IntN(3) > 0 {
		c.ReadConflicts = []client.Range{randomRange(r)}
	}
	newest := m.states[len(m.states)-1]
	next := modelState{data: maps.Clone(newest.data)}
	var stamped []func(stamp string)
	for i := range r.IntN(4) {
		key, value := randomKey(r), fmt.Sprintf("%d-%d", len(m.states), i)
		keys := client.Range{Begin: []byte(key), End: []byte(key + "\x00")}
		switch r.IntN(4) {
		case 0:
			keys = randomRange(r)
			c.Mutations = append(c.Mutations, client.Mutation{Kind: client.MutationClearRange, Key: keys.Begin, Value: keys.End})
			stamped = append(stamped, func(string) {
				maps.DeleteFunc(next.data, func(k, _ string) bool { return holds(keys, k) })
			})
		case 1:
			c.Mutations = append(c.Mutations, client.Mutation{Kind: client.MutationStampedValue, Key: []byte(key), Value: make([]byte, 12), Offset: 1})
			stamped = append(stamped, func(stamp string) { next.data[key] = "\x00" + stamp + "\x00" })
		case 2:
			c.Mutations = append(c.Mutations, client.Mutation{Kind: client.MutationStampedKey, Key: make([]byte, 10), Value: []byte(value)})
			stamped = append(stamped, func(stamp string) {
				next.data[stamp] = value
				next.writes = append(next.writes, keyRange(stamp))
			})
			continue // the store adds the conflict
		default:
			if i == 0 {
				value = ""
			}
			c.Mutations = append(c.Mutations, client.Mutation{Kind: client.MutationSet, Key: []byte(key), Value: []byte(value)})
			stamped = append(stamped, func(string) { next.data[key] = value })
		}
		next.writes = append(next.writes, keys)
	}
	if r.IntN(8) == 0 {
		next.writes = append(next.writes, randomRange(r)) // a conflict without a write
	}
	c.WriteConflicts = slices.Clone(next.writes)

	want := 0
	for _, st := range m.states {
		for _, write := range st.writes {
			if st.version > base.version && len(c.ReadConflicts) > 0 && meet(write, c.ReadConflicts[0]) {
				want = kv.CodeNotCommitted
			}
		}
	}
	result, err := s.Commit(t.Context(), c)
	if code := kv.CodeOf(err); code == kv.CodeTransactionTooOld {
		require.Less(t, base.version, newest.version-window, "a version expired too early")
		return err
	}
	require.Equal(t, want, kv.CodeOf(err), "%v", err)
	if err != nil {
		return err
	}
	require.Greater(t, result.Version, newest.version)
	stamp := result.Stamp()
	for _, apply := range stamped {
		apply(string(stamp[:]))
	}
	next.version = result.Version
	m.states = append(m.states, next)
	return nil
}
