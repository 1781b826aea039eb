package kvtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// pastWindow is longer than the 5 seconds for which a database keeps versions.
const pastWindow = 6500 * time.Millisecond

// tooOldCases cover transactions whose read version is no longer kept.
var tooOldCases = []Case{
	{
		Name: "TooOldAtCommit/AfterARead", Needs: []Capability{Clock},
		Shows: "the commit of a transaction that reads and writes fails with 1007 if its read version is no longer kept",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("k"), []byte("late"))
			t.pass(pastWindow)
			err := tr.Commit()
			t.fails(err, kv.CodeTransactionTooOld, "Commit")
			require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
			require.Equal(t, absent, t.stored("k"))
		},
	},
	{
		Name: "TooOldAtCommit/AfterReadVersion", Needs: []Capability{Clock},
		Shows: "the commit of a transaction that took a read version but read nothing fails with 1007, too",
		run: func(t *env) {
			tr := t.pinned()
			tr.Set(t.key("k"), []byte("late"))
			t.pass(pastWindow)
			t.commitFails(tr, kv.CodeTransactionTooOld)
		},
	},
	{
		Name: "TooOldAtCommit/BlindWrite", Needs: []Capability{Clock},
		Shows: "a transaction that only writes is never too old",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("blind"))
			t.pass(pastWindow)
			t.commit(tr)
			require.Equal(t, "blind", t.stored("k"))
		},
	},
	{
		Name: "TooOldAtCommit/ReadOnly", Needs: []Capability{Clock},
		Shows: "a read-only commit is never too old",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			t.pass(pastWindow)
			require.Equal(t, int64(-1), t.commit(tr))
		},
	},
	{
		Name: "TooOldAtCommit/NotYet", Needs: []Capability{Clock, History},
		Shows: "a transaction that is 4 seconds old can read and commit",
		run: func(t *env) {
			t.put("k", "v")
			tr := t.begin()
			t.get(tr, "other")
			t.pass(4 * time.Second)
			require.Equal(t, "v", t.get(tr, "k"))
			tr.Set(t.key("k"), []byte("in time"))
			t.commit(tr)
		},
	},
	{
		Name: "TooOldAtRead/EveryKindOfRead", Needs: []Capability{Clock},
		Shows: "a get, a range read and snapshots of both fail with 1007 if the read version is no longer kept",
		run: func(t *env) {
			get, scan, snapGet, snapScan := t.pinned(), t.pinned(), t.pinned(), t.pinned()
			t.pass(pastWindow)
			t.getFails(get, "k", kv.CodeTransactionTooOld)
			t.scanFails(scan, "a", "z", kv.CodeTransactionTooOld)
			t.getFails(snapGet.Snapshot(), "k", kv.CodeTransactionTooOld)
			t.scanFails(snapScan.Snapshot(), "a", "z", kv.CodeTransactionTooOld)
		},
	},
	{
		Name: "TooOldAtRead/KnownKeys", Needs: []Capability{Clock},
		Shows: "a key that was read before can still be read",
		run: func(t *env) {
			t.put("k", "v")
			tr := t.begin()
			require.Equal(t, "v", t.get(tr, "k"))
			t.pass(pastWindow)
			require.Equal(t, "v", t.get(tr, "k"))
			t.getFails(tr, "other", kv.CodeTransactionTooOld)
		},
	},
	{
		Name: "TooOldAtRead/ThenCommit", Needs: []Capability{Clock},
		Shows: "the commit after a failed read fails with the same error, even if nothing was written",
		run: func(t *env) {
			tr := t.pinned()
			t.pass(pastWindow)
			t.getFails(tr.Snapshot(), "k", kv.CodeTransactionTooOld)
			t.commitFails(tr, kv.CodeTransactionTooOld)
		},
	},
	{
		Name: "TooOldAtRead/ThenOnError", Needs: []Capability{Clock},
		Shows: "after OnError, the transaction takes a new read version",
		run: func(t *env) {
			tr := t.pinned()
			t.put("k", "v")
			t.pass(pastWindow)
			_, err := tr.Get(t.key("k")).Get()
			t.fails(err, kv.CodeTransactionTooOld, "Get")
			require.NoError(t, tr.OnError(err))
			require.Equal(t, "v", t.get(tr, "k"))
		},
	},
}

// pass advances the clock and commits, because versions advance with commits.
func (t *env) pass(d time.Duration) {
	t.Helper()
	t.Advance(d)
	t.put("elapsed", "1")
	t.drop("elapsed")
}
