package kvtest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// commitCases: read-only commits, and use after the commit began.
var commitCases = []Case{
	{
		Name:  "ReadOnlyCommit/Version",
		Shows: "the committed version of a transaction that wrote nothing is -1",
		run: func(t *T) {
			require.Equal(t, int64(-1), t.commit(t.begin()), "nothing at all")
			tr := t.begin()
			t.get(tr, "k")
			require.Equal(t, int64(-1), t.commit(tr), "a read")
		},
	},
	{
		Name:  "ReadOnlyCommit/Versionstamp",
		Shows: "its versionstamp fails with 2021",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr, "k")
			stamp := tr.GetVersionstamp()
			t.commit(tr)
			_, err := stamp.Get()
			t.fails(err, kv.CodeNoCommitVersion, "GetVersionstamp")
		},
	},
	{
		Name:  "UsedDuringCommit/AfterSuccess",
		Shows: "after a commit every use fails with 2017",
		run: func(t *T) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			t.commit(tr)
			t.everyUseFails(tr, kv.CodeUsedDuringCommit)
			require.Equal(t, "k=v", t.storedAll(), "the late writes are dropped")
		},
	},
	{
		Name:  "UsedDuringCommit/AfterReadOnly",
		Shows: "after a read-only commit too",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr, "k")
			t.commit(tr)
			t.everyUseFails(tr, kv.CodeUsedDuringCommit)
		},
	},
	{
		Name:  "UsedDuringCommit/AfterConflict",
		Shows: "and after a refused one; such a use spoils the transaction for OnError too, until Reset",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("k"), []byte("v"))
			t.put("k", "foreign")
			err := tr.Commit()
			t.fails(err, kv.CodeNotCommitted, "Commit")
			t.everyUseFails(tr, kv.CodeUsedDuringCommit)
			t.fails(tr.OnError(err), kv.CodeUsedDuringCommit, "OnError")
			tr.Reset()
			require.Equal(t, "foreign", t.get(tr, "k"))
		},
	},
	{
		Name:  "UsedDuringCommit/InvertedRange",
		Shows: "a clear of an inverted range after the commit makes every use fail with 2005 instead",
		run: func(t *T) {
			tr := t.begin()
			t.commit(tr)
			tr.ClearRange(t.key("b"), t.key("a"))
			t.everyUseFails(tr, kv.CodeInvertedRange)
		},
	},
	{
		Name:  "UsedDuringCommit/AfterReset",
		Shows: "a committed transaction can be reset and used for another",
		run: func(t *T) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("one"))
			first := t.commit(tr)
			tr.Reset()
			require.Equal(t, "one", t.get(tr, "k"))
			tr.Set(t.key("k"), []byte("two"))
			require.Greater(t, t.commit(tr), first)
			require.Equal(t, "two", t.stored("k"))
		},
	},
	{
		Name:  "UsedDuringCommit/WhileItLasts",
		Shows: "a read during the commit fails with 2017, and the commit goes on",
		Needs: []Capability{Holds},
		run: func(t *T) {
			arrived, release := t.Hold(OpCommit)
			defer release()
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			committed := t.background(tr.Commit)
			t.await(arrived, "the commit")
			t.getFails(tr, "k", kv.CodeUsedDuringCommit)
			release()
			require.NoError(t, committed())
			require.Equal(t, "v", t.stored("k"))
		},
	},
	{
		Name:  "CommittedVersion/IsWhereTheWritesAre",
		Shows: "a reader at or above the committed version sees the writes",
		run: func(t *T) {
			version := t.put("k", "v")
			tr := t.begin()
			require.GreaterOrEqual(t, t.readVersion(tr), version)
			require.Equal(t, "v", t.get(tr, "k"))
		},
	},
	{
		Name:  "CommittedVersion/AfterReset",
		Shows: "a reset forgets the version of the commit before it",
		run: func(t *T) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			require.Positive(t, t.commit(tr))
			tr.Reset()
			version, err := tr.GetCommittedVersion()
			require.True(t, err != nil || version == -1, "committed version %d", version)
		},
	},
	{
		Name:  "CommittedVersion/OfARefusedCommit",
		Shows: "a transaction that did not commit has no committed version: -1 or an error",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("k"), []byte("v"))
			t.put("k", "foreign")
			t.commitFails(tr, kv.CodeNotCommitted)
			version, err := tr.GetCommittedVersion()
			require.True(t, err != nil || version == -1, "committed version %d", version)
		},
	},
}

// everyUseFails calls every method that must not be used any more. Those that
// return nothing are called as well: they must do nothing.
func (t *T) everyUseFails(tr kv.OwnedTransaction, code int) {
	t.Helper()
	tr.Set(t.key("late"), []byte("v"))
	tr.Clear(t.key("k"))
	tr.ClearRange(t.key("a"), t.key("z"))
	tr.SetVersionstampedKey(t.template("late"), []byte("v"))
	tr.SetVersionstampedValue(t.key("late"), stampTemplate("", ""))

	t.getFails(tr, "k", code)
	t.getFails(tr.Snapshot(), "k", code)
	t.scanFails(tr, "a", "z", code)
	t.scanFails(tr.Snapshot(), "a", "z", code)
	_, err := tr.GetReadVersion().Get()
	t.fails(err, code, "GetReadVersion")
	_, err = tr.GetVersionstamp().Get()
	t.fails(err, code, "GetVersionstamp")
	for _, err := range []error{
		tr.AddReadConflictKey(t.key("k")),
		tr.AddReadConflictRange(t.key("a"), t.key("z")),
		tr.AddWriteConflictKey(t.key("k")),
		tr.AddWriteConflictRange(t.key("a"), t.key("z")),
	} {
		// FoundationDB's client defers this one, as it does for writes.
		require.Contains(t, []int{0, code}, kv.CodeOf(err), "adding a conflict range: %v", err)
	}
	watch := tr.Watch(t.key("k"))
	t.await(watch.Done(), "the failure of a watch")
	t.fails(watch.Err(), code, "Watch")
	t.commitFails(tr, code)
}
