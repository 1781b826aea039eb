package kvtest

import (
	"encoding/binary"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// unreadableCases: what a versionstamp will decide cannot be read in the
// transaction that writes it.
var unreadableCases = []Case{
	{
		Name:  "AccessedUnreadable/Get",
		Shows: "a get of a versionstamped value fails with 1036, as a snapshot too",
		run: func(t *T) {
			t.getFails(stampValue(t), "k", kv.CodeAccessedUnreadable)
			t.getFails(stampValue(t).Snapshot(), "k", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/Range",
		Shows: "so does a range over it",
		run: func(t *T) {
			t.scanFails(stampValue(t), "a", "z", kv.CodeAccessedUnreadable)
			t.scanFails(stampValue(t).Snapshot(), "a", "z", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/Beside",
		Shows: "keys and ranges beside it can be read",
		run: func(t *T) {
			t.put("j", "v", "l", "v")
			tr := stampValue(t)
			require.Equal(t, "v", t.get(tr, "j"))
			require.Equal(t, "l=v", t.all(tr, "l", "z"))
			require.Equal(t, "j=v", t.all(tr, "a", "k"))
			t.commit(tr)
		},
	},
	{
		Name:  "AccessedUnreadable/LimitBefore",
		Shows: "a range whose limit is reached before it is answered",
		run: func(t *T) {
			t.put("a", "1", "b", "2", "y", "3", "z", "4")
			require.Equal(t, "a=1 b=2", t.scan(stampValue(t), "", "", firstTwo))
			require.Equal(t, "z=4 y=3", t.scan(stampValue(t), "", "", lastTwo))
		},
	},
	{
		Name:  "AccessedUnreadable/AfterSet",
		Shows: "a later set of the key does not make it readable",
		run: func(t *T) {
			tr := stampValue(t)
			tr.Set(t.key("k"), []byte("plain"))
			t.getFails(tr, "k", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/AfterClear",
		Shows: "a later clear does",
		run: func(t *T) {
			tr := stampValue(t)
			tr.Clear(t.key("k"))
			require.Equal(t, absent, t.get(tr, "k"))
			tr.Set(t.key("k"), []byte("plain"))
			require.Equal(t, "plain", t.get(tr, "k"))
			t.commit(tr)
			require.Equal(t, "plain", t.stored("k"))
		},
	},
	{
		Name:  "AccessedUnreadable/AfterClearRange",
		Shows: "so does a clear of the range around it",
		run: func(t *T) {
			tr := stampValue(t)
			tr.ClearRange(t.key("a"), t.key("z"))
			require.Equal(t, absent, t.get(tr, "k"))
		},
	},
	{
		Name:  "AccessedUnreadable/WhereAStampedKeyMayLand",
		Shows: "a range that may hold the transaction's own versionstamped key fails with 1036",
		run: func(t *T) {
			tr := t.begin()
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			t.scanFails(tr, "a", "z", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/BesideAStampedKey",
		Shows: "one that cannot hold it is answered",
		run: func(t *T) {
			t.put("j", "v", "l", "v")
			tr := t.begin()
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			require.Equal(t, "j=v", t.all(tr, "a", "k"))
			require.Equal(t, "l=v", t.all(tr, "l", "z"))
		},
	},
	{
		Name:  "AccessedUnreadable/StampedKeyAfterARead",
		Shows: "the place of a stamped key begins at the transaction's read version: a key with the stamp of an older version can be read",
		run: func(t *T) {
			row := putStampedKey(t, "k")
			t.put("other", "v") // so that the read version is above the row's
			tr := t.begin()
			version := t.readVersion(tr)
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			require.Equal(t, row+"=v", t.scan(tr, "k", "k~", kv.RangeOptions{Limit: 1}))
			older, first := stampedKey("k", version-1, 0xffff), stampedKey("k", version, 0)
			require.Equal(t, absent, t.get(tr, older))
			require.Equal(t, row+"=v", t.all(tr, "k", first))
			t.getFails(tr, first, kv.CodeAccessedUnreadable)
			t.scanFails(tr, older, first+"\x00", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/StampedKeyBeforeAnyRead",
		Shows: "without a read version it begins at version zero, and a read that takes one later changes nothing",
		run: func(t *T) {
			putStampedKey(t, "k")
			t.put("other", "v")
			tr := t.begin()
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			t.readVersion(tr)
			t.scanFails(tr, "k", "k~", kv.CodeAccessedUnreadable)
			t.getFails(tr, stampedKey("k", 0, 0), kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/Commit",
		Shows: "a commit after such a read fails with 1036 too, and writes nothing",
		run: func(t *T) {
			tr := stampValue(t)
			tr.Set(t.key("x"), []byte("v"))
			t.getFails(tr, "k", kv.CodeAccessedUnreadable)
			err := tr.Commit()
			t.fails(err, kv.CodeAccessedUnreadable, "Commit")
			require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "AccessedUnreadable/NextTransaction",
		Shows: "the next transaction reads the stamp",
		run: func(t *T) {
			tr := stampValue(t)
			stamp := tr.GetVersionstamp()
			t.commit(tr)
			require.Equal(t, t.stamp(stamp), t.stored("k"))
		},
	},
}

// stampValue begins a transaction that writes a versionstamped value at k.
func stampValue(t *T) kv.OwnedTransaction {
	tr := t.begin()
	tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
	return tr
}

// putStampedKey commits a key that is name and a stamp, and returns it.
func putStampedKey(t *T, name string) string {
	t.Helper()
	tr := t.begin()
	stamp := tr.GetVersionstamp()
	tr.SetVersionstampedKey(t.template(name), []byte("v"))
	t.commit(tr)
	return name + t.stamp(stamp)
}

// stampedKey returns the key that a commit makes of the template of name.
func stampedKey(name string, version int64, batch uint16) string {
	key := binary.BigEndian.AppendUint64([]byte(name), uint64(version))
	return string(binary.BigEndian.AppendUint16(key, batch))
}
