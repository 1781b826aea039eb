package kvtest

import (
	"encoding/binary"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// stampSize is the length of a versionstamp: 8 bytes of version and 2 of
// batch, both big-endian.
const stampSize = 10

// placeholder is replaced by the versionstamp.
const placeholder = "##########"

// stampTemplate returns the template for before + stamp + after, with its offset.
func stampTemplate(before, after string) []byte {
	return withOffset(before+placeholder+after, uint32(len(before)))
}

// withOffset appends a little-endian offset.
func withOffset(text string, offset uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte(text), offset)
}

// template returns the template of a versionstamped key: name + stamp.
func (t *env) template(name string) []byte {
	return stampTemplate(string(t.Prefix)+name, "")
}

// stamp waits for a versionstamp that was requested before a commit.
func (t *env) stamp(future kv.Future[[]byte]) string {
	t.Helper()
	stamp, err := future.Get()
	require.NoError(t, err, "GetVersionstamp")
	require.Len(t, stamp, stampSize)
	return string(stamp)
}

// versionstampCases cover versionstamps in keys and values.
var versionstampCases = []Case{
	{
		Name:  "Versionstamps/Value",
		Shows: "a versionstamped value is the template with the stamp of GetVersionstamp, without the offset",
		run: func(t *env) {
			tr := t.begin()
			stamp := tr.GetVersionstamp()
			tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
			t.commit(tr)
			require.Equal(t, t.stamp(stamp), t.stored("k"))
		},
	},
	{
		Name:  "Versionstamps/Key",
		Shows: "a versionstamped key is the template with the stamp, without the offset",
		run: func(t *env) {
			tr := t.begin()
			stamp := tr.GetVersionstamp()
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			t.commit(tr)
			require.Equal(t, "k"+t.stamp(stamp)+"=v", t.storedAll())
		},
	},
	{
		Name:  "Versionstamps/Offset",
		Shows: "the stamp replaces the bytes at the offset, and the other bytes stay unchanged",
		run: func(t *env) {
			tr := t.begin()
			future := tr.GetVersionstamp()
			tr.SetVersionstampedValue(t.key("v"), stampTemplate("before-", "-after"))
			tr.SetVersionstampedValue(t.key("w"), withOffset("##"+placeholder, 0))
			tr.SetVersionstampedKey(stampTemplate(string(t.Prefix)+"k-", "-tail"), []byte("1"))
			t.commit(tr)
			stamp := t.stamp(future)
			require.Equal(t, "before-"+stamp+"-after", t.stored("v"))
			require.Equal(t, stamp+"##", t.stored("w"))
			require.Equal(t, "1", t.stored("k-"+stamp+"-tail"))
		},
	},
	{
		Name:  "Versionstamps/ContainTheVersion",
		Shows: "the first 8 bytes of a stamp are the committed version, big-endian",
		run: func(t *env) {
			tr := t.begin()
			future := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("v"))
			version := t.commit(tr)
			stamp := t.stamp(future)
			require.Equal(t, uint64(version), binary.BigEndian.Uint64([]byte(stamp)))
		},
	},
	{
		Name:  "Versionstamps/KeyAfterAClear",
		Shows: "a clear of the template with a zero stamp does not remove the write, but a clear of all keys that it can become does",
		run: func(t *env) {
			zero := stampedKey("k", 0, 0)
			tr := t.begin()
			stamp := tr.GetVersionstamp()
			tr.SetVersionstampedKey(t.template("k"), []byte("v"))
			tr.Clear(t.key(zero))
			require.Equal(t, absent, t.get(tr, zero))
			t.commit(tr)
			require.Equal(t, "k"+t.stamp(stamp)+"=v", t.storedAll())

			tr = t.begin()
			tr.SetVersionstampedKey(t.template("l"), []byte("v"))
			tr.ClearRange(t.key("k"), t.key("m"))
			t.commit(tr)
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "Versionstamps/OnePerTransaction",
		Shows: "all versionstamped operations of a transaction get the same stamp; the bytes after it, the user version, distinguish them",
		run: func(t *env) {
			tr := t.begin()
			future := tr.GetVersionstamp()
			for _, user := range []string{"\x00\x00", "\x00\x01"} {
				tr.SetVersionstampedKey(stampTemplate(string(t.Prefix)+"k", user), []byte("v"))
			}
			t.commit(tr)
			stamp := t.stamp(future)
			require.Equal(t, "k"+stamp+"\x00\x00=v k"+stamp+"\x00\x01=v", t.storedAll())
		},
	},
	{
		Name:  "Versionstamps/Grow",
		Shows: "stamps have the order of the commits",
		run: func(t *env) {
			last := ""
			for range 20 {
				tr := t.begin()
				future := tr.GetVersionstamp()
				tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
				t.commit(tr)
				stamp := t.stamp(future)
				require.Greater(t, stamp, last)
				last = stamp
			}
		},
	},
	{
		Name:  "Versionstamps/Unique",
		Shows: "no two commits have the same stamp, even if they have the same version",
		run:   uniqueStamps,
	},
	{
		Name:  "Versionstamps/LastWriteWins",
		Shows: "a versionstamped value replaces an earlier set of its key, and a later clear removes it",
		run: func(t *env) {
			tr := t.begin()
			future := tr.GetVersionstamp()
			tr.Set(t.key("a"), []byte("plain"))
			tr.SetVersionstampedValue(t.key("a"), stampTemplate("", ""))
			tr.SetVersionstampedValue(t.key("b"), stampTemplate("", ""))
			tr.Clear(t.key("b"))
			t.commit(tr)
			require.Equal(t, "a="+t.stamp(future), t.storedAll())
		},
	},
	{
		Name:  "Versionstamps/AfterConflict",
		Shows: "after a conflict, the versionstamp fails with 2020",
		run: func(t *env) {
			tr := t.begin()
			t.get(tr, "k")
			stamp := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("v"))
			t.put("k", "other")
			t.commitFails(tr, kv.CodeNotCommitted)
			_, err := stamp.Get()
			t.fails(err, kv.CodeInvalidVersion, "GetVersionstamp")
		},
	},
	{
		Name:  "Versionstamps/AfterReset",
		Shows: "a versionstamp requested before Reset fails with 1100",
		run: func(t *env) {
			tr := t.begin()
			stamp := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("v"))
			tr.Reset()
			_, err := stamp.Get()
			t.fails(err, codeBrokenPromise, "GetVersionstamp")
		},
	},
	{
		Name:  "Versionstamps/AfterRetry",
		Shows: "a versionstamp requested before a retry by OnError fails with 1100",
		run: func(t *env) {
			tr := t.begin()
			stamp := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("v"))
			require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
			_, err := stamp.Get()
			t.fails(err, codeBrokenPromise, "GetVersionstamp")
		},
	},
	{
		Name:  "Versionstamps/AfterCancel",
		Shows: "a versionstamp requested before Cancel fails with 1025",
		run: func(t *env) {
			tr := t.begin()
			stamp := tr.GetVersionstamp()
			tr.Set(t.key("k"), []byte("v"))
			tr.Cancel()
			_, err := stamp.Get()
			t.fails(err, kv.CodeTransactionCancelled, "GetVersionstamp")
		},
	},
}

// codeBrokenPromise is FoundationDB's broken_promise: the result can no longer be
// determined.
const codeBrokenPromise = 1100

func uniqueStamps(t *env) {
	const workers, commits = 8, 20
	var mu sync.Mutex
	seen := map[string]bool{}
	t.concurrently(workers, func(worker int) error {
		for range commits {
			tr, err := t.CreateTransaction(t.ctx)
			if err != nil {
				return err
			}
			future := tr.GetVersionstamp()
			tr.Set(t.key(numbered(worker)), []byte("v"))
			if err := tr.Commit(); err != nil {
				return err
			}
			stamp, err := future.Get()
			if err != nil {
				return err
			}
			mu.Lock()
			seen[string(stamp)] = true
			mu.Unlock()
		}
		return nil
	})
	require.Len(t, seen, workers*commits, "different stamps")
}

// badTemplates have no room for a stamp at their offset.
var badTemplates = []struct {
	name     string
	template func(text string) []byte
}{
	{"OffsetPastTheEnd", func(text string) []byte { return withOffset(text+placeholder, uint32(len(text))+1) }},
	{"OffsetFarOutside", func(text string) []byte { return withOffset(text+placeholder, 400) }},
	{"OffsetNegative", func(text string) []byte { return withOffset(text+placeholder, 0xffffffff) }},
	{"NoRoomForAStamp", func(string) []byte { return withOffset("#########", 0) }},
	{"NoRoomForAnOffset", func(string) []byte { return []byte("###") }},
}

// badTemplateCases cover templates without room for a stamp.
func badTemplateCases() []Case {
	cases := make([]Case, 0, len(badTemplates)+1)
	for _, c := range badTemplates {
		cases = append(cases, Case{
			Name:  "BadVersionstampTemplate/" + c.name,
			Shows: "the next read and the commit fail with 2000, and nothing is written",
			run: func(t *env) {
				for _, apply := range []func(tr kv.Transaction){
					func(tr kv.Transaction) {
						tr.SetVersionstampedValue(t.key("k"), c.template("text"))
					},
					func(tr kv.Transaction) {
						tr.SetVersionstampedKey(c.template(string(t.Prefix)+"k"), []byte("v"))
					},
				} {
					tr := t.begin()
					tr.Set(t.key("neighbour"), []byte("v"))
					apply(tr)
					t.getFails(tr, "other", kv.CodeInvalidOperation)
					t.scanFails(tr, "a", "z", kv.CodeInvalidOperation)
					t.commitFails(tr, kv.CodeInvalidOperation)
				}
				require.Empty(t, t.storedAll())
			},
		})
	}
	return append(cases, Case{
		Name:  "BadVersionstampTemplate/AfterReset",
		Shows: "Reset clears the error",
		run: func(t *env) {
			tr := t.begin()
			tr.SetVersionstampedValue(t.key("k"), []byte("#"))
			tr.Reset()
			tr.Set(t.key("k"), []byte("v"))
			t.commit(tr)
			require.Equal(t, "v", t.stored("k"))
		},
	})
}
