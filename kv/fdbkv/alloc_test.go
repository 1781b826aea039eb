package fdbkv_test

import (
	"testing"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// TestCallsAllocateNothingOfTheirOwn: a call through the adapter does not allocate more
// than the same call of the binding with keys that need no conversion.
func TestCallsAllocateNothingOfTheirOwn(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector, a sync.Pool drops items at random")
	}
	tr := binding(t, open(t, fdbkv.Options{}))
	name, value := append(prefix(t), "k"...), []byte("v")
	var key fdb.KeyConvertible = fdb.Key(name)
	var span fdb.ExactRange = fdb.KeyRange{Begin: key, End: key}
	wrapped := fdbkv.Wrap(tr)
	for _, c := range []struct {
		name             string
		binding, adapter func()
	}{
		{"Set", func() { tr.Set(key, value) }, func() { wrapped.Set(name, value) }},
		{"Clear", func() { tr.Clear(key) }, func() { wrapped.Clear(name) }},
		{"ClearRange", func() { tr.ClearRange(span) }, func() { wrapped.ClearRange(name, name) }},
		{"SetVersionstampedValue", func() { tr.SetVersionstampedValue(key, make([]byte, 14)) }, func() { wrapped.SetVersionstampedValue(name, make([]byte, 14)) }},
		{"AddReadConflictKey", func() { _ = tr.AddReadConflictKey(key) }, func() { _ = wrapped.AddReadConflictKey(name) }},
		{"AddWriteConflictRange", func() { _ = tr.AddWriteConflictRange(span) }, func() { _ = wrapped.AddWriteConflictRange(name, name) }},
		{"Snapshot", func() { _ = tr.Snapshot() }, func() { _ = wrapped.Snapshot() }},
	} {
		const runs = 200
		require.LessOrEqual(t, testing.AllocsPerRun(runs, c.adapter), testing.AllocsPerRun(runs, c.binding), c.name)
	}

	// The first reads of a transaction use memory in it.
	const wave = 4
	other := binding(t, open(t, fdbkv.Options{}))
	wraps := make([]kv.Transaction, 0, 101)
	for range cap(wraps) {
		wraps = append(wraps, fdbkv.Wrap(other))
	}
	at := 0
	adapter := testing.AllocsPerRun(cap(wraps)-1, func() {
		for range wave {
			wraps[at].Get(name)
		}
		at++
	})
	require.LessOrEqual(t, adapter, testing.AllocsPerRun(100, func() {
		for range wave {
			other.Get(key)
		}
	}), "Get")
}
