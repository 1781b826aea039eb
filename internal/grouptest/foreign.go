package grouptest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var foreignTests = []test{
	foreignKeysCostNothing,
	foreignKeysOfTheLogAreSkipped,
	foreignKeysOfTheLogHideNoChange,
}

// foreign writes keys of every other shape into the ranges of the group. Some of them lie
// between its own keys.
func (g *testGroup) foreign() {
	g.T.Helper()
	rubbish := []byte("rubbish")
	g.Do(func(tr kv.Transaction) error {
		for _, child := range []string{"members", "beats", "shards", "pins", "requests", "drains", "group", "floor", "bell", "trimmed", "log"} {
			prefix := g.Space.Sub(child).Bytes()
			for _, rest := range []string{
				"\x02", "\x02\x00", // no name
				"\x02a", "\x02ab", "\x02\xc3", // a text that does not end
				"\x02a\x00\x02x\x00", "\x02a b\x00\x00", "\x02ü\x00\x15\x01", // more elements
				"\x02a\x00\xffb\x00", "\x02a\x1b[2J\x00", "\x02a\xfe\x00", // not a name
				"\x02" + strings.Repeat("x", 256) + "\x00", // too long for a name
				"\x01x\x00", "\x14", "\x15\x07", "\x05\x02a\x00\x00", "\x26", "\x33short", "\xfe", // other types
			} {
				tr.Set(append(slices.Clip(prefix), rest...), rubbish)
			}
		}
		return nil
	})
}

// foreignLog writes keys that are like those of the log, with a stamp, and other elements.
func (g *testGroup) foreignLog(version int64, batch byte) {
	g.T.Helper()
	stamp := stampOf(version, batch)
	g.Do(func(tr kv.Transaction) error {
		for _, rest := range []subspace.Tuple{
			{},
			{subspace.Int(3)},
			{subspace.Int(99), subspace.String("a")},
			{subspace.Int(-3), subspace.String("a")},
			{subspace.Int(1), subspace.String("a")}, // a config has no name
			{subspace.Int(3), subspace.String("")},
			{subspace.Int(3), subspace.String("a\x1b")},
			{subspace.Int(3), subspace.String(strings.Repeat("x", 300))},
			{subspace.Int(3), subspace.Int(3)},
			{subspace.Int(3), subspace.String("a"), subspace.Int(3)},
			{subspace.String("a")},
		} {
			key, err := g.Space.Pack(append(subspace.Tuple{subspace.String("log"), stamp}, rest...))
			if err != nil {
				return err
			}
			tr.Set(key, []byte("rubbish"))
		}
		return nil
	})
}

func stampOf(version int64, batch byte) subspace.Versionstamp {
	var stamp subspace.Versionstamp
	for i := range 8 {
		stamp.Transaction[i] = byte(version >> (56 - 8*i))
	}
	stamp.Transaction[9] = batch
	return stamp
}

// logged writes an entry of the log under a stamp that the test chooses.
func (g *testGroup) logged(version int64, batch byte, kind group.Kind, name string, value []byte) {
	g.T.Helper()
	key, err := g.Space.Pack(subspace.Tuple{
		subspace.String("log"), stampOf(version, batch), subspace.Int(int64(kind)), subspace.String(name),
	})
	require.NoError(g.T, err)
	g.Do(func(tr kv.Transaction) error { tr.Set(key, value); return nil })
}

func foreignKeysCostNothing(t *testing.T, g *testGroup) {
	g.initialized()
	g.foreign()
	before := len(g.Dump())
	version := g.now()
	g.create("a", "ab", "b")
	me, other := g.ready("me"), g.ready("other")
	token := g.leads(me, "a")
	require.NoError(t, g.released(me, group.Release{Token: token, Target: other.Identity, Nonce: newNonce()}).Err)
	g.Do(func(tr kv.Transaction) error { return g.Pin(tr, "ab", "me") })
	g.evict(me, "other")
	require.True(t, g.removed("a")[0].Removed)
	require.Equal(t, []string{"config ", "members me", "shards ab", "shards b", "pins ab"}, named(g.rows()))
	require.Len(t, g.changes(version, 0).Changes, 3+4+2+1+1+3)
	g.removed("ab", "b")
	g.leave(me)
	g.Do(func(tr kv.Transaction) error { return g.Trim(tr, g.now()) })
	left := map[string]bool{}
	for _, row := range g.Dump() {
		left[string(row.Key)] = true
	}
	// What is left is theirs, the floor, the record of the trimming and what was logged last.
	require.InDelta(t, before, len(left), 10)
	require.True(t, left[string(g.Key("shards"))+"\x02a\x00\x02x\x00"])
}

func foreignKeysOfTheLogAreSkipped(t *testing.T, g *testGroup) {
	g.initialized()
	version := g.now()
	g.create("a")
	g.foreignLog(g.now(), 7)
	g.create("b")
	g.foreign()
	require.Equal(t, []string{"shards a", "shards b"}, g.since(version))
}

// A reader that asks for a few changes at a time goes on behind keys that it cannot read.
func foreignKeysOfTheLogHideNoChange(t *testing.T, g *testGroup) {
	g.initialized()
	g.foreign()
	version := g.now()
	g.create("a", "b")
	g.foreignLog(g.now(), 0)
	g.foreignLog(g.now(), 1)
	g.create("c")
	g.foreignLog(g.now(), 0)
	for limit := 1; limit < 40; limit++ {
		var names []string
		changes := group.Changes{Version: version, More: true}
		for reads := 0; changes.More; reads++ {
			require.Less(t, reads, 100, "no progress with a limit of %d", limit)
			next := g.changes(changes.Version, limit)
			require.Greater(t, next.Version, changes.Version-1)
			for _, c := range next.Changes {
				names = append(names, c.Name)
			}
			changes = next
		}
		require.Equal(t, []string{"a", "b", "c"}, names, "with a limit of %d", limit)
	}
}
