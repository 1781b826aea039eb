package kvtest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// commitCases cover read-only commits, and use of a transaction after its commit
// began.
var commitCases = []Case{
	{
		Name:  "ReadOnlyCommit/Version",
		Shows: "the committed version of a read-only transaction is -1",
		run: func(t *env) {
			require.Equal(t, int64(-1), t.commit(t.begin()), "nothing at all")
			tr := t.begin()
			t.get(tr, "k")
			require.Equal(t, int64(-1), t.commit(tr), "a read")
		},
	},
	{
		Name:  "ReadOnlyCommit/Versionstamp",
		Shows: "the versionstamp of a read-only transaction fails with 2021",
		run: func(t *env) {
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
		Shows: "after a commit, every use of the transaction fails with 2017",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			t.commit(tr)
			t.everyUseFails(tr, kv.CodeUsedDuringCommit)
			require.Equal(t, "k=v", t.storedAll(), "writes after the commit are dropped")
		},
	},
	{
		Name:  "UsedDuringCommit/AfterReadOnly",
		Shows: "after a read-only commit, every use fails with 2017",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			t.commit(tr)
			t.everyUseFails(tr, kv.CodeUsedDuringCommit)
		},
	},
	{
		Name:  "UsedDuringCommit/AfterConflict",
		Shows: "after a conflict, every use fails with 2017, and so does OnError after such a use, until Reset",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("k"), []byte("v"))
			t.put("k", "other")
			err := tr.Commit()
			t.fails(err, kv.CodeNotCommitted, "Commit")
			t.everyUseFails(tr, kv.CodeUsedDuringCommit)
			t.fails(tr.OnError(err), kv.CodeUsedDuringCommit, "OnError")
			tr.Reset()
			require.Equal(t, "other", t.get(tr, "k"))
		},
	},
	{
		Name:  "UsedDuringCommit/InvertedRange",
		Shows: "ClearRange of an inverted range after the commit makes every use fail with 2005 instead",
		run: func(t *env) {
			tr := t.begin()
			t.commit(tr)
			tr.ClearRange(t.key("b"), t.key("a"))
			t.everyUseFails(tr, kv.CodeInvertedRange)
		},
	},
	{
		Name:  "UsedDuringCommit/AfterReset",
		Shows: "a committed transaction can be reset and used again",
		run: func(t *env) {
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
		Name:  "UsedDuringCommit/DuringCommit",
		Shows: "a read during the commit fails with 2017, and the commit continues",
		Needs: []Capability{Holds},
		run: func(t *env) {
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
		Name:  "CommittedVersion/SeesWrites",
		Shows: "a transaction whose read version is at least the committed version sees the writes",
		run: func(t *env) {
			version := t.put("k", "v")
			tr := t.begin()
			require.GreaterOrEqual(t, t.readVersion(tr), version)
			require.Equal(t, "v", t.get(tr, "k"))
		},
	},
	{
		Name:  "CommittedVersion/AfterReset",
		Shows: "Reset clears the committed version",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			require.Positive(t, t.commit(tr))
			tr.Reset()
			version, err := tr.GetCommittedVersion()
			require.True(t, err != nil || version == -1, "committed version %d", version)
		},
	},
	{
		Name:  "CommittedVersion/AfterConflict",
		Shows: "after a failed commit, the committed version is -1 or an error",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("k"), []byte("v"))
			t.put("k", "other")
			t.commitFails(tr, kv.CodeNotCommitted)
			version, err := tr.GetCommittedVersion()
			require.True(t, err != nil || version == -1, "committed version %d", version)
		},
	},
}

// everyUseFails calls every method and requires an error with that code. Methods
// that return nothing must have no effect.
func (t *env) everyUseFails(tr kv.OwnedTransaction, code int) {
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
		// FoundationDB's client defers this error, as it does for writes.
		require.Contains(t, []int{0, code}, kv.CodeOf(err), "adding a conflict range: %v", err)
	}
	watch := tr.Watch(t.key("k"))
	t.await(watch.Done(), "the watch should fail")
	t.fails(watch.Err(), code, "Watch")
	t.commitFails(tr, code)
}
