package kvtest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// on returns the case's T over another handle of the same data.
func (t *T) on(db kv.Database) *T {
	other := *t
	other.Database = db
	return &other
}

// handleCases: the same data behind another handle, later or at once.
var handleCases = []Case{
	{
		Name: "Reopening/KeepsCommits", Needs: []Capability{Reopening},
		Shows: "what was committed is there after the database was closed and opened again",
		run: func(t *T) {
			t.put("a", "1", "b", "2", "empty", "")
			t.drop("b")
			again := t.on(t.Reopen(t))
			require.Equal(t, "a=1 empty=", again.storedAll())
		},
	},
	{
		Name: "Reopening/DropsTheUncommitted", Needs: []Capability{Reopening},
		Shows: "what was not committed is not",
		run: func(t *T) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			tr.Cancel()
			require.Empty(t, t.on(t.Reopen(t)).storedAll())
		},
	},
	{
		Name: "Reopening/VersionsGrow", Needs: []Capability{Reopening},
		Shows: "versions and stamps go on growing",
		run: func(t *T) {
			tr := t.begin()
			before := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("1"))
			version := t.commit(tr)
			again := t.on(t.Reopen(t))
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
		Shows: "one handle sees what another has committed, at once, and versions are common",
		run: func(t *T) {
			other := t.on(t.Share(t))
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
		Shows: "transactions of two handles conflict as two of one do",
		run: func(t *T) {
			other := t.on(t.Share(t))
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
		run: func(t *T) {
			other := t.on(t.Share(t))
			watch := t.watching("k")
			other.put("k", "new")
			t.fired(watch)
		},
	},
	{
		Name: "Sharing/Counter", Needs: []Capability{Sharing},
		Shows: "increments through several handles are all counted",
		run: func(t *T) {
			const increments = 15
			handles := []*T{t, t.on(t.Share(t)), t.on(t.Share(t))}
			t.together(len(handles), func(i int) error {
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
		Shows: "random transactions through several handles saw what they would have seen one after the other",
		run: func(t *T) {
			serialOrder(t, t, t.on(t.Share(t)), t.on(t.Share(t)))
		},
	},
	{
		Name: "Sharing/Histories", Needs: []Capability{Sharing, History},
		Shows: "random interleavings of transactions of several handles answer as a model of the rules does",
		run: func(t *T) {
			histories(t, 20, t, t.on(t.Share(t)), t.on(t.Share(t)))
		},
	},
}
