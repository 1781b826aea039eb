//go:build unix

package filekv

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// largeStore returns the bytes of a store with pages of every kind, including branch,
// overflow and free pages.
func largeStore(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	db, err := Open(path, Options{})
	require.NoError(t, err)
	for i := range 6 {
		c := &client.Commit{}
		for n := range 60 {
			key := fmt.Sprintf("key %d/%03d", i, n)
			c.Mutations = append(c.Mutations, client.Mutation{Kind: client.MutationSet, Key: []byte(key), Value: make([]byte, 100+n%3*2000)})
		}
		c.Mutations = append(c.Mutations, client.Mutation{
			Kind: client.MutationClearRange, Key: fmt.Appendf(nil, "key %d/", i-3), Value: fmt.Appendf(nil, "key %d0", i-3),
		})
		_, err := db.store.Commit(t.Context(), c)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// exercise opens a file and reads and writes it. The process must not crash, whatever
// the file contains. exercise reports whether there was no error.
func exercise(t testing.TB, path string) bool {
	t.Helper()
	db, err := Open(path, Options{MustExist: true})
	if err != nil {
		var se *StoreError
		require.ErrorAs(t, err, &se)
		require.Equal(t, path, se.Path)
		return false
	}
	defer func() { require.NoError(t, db.Close()) }()
	everything := []*client.Read{{Key: []byte{}, End: []byte{0xff}}, {Key: []byte{}, End: []byte{0xff}, Reverse: true, Limit: 9}}
	_, readErr := db.store.Read(t.Context(), 0, everything)
	commit := setting("key 4/030", "v")
	commit.Mutations = append(commit.Mutations, client.Mutation{Kind: client.MutationClearRange, Key: []byte("key 3/"), Value: []byte("key 5/")})
	_, commitErr := db.store.Commit(t.Context(), commit)
	for _, err := range []error{readErr, commitErr} {
		if err != nil {
			require.Equal(t, kv.CodeIOError, kv.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, path)
		}
	}
	return readErr == nil && commitErr == nil
}

// fixSums corrects the checksums of the meta pages, so that damage in them is not found
// immediately.
func fixSums(content []byte) {
	for _, at := range []int{0, os.Getpagesize()} {
		if meta := content[at+pageHeaderSize:]; len(meta) >= metaSize {
			binary.NativeEndian.PutUint64(meta[metaSize-8:], sum64(meta[:metaSize-8]))
		}
	}
}

func sum64(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// TestDamagedFiles opens files with random damage: changed bytes and words, exchanged
// pages, and a truncated end.
func TestDamagedFiles(t *testing.T) {
	intact := largeStore(t)
	meta, err := readMeta(readerAt(intact))
	require.NoError(t, err)
	pages := int(meta.pages) // the rest of the file is empty
	dir := t.TempDir()
	files, seed := 100, rand.Uint64()
	if given, ok := testseed.Given(t); ok { // of the file that failed
		files, seed = 1, given
	}
	well := 0
	for i := range files {
		damage := rand.New(rand.NewPCG(seed, 0))
		path := filepath.Join(dir, strconv.Itoa(i))
		require.NoError(t, os.WriteFile(path, damaged(damage, intact, pages), 0o600))
		replay := testseed.Replay(t, seed) // of the whole test
		ok := t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Log(replay) // before a panic
			if exercise(t, path) {
				well++
			}
		})
		if !ok {
			return
		}
		seed++
	}
	t.Logf("%d files, %d of them had no error", files, well)
}

// damaged returns a copy with some damage.
func damaged(r *rand.Rand, intact []byte, pages int) []byte {
	content := append([]byte{}, intact...)
	size := os.Getpagesize()
	for range 1 + r.IntN(3) {
		at := r.IntN(pages) * size // damage to headers is the worst
		switch r.IntN(6) {
		case 0:
			content[r.IntN(len(content))] ^= byte(1 + r.IntN(255))
		case 1:
			content[at+r.IntN(256)] ^= 1 << r.IntN(8)
		case 2:
			binary.NativeEndian.PutUint32(content[at+4*r.IntN(40):], r.Uint32())
		case 3:
			binary.NativeEndian.PutUint64(content[at+8*r.IntN(20):], r.Uint64N(uint64(2*pages)))
		case 4:
			copy(content[at:at+size], content[r.IntN(pages)*size:])
		case 5:
			if pages > 4 {
				content = content[:2*size+r.IntN((pages-2)*size)]
				pages = len(content) / size
			}
		}
	}
	if r.IntN(2) == 0 {
		fixSums(content)
	}
	return content
}

// TestCheckPages checks the errors that checkPages finds. Each of them would make bbolt
// fail.
func TestCheckPages(t *testing.T) {
	intact := largeStore(t)
	size := os.Getpagesize()
	meta, err := readMeta(readerAt(intact))
	require.NoError(t, err)
	require.NoError(t, meta.fits(int64(len(intact))))
	require.NoError(t, checkPages(readerAt(intact), meta))

	branch := findPage(t, intact, meta, branchPage)
	leaf := findPage(t, intact, meta, leafPage)
	header := func(page uint64, offset int) int { return int(page)*size + offset }
	for _, c := range []struct {
		name string
		at   int
		put  any
		says string
	}{
		{"a wrong page number", header(branch, 0), uint64(1), "in its header"},
		{"an unknown kind of page", header(branch, 8), uint16(0x20), "has kind 0x20"},
		{"a branch that refers to itself", header(branch, 24), branch, "used twice"},
		{"a branch that refers to a page beyond the end", header(branch, 24), meta.pages, "pages"},
		{"a branch that refers to a meta page", header(branch, 24), uint64(1), "pages"},
		{"a branch without children", header(branch, 10), uint16(0), "without children"},
		{"more elements than fit", header(leaf, 10), uint16(60_000), "exceeds its page"},
		{"a key beyond the page", header(leaf, 16+8), uint32(1 << 20), "exceeds its page"},
		{"a value beyond the page", header(leaf, 16+12), uint32(1 << 20), "exceeds its page"},
		{"a value with an overflowing length", header(leaf, 16+8), ^uint32(0), "exceeds its page"},
		{"an overflow beyond the end", header(leaf, 12), uint32(1 << 30), "overflow"},
		{"a bucket without a header", header(leaf, 16), uint32(bucketFlag), ""},
		{"a free list of the wrong kind", header(meta.freelist, 8), uint16(leafPage), "free list"},
		{"a free list longer than its page", header(meta.freelist, 10), uint16(60_000), "do not fit"},
		{"a page that is free and used", header(meta.freelist, 16), branch, "used twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := append([]byte{}, intact...)
			_, err := binary.Encode(content[c.at:], binary.NativeEndian, c.put)
			require.NoError(t, err)
			err = checkPages(readerAt(content), meta)
			require.Error(t, err)
			require.ErrorContains(t, err, c.says)
			path := filepath.Join(t.TempDir(), "store")
			require.NoError(t, os.WriteFile(path, content, 0o600))
			_, err = Open(path, Options{})
			require.ErrorIs(t, err, ErrDamaged)
		})
	}
}

// readerAt reads from memory.
type readerAt []byte

func (b readerAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(b)) {
		return 0, os.ErrInvalid
	}
	return copy(p, b[off:]), nil
}

// findPage returns a used page of a kind that has several elements.
func findPage(t *testing.T, intact []byte, meta boltMeta, kind uint16) uint64 {
	t.Helper()
	c := &pageCheck{r: readerAt(intact), meta: meta, used: make([]uint64, (meta.pages+63)/64)}
	require.NoError(t, c.freelist())
	free := append([]uint64{}, c.used...)
	require.NoError(t, c.tree(meta.root, nil, nil, 0))
	for id := uint64(2); id < meta.pages; id++ {
		bit := uint64(1) << (id % 64)
		p := parsePage(intact[int(id)*int(meta.pageSize):][:meta.pageSize])
		inUse := c.used[id/64]&bit != 0 && free[id/64]&bit == 0
		if inUse && p.kind == kind && p.count > 3 && binary.NativeEndian.Uint64(p.data) == id {
			return id
		}
	}
	require.FailNow(t, "no such page")
	return 0
}

// TestCheckAgreesWithBolt: bbolt finds no error in a file that checkPages accepts.
func TestCheckAgreesWithBolt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	require.NoError(t, os.WriteFile(path, largeStore(t), 0o600))
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			require.NoError(t, err)
		}
		return nil
	}))
}

func FuzzLogEntry(f *testing.F) {
	f.Add((&logEntry{}).encode())
	f.Add((&logEntry{
		writes: []client.Range{keyRange("a"), {Begin: []byte{}, End: []byte("z")}},
		undo:   []previous{{key: []byte{}, value: []byte{}}, {key: []byte("a")}, {key: []byte("b"), value: []byte("v")}},
	}).encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeLogEntry(b, true)
		if err != nil {
			require.ErrorIs(t, err, errLogEntry)
			return
		}
		again, err := decodeLogEntry(e.encode(), true)
		require.NoError(t, err)
		require.Equal(t, e, again)
		writes, err := decodeLogEntry(b, false)
		require.NoError(t, err)
		require.Equal(t, e.writes, writes.writes)
	})
}

func FuzzPages(f *testing.F) {
	intact := largeStore(f)
	f.Add(uint32(0), []byte{})
	f.Add(uint32(2*os.Getpagesize()), intact[3*os.Getpagesize():4*os.Getpagesize()])
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		content := append([]byte{}, intact...)
		copy(content[int(at)%len(content):], patch)
		fixSums(content)
		meta, err := readMeta(readerAt(content))
		if err != nil || meta.fits(int64(len(content))) != nil {
			return
		}
		_ = checkPages(readerAt(content), meta)
	})
}
