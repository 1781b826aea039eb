package kvtest

import (
	"encoding/binary"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// unreadableCases check that a transaction cannot read keys and values that its
// versionstamp will determine.
var unreadableCases = []Case{
	{
		Name:  "AccessedUnreadable/Get",
		Shows: "a get or a snapshot get of an own versionstamped value fails with 1036",
		run: func(t *env) {
			t.getFails(stampValue(t), "k", kv.CodeAccessedUnreadable)
			t.getFails(stampValue(t).Snapshot(), "k", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/Range",
		Shows: "a range read that includes it fails with 1036",
		run: func(t *env) {
			t.scanFails(stampValue(t), "a", "z", kv.CodeAccessedUnreadable)
			t.scanFails(stampValue(t).Snapshot(), "a", "z", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/OtherKeys",
		Shows: "other keys and ranges can be read",
		run: func(t *env) {
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
		Shows: "a range read whose limit is reached before the key succeeds",
		run: func(t *env) {
			t.put("a", "1", "b", "2", "y", "3", "z", "4")
			require.Equal(t, "a=1 b=2", t.scan(stampValue(t), "", "", firstTwo))
			require.Equal(t, "z=4 y=3", t.scan(stampValue(t), "", "", lastTwo))
		},
	},
	{
		Name:  "AccessedUnreadable/AfterSet",
		Shows: "a later set of the key does not make it readable",
		run: func(t *env) {
			tr := stampValue(t)
			tr.Set(t.key("k"), []byte("plain"))
			t.getFails(tr, "k", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/AfterClear",
		Shows: "a later clear of the key makes it readable",
		run: func(t *env) {
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
		Shows: "a later clear of a range around the key makes it readable",
		run: func(t *env) {
			tr := stampValue(t)
			tr.ClearRange(t.key("a"), t.key("z"))
			require.Equal(t, absent, t.get(tr, "k"))
		},
	},
	{
		Name:  "AccessedUnreadable/StampedKeyRange",
		Shows: "a range read where the transaction's own versionstamped key may be fails with 1036",
		run: func(t *env) {
			tr := t.begin()
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			t.scanFails(tr, "a", "z", kv.CodeAccessedUnreadable)
		},
	},
	{
		Name:  "AccessedUnreadable/OutsideStampedKeyRange",
		Shows: "a range read where it cannot be succeeds",
		run: func(t *env) {
			t.put("j", "v", "l", "v")
			tr := t.begin()
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			require.Equal(t, "j=v", t.all(tr, "a", "k"))
			require.Equal(t, "l=v", t.all(tr, "l", "z"))
		},
	},
	{
		Name:  "AccessedUnreadable/StampedKeyAfterARead",
		Shows: "the unreadable range of a versionstamped key begins at the transaction's read version, so keys with older stamps can be read",
		run: func(t *env) {
			row := putStampedKey(t, "k")
			t.put("other", "v") // so that the read version is above the version of row
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
		Shows: "without a read version it begins at version zero, even if a later read takes a read version",
		run: func(t *env) {
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
		Shows: "a commit after such a read fails with 1036, too, and writes nothing",
		run: func(t *env) {
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
		Shows: "the next transaction reads the versionstamp",
		run: func(t *env) {
			tr := stampValue(t)
			stamp := tr.GetVersionstamp()
			t.commit(tr)
			require.Equal(t, t.stamp(stamp), t.stored("k"))
		},
	},
}

// stampValue begins a transaction with a versionstamped value at k.
func stampValue(t *env) kv.OwnedTransaction {
	tr := t.begin()
	tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
	return tr
}

// putStampedKey commits a key that consists of name and a stamp, and returns it.
func putStampedKey(t *env, name string) string {
	t.Helper()
	tr := t.begin()
	stamp := tr.GetVersionstamp()
	tr.SetVersionstampedKey(t.template(name), []byte("v"))
	t.commit(tr)
	return name + t.stamp(stamp)
}

// stampedKey returns the key for a name and a versionstamp.
func stampedKey(name string, version int64, batch uint16) string {
	key := binary.BigEndian.AppendUint64([]byte(name), uint64(version))
	return string(binary.BigEndian.AppendUint16(key, batch))
}
