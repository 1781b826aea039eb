package filekv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kinds of pages, and the flag of a leaf element that is a bucket.
const (
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	bucketHeaderSize = 16
	maxDepth         = 64
)

// pageCheck visits all reachable pages and finds errors that would make bbolt fail:
// page numbers out of range, pages that are used twice or both used and free,
// elements that do not fit their page, and keys that are out of order.
type pageCheck struct {
	r    io.ReaderAt
	meta boltMeta
	used []uint64 // one bit per page
}

// checkPages checks a file whose meta page is valid. The file must not change in the
// meantime.
func checkPages(r io.ReaderAt, meta boltMeta) error {
	c := &pageCheck{r: r, meta: meta, used: make([]uint64, (meta.pages+63)/64)}
	if err := c.freelist(); err != nil {
		return err
	}
	return c.tree(meta.root, nil, nil, 0)
}

// claim marks pages as used. It fails if one of them is already used.
func (c *pageCheck) claim(first, n uint64) error {
	if first < 2 || n > c.meta.pages || first > c.meta.pages-n {
		return fmt.Errorf("pages %d to %d are out of range, the file has %d", first, first+n, c.meta.pages)
	}
	for id := first; id < first+n; id++ {
		if c.used[id/64]&(1<<(id%64)) != 0 {
			return fmt.Errorf("page %d is used twice", id)
		}
		c.used[id/64] |= 1 << (id % 64)
	}
	return nil
}

// page is a page with its overflow.
type page struct {
	kind  uint16
	count int
	data  []byte // header included
}

// parsePage reads the header of a page.
func parsePage(data []byte) page {
	order := binary.NativeEndian
	return page{kind: order.Uint16(data[8:]), count: int(order.Uint16(data[10:])), data: data}
}

// read claims and reads a page.
func (c *pageCheck) read(id uint64) (page, error) {
	if err := c.claim(id, 1); err != nil {
		return page{}, err
	}
	data := make([]byte, c.meta.pageSize)
	at := int64(id) * c.meta.pageSize
	if _, err := c.r.ReadAt(data, at); err != nil {
		return page{}, fmt.Errorf("page %d: %w", id, err)
	}
	order := binary.NativeEndian
	if self := order.Uint64(data); self != id {
		return page{}, fmt.Errorf("page %d has number %d in its header", id, self)
	}
	if overflow := uint64(order.Uint32(data[12:])); overflow > 0 {
		if err := c.claim(id+1, overflow); err != nil {
			return page{}, fmt.Errorf("page %d: overflow: %w", id, err)
		}
		data = append(data, make([]byte, int64(overflow)*c.meta.pageSize)...)
		if _, err := c.r.ReadAt(data[c.meta.pageSize:], at+c.meta.pageSize); err != nil {
			return page{}, fmt.Errorf("page %d: overflow: %w", id, err)
		}
	}
	return parsePage(data), nil
}

// freelist checks the list of free pages and claims them.
func (c *pageCheck) freelist() error {
	p, err := c.read(c.meta.freelist)
	if err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	if p.kind != freelistPage {
		return fmt.Errorf("free list: page %d has kind %#x", c.meta.freelist, p.kind)
	}
	order, ids, n := binary.NativeEndian, p.data[pageHeaderSize:], uint64(p.count)
	if p.count == 0xFFFF { // the count does not fit the header and is the first entry
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return fmt.Errorf("free list: %d entries do not fit its page", n)
	}
	for i := range n {
		if err := c.claim(order.Uint64(ids[8*i:]), 1); err != nil {
			return fmt.Errorf("free list: %w", err)
		}
	}
	return nil
}

// tree checks a page and all pages below it. All keys must be at least low and less
// than high. nil means that there is no bound.
func (c *pageCheck) tree(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d: the tree is deeper than %d levels", id, maxDepth)
	}
	p, err := c.read(id)
	if err != nil {
		return err
	}
	switch p.kind {
	case branchPage:
		err = c.branch(p, low, high, depth)
	case leafPage:
		err = c.leaf(p, low, high, depth)
	default:
		return fmt.Errorf("page %d has kind %#x", id, p.kind)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// branch checks a branch page and all pages below it.
func (c *pageCheck) branch(p page, low, high []byte, depth int) error {
	if p.count == 0 {
		return errors.New("branch without children")
	}
	keys := make([][]byte, p.count+1)
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		pos, size := binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:])
		if keys[i], err = p.bytes(i, pos, size); err != nil {
			return err
		}
	}
	keys[p.count] = high
	if err := ordered(keys[:p.count], low, high); err != nil {
		return err
	}
	for i := range p.count {
		e, _ := p.element(i)
		if err := c.tree(binary.NativeEndian.Uint64(e[8:]), keys[i], keys[i+1], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks a leaf page and the buckets in it.
func (c *pageCheck) leaf(p page, low, high []byte, depth int) error {
	keys := make([][]byte, p.count)
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		order := binary.NativeEndian
		flags, pos, keySize, valueSize := order.Uint32(e), order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
		if keys[i], err = p.bytes(i, pos, keySize); err != nil {
			return err
		}
		value, err := p.bytes(i, pos+keySize, valueSize)
		if err != nil || pos+keySize < pos {
			return fmt.Errorf("element %d exceeds its page", i)
		}
		if flags&bucketFlag != 0 {
			if err := c.bucket(value, depth); err != nil {
				return err
			}
		}
	}
	return ordered(keys, low, high)
}

// bucket checks a bucket. A small bucket is inline: its only page is in its value.
func (c *pageCheck) bucket(value []byte, depth int) error {
	if len(value) < bucketHeaderSize {
		return errors.New("bucket without a header")
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return c.tree(root, nil, nil, depth+1)
	}
	if len(value) < bucketHeaderSize+pageHeaderSize {
		return errors.New("inline bucket without a page")
	}
	p := parsePage(value[bucketHeaderSize:])
	if p.kind != leafPage || depth >= maxDepth {
		return fmt.Errorf("inline bucket has kind %#x", p.kind)
	}
	return c.leaf(p, nil, nil, maxDepth) // an inline bucket has no buckets
}

// element returns the header of an element.
func (p page) element(i int) ([]byte, error) {
	at := pageHeaderSize + i*elementSize
	if at+elementSize > len(p.data) {
		return nil, fmt.Errorf("header of element %d of %d does not fit the page", i, p.count)
	}
	return p.data[at : at+elementSize], nil
}

// bytes returns size bytes of element i. pos is relative to the element's header.
func (p page) bytes(i int, pos, size uint32) ([]byte, error) {
	from := int64(pageHeaderSize+i*elementSize) + int64(pos)
	to := from + int64(size)
	if to > int64(len(p.data)) {
		return nil, fmt.Errorf("element %d exceeds its page", i)
	}
	return p.data[from:to], nil
}

// ordered checks that keys are in ascending order and within their bounds.
func ordered(keys [][]byte, low, high []byte) error {
	for i, key := range keys {
		if (i > 0 && bytes.Compare(keys[i-1], key) >= 0) || bytes.Compare(key, low) < 0 ||
			(high != nil && bytes.Compare(key, high) >= 0) {
			return fmt.Errorf("key %d is out of order", i)
		}
	}
	return nil
}
