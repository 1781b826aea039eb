package kvtest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// with returns a copy of t that uses another handle on the same data.
func (t *env) with(db kv.Database) *env {
	other := *t
	other.Database = db
	return &other
}

// handleCases cover other handles on the same data, later or concurrently.
var handleCases = []Case{
	{
		Name: "Reopening/KeepsCommits", Needs: []Capability{Reopening},
		Shows: "committed data is still there after the database is closed and opened again",
		run: func(t *env) {
			t.put("a", "1", "b", "2", "empty", "")
			t.drop("b")
			again := t.with(t.Reopen(t))
			require.Equal(t, "a=1 empty=", again.storedAll())
		},
	},
	{
		Name: "Reopening/DropsUncommittedData", Needs: []Capability{Reopening},
		Shows: "uncommitted data is not there after the database is closed and opened again",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			tr.Cancel()
			require.Empty(t, t.with(t.Reopen(t)).storedAll())
		},
	},
	{
		Name: "Reopening/VersionsGrow", Needs: []Capability{Reopening},
		Shows: "versions and versionstamps keep growing",
		run: func(t *env) {
			tr := t.begin()
			before := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("1"))
			version := t.commit(tr)
			again := t.with(t.Reopen(t))
			require.GreaterOrEqual(t, again.readVersion(again.begin()), version)
			tr = again.begin()
			after := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("2"))
			require.Greater(t, again.commit(tr), version)
			require.Greater(t, again.stamp(after), t.stamp(before))
		},
	},
	{
		Name: "Sharing/SeesCommits", Needs: []Capability{Sharing},
		Shows: "a handle sees commits of another handle at once, and both use the same versions",
		run: func(t *env) {
			other := t.with(t.Share(t))
			for range 5 {
				version := t.put("k", "mine")
				require.Equal(t, "mine", other.stored("k"))
				require.GreaterOrEqual(t, other.readVersion(other.begin()), version)
				later := other.put("k", "other's")
				require.Greater(t, later, version)
				require.Equal(t, "other's", t.stored("k"))
			}
		},
	},
	{
		Name: "Sharing/Conflicts", Needs: []Capability{Sharing},
		Shows: "transactions of two handles conflict like those of one",
		run: func(t *env) {
			other := t.with(t.Share(t))
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("k"), []byte("late"))
			other.put("k", "first")
			t.commitFails(tr, kv.CodeNotCommitted)
			require.Equal(t, "first", t.stored("k"))
		},
	},
	{
		Name: "Sharing/Watch", Needs: []Capability{Sharing},
		Shows: "a watch fires for a change made through another handle",
		run: func(t *env) {
			other := t.with(t.Share(t))
			watch := t.committedWatch("k")
			other.put("k", "new")
			t.watchFires(watch)
		},
	},
	{
		Name: "Sharing/Counter", Needs: []Capability{Sharing},
		Shows: "no increment is lost if several handles increment concurrently",
		run: func(t *env) {
			const increments = 15
			handles := []*env{t, t.with(t.Share(t)), t.with(t.Share(t))}
			t.concurrently(len(handles), func(i int) error {
				handle := handles[i]
				for range increments {
					if err := handle.Transact(t.ctx, func(tr kv.Transaction) error { return add(handle, tr, "counter", 1) }); err != nil {
						return err
					}
				}
				return nil
			})
			require.Equal(t, "45", t.stored("counter"))
		},
	},
	{
		Name: "Sharing/SerialOrder", Needs: []Capability{Sharing},
		Shows: "random transactions of several handles are serialisable",
		run: func(t *env) {
			serialOrder(t, t, t.with(t.Share(t)), t.with(t.Share(t)))
		},
	},
}
