package filekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
)

// The parts of bbolt's page format that this package checks. bbolt maps the file into
// memory and does not check page numbers, so a wrong one causes an access to unmapped
// memory. This package therefore checks the pages first, with plain reads.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeaderSize = 16
	elementSize    = 16
	metaSize       = 64 // without its page header

	minPageSize = 1 << 10
	maxPageSize = 1 << 24

	noFreelist = ^uint64(0)
)

// boltMeta is one of bbolt's two meta pages. The current one is the valid one with
// the higher transaction number. Each commit overwrites the other one.
type boltMeta struct {
	pageSize int64
	root     uint64 // page of the root bucket
	freelist uint64 // page of the list of free pages
	pages    uint64 // number of pages
	txid     uint64 // number of the transaction that wrote it
}

// errNoMeta: neither meta page is valid.
var errNoMeta = errors.New("no valid meta page: not a bbolt file, or its beginning is destroyed")

// readMeta returns the current meta page. Other processes may write at the same time.
// A half-written meta page is not valid.
func readMeta(r io.ReaderAt) (boltMeta, error) {
	first, ok := readMetaAt(r, 0)
	if ok {
		second, valid := readMetaAt(r, first.pageSize)
		if valid && second.txid > first.txid {
			second.pageSize = first.pageSize // bbolt uses that of the first one
			return second, nil
		}
		return first, nil
	}
	// The second meta page is at the offset of one page size, which is unknown if the
	// first one is not valid.
	for size := int64(minPageSize); size <= maxPageSize; size *= 2 {
		if second, valid := readMetaAt(r, size); valid && second.pageSize == size {
			return second, nil
		}
	}
	return boltMeta{}, errNoMeta
}

// readMetaAt reads the meta page at an offset. It returns false if the page is not
// valid.
func readMetaAt(r io.ReaderAt, at int64) (boltMeta, bool) {
	var page [pageHeaderSize + metaSize]byte
	if _, err := r.ReadAt(page[:], at); err != nil {
		return boltMeta{}, false
	}
	b := page[pageHeaderSize:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaSize-8])
	order := binary.NativeEndian
	if order.Uint32(b) != boltMagic || order.Uint32(b[4:]) != boltVersion || order.Uint64(b[56:]) != sum.Sum64() {
		return boltMeta{}, false
	}
	m := boltMeta{
		pageSize: int64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	return m, m.pageSize >= minPageSize && m.pageSize <= maxPageSize && bits.OnesCount64(uint64(m.pageSize)) == 1
}

// fits returns an error if the meta page is wrong for a file of the given size.
func (m boltMeta) fits(size int64) error {
	switch {
	case m.pages > 1<<38 || int64(m.pages)*m.pageSize > size:
		return fmt.Errorf("file is cut off: it has %d bytes and should have %d pages of %d", size, m.pages, m.pageSize)
	case m.root < 2 || m.root >= m.pages:
		return fmt.Errorf("root page %d is out of range, the file has %d pages", m.root, m.pages)
	case m.freelist == noFreelist:
		return errors.New("no free list: the file was written by another program")
	case m.freelist < 2 || m.freelist >= m.pages:
		return fmt.Errorf("free list page %d is out of range, the file has %d pages", m.freelist, m.pages)
	}
	return nil
}
