package kvtest

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// watching commits a watch of a key, which ends with the case.
func (t *T) watching(key string) kv.Watch {
	t.Helper()
	tr := t.begin()
	watch := tr.Watch(t.key(key))
	t.Cleanup(watch.Cancel)
	t.commit(tr)
	return watch
}

// fired wants the watch to fire.
func (t *T) fired(watch kv.Watch) {
	t.Helper()
	t.await(watch.Done(), "a watch that should fire")
	require.NoError(t, watch.Err())
}

// broken wants the watch to fail with the error code.
func (t *T) broken(watch kv.Watch, code int) {
	t.Helper()
	t.await(watch.Done(), "a watch that should fail")
	t.fails(watch.Err(), code, "Watch")
}

// quiet wants the watch to have neither fired nor failed, after a commit and a
// watch that saw it: what the engine tells watchers it has told by then.
func (t *T) quiet(watch kv.Watch) {
	t.Helper()
	sentinel := t.watching("sentinel")
	t.put("sentinel", t.Name())
	t.fired(sentinel)
	t.drop("sentinel")
	require.True(t, open(watch.Done()), "a watch should wait on: Err is %v", watch.Err())
	require.NoError(t, watch.Err())
}

// watchCases: when a watch fires.
var watchCases = slices.Concat(watchChanges(), []Case{
	{
		Name:  "Watch/OwnLaterChange",
		Shows: "a change that the transaction itself makes after the registration fires it",
		run: func(t *T) {
			t.put("k", "old")
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			tr.Set(t.key("k"), []byte("new"))
			t.commit(tr)
			t.fired(watch)
		},
	},
	{
		Name:  "Watch/OwnEarlierChange",
		Shows: "a change that it made before does not, and the watch waits for a change of the new value",
		Needs: []Capability{ExactWatches},
		run: func(t *T) {
			t.put("k", "old")
			tr := t.begin()
			tr.Set(t.key("k"), []byte("new"))
			watch := tr.Watch(t.key("k"))
			t.commit(tr)
			t.quiet(watch)
			t.put("k", "newer")
			t.fired(watch)
		},
	},
	{
		Name:  "Watch/SeveralOfOneTransaction",
		Shows: "of several watches of a key in one transaction each waits for a change of the value that it saw",
		Needs: []Capability{ExactWatches},
		run: func(t *T) {
			t.put("k", "old")
			tr := t.begin()
			first := tr.Watch(t.key("k"))
			tr.Set(t.key("k"), []byte("new"))
			second, third := tr.Watch(t.key("k")), tr.Watch(t.key("k"))
			t.commit(tr)
			t.fired(first)
			t.quiet(second)
			t.quiet(third)
			t.put("k", "newer")
			t.fired(second)
			t.fired(third)
		},
	},
	{
		Name:  "Watch/EverybodysWatch",
		Shows: "a change fires every watch of the key",
		run: func(t *T) {
			var watches []kv.Watch
			for range 20 {
				watches = append(watches, t.watching("k"))
			}
			t.put("k", "new")
			for _, watch := range watches {
				t.fired(watch)
			}
		},
	},
	{
		Name:  "Watch/NotBeforeTheCommit",
		Shows: "a watch is not active before its transaction has committed, and then fires for what changed in between",
		Needs: []Capability{ExactWatches},
		run: func(t *T) {
			t.put("k", "old")
			tr := t.begin()
			watch := tr.Watch(t.key("k"))
			require.Equal(t, "old", t.get(tr, "k"))
			t.put("k", "new")
			t.quiet(watch)
			t.commit(tr)
			t.fired(watch)
		},
	},
	{
		Name:  "Watch/IsASerialisableRead",
		Shows: "registering a watch conflicts with a foreign write of the key",
		run: meeting{
			read:     func(t *T, tr kv.OwnedTransaction) { tr.Watch(t.key("k")) },
			foreign:  sets("k", "new"),
			conflict: true,
		}.run,
	},
	{
		Name:  "Watch/OutlivesItsTransaction",
		Shows: "a committed watch goes on when its transaction is reset, cancelled, or was Transact's, and when its context has ended",
		run:   watchOutlives,
	},
	{
		Name:  "Watch/ErrBeforeDone",
		Shows: "Err is nil before the watch fires and after it has",
		run: func(t *T) {
			watch := t.watching("k")
			require.NoError(t, watch.Err())
			t.put("k", "new")
			t.fired(watch)
			watch.Cancel()
			require.NoError(t, watch.Err(), "a cancel comes too late")
		},
	},
})

// watchChanges is a case per change and per non-change of a watched key.
func watchChanges() []Case {
	cases := make([]Case, len(watchTable))
	for i, c := range watchTable {
		cases[i] = Case{Name: c.name, Shows: c.shows, run: func(t *T) {
			if c.initial != nil {
				t.put(c.initial...)
			}
			watch := t.watching("k")
			require.True(t, !c.fires || open(watch.Done()), "nothing has changed yet")
			foreign := t.begin()
			c.change(t, foreign)
			t.commit(foreign)
			if c.fires {
				t.fired(watch)
				return
			}
			t.quiet(watch)
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
	change      func(t *T, tr kv.OwnedTransaction)
	fires       bool
}{
	{"Watch/Set", "a set to another value fires it", []string{"k", "old"}, sets("k", "new"), true},
	{"Watch/Create", "a set of a key that was absent fires it", nil, sets("k", "new"), true},
	{"Watch/CreateEmpty", "even with an empty value", nil, sets("k", ""), true},
	{"Watch/Clear", "a clear fires it", []string{"k", "old"}, clears("k"), true},
	{"Watch/ClearRange", "a clear of a range around it fires it", []string{"k", "old"}, clearsRange("a", "z"), true},
	{
		"Watch/VersionstampedValue", "a versionstamped value fires it",
		[]string{"k", "old"},
		func(t *T, tr kv.OwnedTransaction) {
			tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
		}, true,
	},
	{"Watch/SameValue", "a set to the value it has does not", []string{"k", "old"}, sets("k", "old"), false},
	{"Watch/ClearOfAbsent", "a clear of a key that is not there does not", nil, clears("k"), false},
	{"Watch/OtherKey", "a change of another key does not", []string{"k", "old"}, sets("k\x00", "new"), false},
	{"Watch/WriteConflictKey", "a write conflict key does not", []string{"k", "old"}, addsWrite("k"), false},
}

func watchOutlives(t *T) {
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
		require.True(t, open(watch.Done()), "a watch ended with its transaction: %v", watch.Err())
	}
	t.put("k", "new")
	t.fired(first)
	t.fired(second)
	t.fired(third)
}
