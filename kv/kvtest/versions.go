package kvtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// versionCases check how versions grow.
var versionCases = []Case{
	{
		Name:  "Versions/CommitsGrow",
		Shows: "the version of a commit is above those of all commits acknowledged before it",
		run: func(t *env) {
			last := int64(0)
			for range 20 {
				version := t.put("k", "v")
				require.Greater(t, version, last)
				last = version
			}
		},
	},
	{
		Name:  "Versions/CommitAboveReadVersion",
		Shows: "the version of a commit is above its read version",
		run: func(t *env) {
			for range 20 {
				tr := t.begin()
				read := t.readVersion(tr)
				tr.Set(t.key("k"), []byte("v"))
				require.Greater(t, t.commit(tr), read)
			}
		},
	},
	{
		Name:  "Versions/ReadVersionsNeverGoBack",
		Shows: "a read version is at least as high as all read versions returned before",
		run: func(t *env) {
			last := int64(1)
			for i := range 20 {
				version := t.readVersion(t.begin())
				require.GreaterOrEqual(t, version, last)
				last = version
				if i%3 == 0 {
					last = t.put("k", "v")
				}
			}
		},
	},
	{
		Name:  "Versions/FollowTheClock",
		Shows: "versions advance by about a million per second",
		Needs: []Capability{Clock},
		run: func(t *env) {
			before := t.put("k", "1")
			t.Advance(3 * time.Second)
			grown := t.put("k", "2") - before
			require.InEpsilon(t, 3e6, grown, 0.2)
		},
	},
	{
		Name:  "Versions/RecoveryJumps",
		Shows: "a recovery advances versions by a hundred million and loses nothing",
		Needs: []Capability{Recovery},
		run: func(t *env) {
			before := t.put("k", "v")
			t.Recover()
			tr := t.begin()
			require.Equal(t, "v", t.get(tr, "k"))
			require.GreaterOrEqual(t, t.readVersion(tr)-before, int64(1e8))
		},
	},
	{
		Name:  "Versions/RecoveryOutdatesOpenTransactions",
		Shows: "transactions that are open during a recovery fail with 1007 when they read or commit",
		Needs: []Capability{Recovery},
		run: func(t *env) {
			reader, writer := t.pinned(), t.begin()
			t.get(writer, "k")
			writer.Set(t.key("k"), []byte("v"))
			t.Recover()
			t.getFails(reader, "k", kv.CodeTransactionTooOld)
			t.commitFails(writer, kv.CodeTransactionTooOld)
		},
	},
}

// readVersionCases check strict serialisability, and that a transaction has one
// read version.
var readVersionCases = []Case{
	{
		Name:  "ReadVersion/SeesAcknowledgedCommits",
		Shows: "a read version is at least as high as all commits acknowledged before it was requested",
		run: func(t *env) {
			for range 20 {
				version := t.put("k", "v")
				require.GreaterOrEqual(t, t.readVersion(t.begin()), version)
			}
		},
	},
	{
		Name:  "ReadVersion/SeesCommitsOfOtherGoroutines",
		Shows: "a transaction sees every commit acknowledged before it began, on any goroutine",
		run: func(t *env) {
			t.concurrently(4, func(i int) error {
				for range 10 {
					if err := writeThenRead(t, numbered(i)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	},
	{
		Name:  "ReadVersion/TakenByTheFirstRead",
		Shows: "a transaction that has not read yet sees commits made after its creation",
		run: func(t *env) {
			tr := t.begin()
			t.put("k", "v")
			require.Equal(t, "v", t.get(tr, "k"))
		},
	},
	{
		Name:  "ReadVersion/StaysTheSame",
		Shows: "the read version of a transaction does not change",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			version := t.readVersion(tr)
			t.put("k", "later")
			require.Equal(t, version, t.readVersion(tr))
			require.Equal(t, version, t.readVersion(tr.Snapshot()))
		},
	},
	{
		Name:  "ReadVersion/OneStateInAllReads",
		Shows: "later reads of a transaction do not see commits made after its first read",
		Needs: []Capability{History},
		run: func(t *env) {
			t.put("a", "old", "b", "old", "c", "old")
			tr := t.begin()
			require.Equal(t, "old", t.get(tr, "a"))
			t.put("b", "new", "d", "new")
			t.drop("c")
			require.Equal(t, "old", t.get(tr, "b"))
			require.Equal(t, "old", t.get(tr, "c"))
			require.Equal(t, absent, t.get(tr, "d"))
			require.Equal(t, "a=old b=old c=old", t.all(tr, "", ""))
			require.Equal(t, "a=old b=old c=old", t.all(tr.Snapshot(), "", ""))
		},
	},
	{
		Name:  "ReadVersion/NoNewerData",
		Shows: "if the read version is no longer kept, a read fails with 1007 and does not return newer data",
		run: func(t *env) {
			t.put("a", "old", "b", "old")
			tr := t.begin()
			require.Equal(t, "old", t.get(tr, "a"))
			t.put("a", "new", "b", "new")
			value, err := tr.Get(t.key("b")).Get()
			if err != nil {
				t.fails(err, kv.CodeTransactionTooOld, "Get")
				return
			}
			require.Equal(t, "old", string(value))
		},
	},
	{
		Name:  "ReadVersion/NewAfterReset",
		Shows: "a transaction takes a new read version after Reset and OnError",
		run: func(t *env) {
			tr := t.begin()
			require.Equal(t, absent, t.get(tr, "k"))
			t.put("k", "one")
			tr.Reset()
			require.Equal(t, "one", t.get(tr, "k"))
			t.put("k", "two")
			require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
			require.Equal(t, "two", t.get(tr, "k"))
		},
	},
}

// writeThenRead commits a value and checks that the next transaction sees it.
func writeThenRead(t *env, key string) error {
	err := t.Transact(t.ctx, func(tr kv.Transaction) error {
		tr.Set(t.key(key), []byte("v"))
		return nil
	})
	if err != nil {
		return err
	}
	value, err := kv.ReadTransact(t.ctx, t, func(tr kv.ReadTransaction) ([]byte, error) {
		return tr.Get(t.key(key)).Get()
	})
	if err != nil {
		return err
	}
	if string(value) != "v" {
		return errUnseen
	}
	return t.Transact(t.ctx, func(tr kv.Transaction) error {
		tr.Clear(t.key(key))
		return nil
	})
}
