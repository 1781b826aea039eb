package kvtest

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// committedWatch commits a watch of a key. It is cancelled when the case ends.
func (t *env) committedWatch(key string) kv.Watch {
	t.Helper()
	tr := t.begin()
	watch := tr.Watch(t.key(key))
	t.Cleanup(watch.Cancel)
	t.commit(tr)
	return watch
}

// watchFires requires that the watch fires.
func (t *env) watchFires(watch kv.Watch) {
	t.Helper()
	t.await(watch.Done(), "the watch should fire")
	require.NoError(t, watch.Err())
}

// watchFails requires that the watch fails with that code.
func (t *env) watchFails(watch kv.Watch, code int) {
	t.Helper()
	t.await(watch.Done(), "the watch should fail")
	t.fails(watch.Err(), code, "Watch")
}

// watchPending requires that the watch neither fires nor fails. It waits for another watch
// to fire first, so that the engine has delivered earlier notifications.
func (t *env) watchPending(watch kv.Watch) {
	t.Helper()
	sentinel := t.committedWatch("sentinel")
	t.put("sentinel", t.Name())
	t.watchFires(sentinel)
	t.drop("sentinel")
	require.True(t, open(watch.Done()), "the watch should still be pending, but Err is %v", watch.Err())
	require.NoError(t, watch.Err())
}

// watchCases cover when a watch fires.
var watchCases = slices.Concat(watchChanges(), []Case{
	{
		Name:  "Watch/OwnLaterChange",
		Shows: "a change by the transaction itself after registering the watch fires it",
		run: func(t *env) {
			t.put("k", "old")
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			tr.Set(t.key("k"), []byte("new"))
			t.commit(tr)
			t.watchFires(watch)
		},
	},
	{
		Name:  "Watch/OwnEarlierChange",
		Shows: "a change by the transaction itself before registering the watch does not fire it, but a change of the new value does",
		Needs: []Capability{ExactWatches},
		run: func(t *env) {
			t.put("k", "old")
			tr := t.begin()
			tr.Set(t.key("k"), []byte("new"))
			watch := tr.Watch(t.key("k"))
			t.commit(tr)
			t.watchPending(watch)
			t.put("k", "newer")
			t.watchFires(watch)
		},
	},
	{
		Name:  "Watch/SeveralOfOneTransaction",
		Shows: "if one transaction watches a key several times, each watch waits for a change of the value that it saw",
		Needs: []Capability{ExactWatches},
		run: func(t *env) {
			t.put("k", "old")
			tr := t.begin()
			first := tr.Watch(t.key("k"))
			tr.Set(t.key("k"), []byte("new"))
			second, third := tr.Watch(t.key("k")), tr.Watch(t.key("k"))
			t.commit(tr)
			t.watchFires(first)
			t.watchPending(second)
			t.watchPending(third)
			t.put("k", "newer")
			t.watchFires(second)
			t.watchFires(third)
		},
	},
	{
		Name:  "Watch/AllWatchesOfAKey",
		Shows: "a change fires all watches of the key",
		run: func(t *env) {
			var watches []kv.Watch
			for range 20 {
				watches = append(watches, t.committedWatch("k"))
			}
			t.put("k", "new")
			for _, watch := range watches {
				t.watchFires(watch)
			}
		},
	},
	{
		Name:  "Watch/NotBeforeTheCommit",
		Shows: "a watch becomes active when its transaction commits, and then fires if the value has changed since it was read",
		Needs: []Capability{ExactWatches},
		run: func(t *env) {
			t.put("k", "old")
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			require.Equal(t, "old", t.get(tr, "k"))
			t.put("k", "new")
			t.watchPending(watch)
			t.commit(tr)
			t.watchFires(watch)
		},
	},
	{
		Name:  "Watch/IsASerialisableRead",
		Shows: "registering a watch conflicts with a concurrent set of the key",
		run: interleaving{
			read:     func(t *env, tr kv.OwnedTransaction) { tr.Watch(t.key("k")) },
			other:    sets("k", "new"),
			conflict: true,
		}.run,
	},
	{
		Name:  "Watch/OutlivesItsTransaction",
		Shows: "a committed watch stays active after its transaction is reset, cancelled or done, and after its context ends",
		run:   watchOutlives,
	},
	{
		Name:  "Watch/ErrBeforeDone",
		Shows: "Err is nil before and after the watch fires",
		run: func(t *env) {
			watch := t.committedWatch("k")
			require.NoError(t, watch.Err())
			t.put("k", "new")
			t.watchFires(watch)
			watch.Cancel()
			require.NoError(t, watch.Err(), "Cancel after the watch has fired does nothing")
		},
	},
})

// watchChanges returns a case per row of the table.
func watchChanges() []Case {
	cases := make([]Case, len(watchTable))
	for i, c := range watchTable {
		cases[i] = Case{Name: c.name, Shows: c.shows, run: func(t *env) {
			if c.initial != nil {
				t.put(c.initial...)
			}
			watch := t.committedWatch("k")
			require.True(t, !c.fires || open(watch.Done()), "nothing has changed yet")
			other := t.begin()
			c.change(t, other)
			t.commit(other)
			if c.fires {
				t.watchFires(watch)
				return
			}
			t.watchPending(watch)
		}}
		if !c.fires {
			cases[i].Needs = []Capability{ExactWatches}
		}
	}
	return cases
}

var watchTable = []struct {
	name, shows string
	initial     []string
	change      func(t *env, tr kv.OwnedTransaction)
	fires       bool
}{
	{"Watch/Set", "a set to another value fires the watch", []string{"k", "old"}, sets("k", "new"), true},
	{"Watch/Create", "a set of an absent key fires the watch", nil, sets("k", "new"), true},
	{"Watch/CreateEmpty", "a set of an absent key to an empty value fires the watch", nil, sets("k", ""), true},
	{"Watch/Clear", "a clear fires the watch", []string{"k", "old"}, clears("k"), true},
	{"Watch/ClearRange", "a clear of a range around the key fires the watch", []string{"k", "old"}, clearsRange("a", "z"), true},
	{
		"Watch/VersionstampedValue", "a versionstamped value fires the watch",
		[]string{"k", "old"},
		func(t *env, tr kv.OwnedTransaction) {
			tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
		}, true,
	},
	{"Watch/SameValue", "a set to the same value does not fire the watch", []string{"k", "old"}, sets("k", "old"), false},
	{"Watch/ClearOfAbsent", "a clear of an absent key does not fire the watch", nil, clears("k"), false},
	{"Watch/OtherKey", "a change of another key does not fire the watch", []string{"k", "old"}, sets("k\x00", "new"), false},
	{"Watch/WriteConflictKey", "a write conflict does not fire the watch", []string{"k", "old"}, addsWrite("k"), false},
}

func watchOutlives(t *env) {
	reset, cancelled := t.begin(), t.begin()
	first, second := reset.Watch(t.key("k")), cancelled.Watch(t.key("k"))
	t.commit(reset)
	t.commit(cancelled)
	reset.Reset()
	cancelled.Cancel()

	ctx, cancel := context.WithCancel(t.ctx)
	third, err := kv.Transact(ctx, t, func(tr kv.Transaction) (kv.Watch, error) {
		return tr.Watch(t.key("k")), nil
	})
	require.NoError(t, err)
	cancel()

	for _, watch := range []kv.Watch{first, second, third} {
		t.Cleanup(watch.Cancel)
		require.True(t, open(watch.Done()), "the watch ended with its transaction: %v", watch.Err())
	}
	t.put("k", "new")
	t.watchFires(first)
	t.watchFires(second)
	t.watchFires(third)
}
