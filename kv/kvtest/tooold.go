package kvtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// pastWindow is longer than the 5 s for which a database keeps versions.
const pastWindow = 6500 * time.Millisecond

// tooOldCases: what happens to a transaction that takes longer than the
// database keeps its read version.
var tooOldCases = []Case{
	{
		Name: "TooOldAtCommit/AfterARead", Needs: []Capability{Clock},
		Shows: "a transaction that read and writes fails with 1007 when its read version has gone",
		run: func(t *T) {
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
		Shows: "so does one that only asked for its read version",
		run: func(t *T) {
			tr := t.pinned()
			tr.Set(t.key("k"), []byte("late"))
			t.pass(pastWindow)
			t.commitFails(tr, kv.CodeTransactionTooOld)
		},
	},
	{
		Name: "TooOldAtCommit/BlindWrite", Needs: []Capability{Clock},
		Shows: "a blind write is never too old",
		run: func(t *T) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("blind"))
			t.pass(pastWindow)
			t.commit(tr)
			require.Equal(t, "blind", t.stored("k"))
		},
	},
	{
		Name: "TooOldAtCommit/ReadOnly", Needs: []Capability{Clock},
		Shows: "a read-only commit asks nobody, so it is never too old",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr, "k")
			t.pass(pastWindow)
			require.Equal(t, int64(-1), t.commit(tr))
		},
	},
	{
		Name: "TooOldAtCommit/NotYet", Needs: []Capability{Clock, History},
		Shows: "a transaction of four seconds reads and commits",
		run: func(t *T) {
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
		Shows: "a get, a range and snapshots of both fail with 1007 when the read version has gone",
		run: func(t *T) {
			get, scan, snapGet, snapScan := t.pinned(), t.pinned(), t.pinned(), t.pinned()
			t.pass(pastWindow)
			t.getFails(get, "k", kv.CodeTransactionTooOld)
			t.scanFails(scan, "a", "z", kv.CodeTransactionTooOld)
			t.getFails(snapGet.Snapshot(), "k", kv.CodeTransactionTooOld)
			t.scanFails(snapScan.Snapshot(), "a", "z", kv.CodeTransactionTooOld)
		},
	},
	{
		Name: "TooOldAtRead/WhatWasReadStays", Needs: []Capability{Clock},
		Shows: "a key that was read in time answers again from the transaction itself",
		run: func(t *T) {
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
		Shows: "a commit after a failed read fails as the read did, even where nothing was written",
		run: func(t *T) {
			tr := t.pinned()
			t.pass(pastWindow)
			t.getFails(tr.Snapshot(), "k", kv.CodeTransactionTooOld)
			t.commitFails(tr, kv.CodeTransactionTooOld)
		},
	},
	{
		Name: "TooOldAtRead/ThenOnError", Needs: []Capability{Clock},
		Shows: "OnError makes the transaction new: it reads at a version of its own time",
		run: func(t *T) {
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

// pass lets time pass, and lets the database notice: versions move on with
// commits.
func (t *T) pass(d time.Duration) {
	t.Helper()
	t.Advance(d)
	t.put("elapsed", "1")
	t.drop("elapsed")
}
