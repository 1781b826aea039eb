package filekv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

// A store is a bbolt file with three buckets:
//
//   - meta: the fields below, all integers big-endian;
//   - data: the newest value of each key. A byte stands before the key, since
//     bbolt has no empty one;
//   - log: for each commit of the last seconds, under its version (8 bytes),
//     what it wrote to and what stood there before (undo.go).
var (
	bucketMeta = []byte("meta")
	bucketData = []byte("data")
	bucketLog  = []byte("log")

	fieldMagic  = []byte("magic")
	fieldFormat = []byte("format") // 4 bytes
	fieldID     = []byte("id")     // 16 bytes, random
	fieldState  = []byte("state")  // see state.encode
)

const (
	magic         = "fdbelection/kv/filekv"
	formatVersion = 1
	idSize        = 16

	dataPrefix = 'k'

	// These make the names of what lies beside a store: the file that processes
	// lock, the file that is a store as soon as it is whole, and the directory of
	// the signal files.
	lockSuffix   = ".lock"
	newSuffix    = ".new"
	signalSuffix = ".watch"
)

// FormatVersion is the format of the store files that this package writes, and
// the newest that it reads.
const FormatVersion = formatVersion

// state is what each commit changes in the meta bucket.
type state struct {
	// version is that of the newest commit.
	version int64
	// micros is the time of that commit on its process's clock, in microseconds
	// since 1970. Versions grow by what that clock moves on.
	micros int64
	// floor is the oldest version that can be read.
	floor int64
}

const stateSize = 3*8 + 4

// encode returns the three numbers and a checksum.
func (st state) encode() []byte {
	b := make([]byte, 0, stateSize)
	b = binary.BigEndian.AppendUint64(b, uint64(st.version))
	b = binary.BigEndian.AppendUint64(b, uint64(st.micros))
	b = binary.BigEndian.AppendUint64(b, uint64(st.floor))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// decodeState is the inverse of encode.
func decodeState(b []byte) (state, error) {
	if len(b) != stateSize || crc32.ChecksumIEEE(b[:stateSize-4]) != binary.BigEndian.Uint32(b[stateSize-4:]) {
		return state{}, errors.New("the record of the newest version is damaged")
	}
	st := state{
		version: int64(binary.BigEndian.Uint64(b)),
		micros:  int64(binary.BigEndian.Uint64(b[8:])),
		floor:   int64(binary.BigEndian.Uint64(b[16:])),
	}
	if st.version < 1 || st.floor < 1 || st.floor > st.version {
		return state{}, fmt.Errorf("newest version %d with the oldest at %d", st.version, st.floor)
	}
	return st, nil
}

// buckets are the parts of a store within a transaction.
type buckets struct {
	meta, data, log *bbolt.Bucket
	state           state
}

// openBuckets finds the parts, and checks that the store is one, is of a format
// that is known, and is the one that was opened. An id of nil is any.
func (s *store) openBuckets(tx *bbolt.Tx, id []byte) (*buckets, error) {
	b := &buckets{meta: tx.Bucket(bucketMeta)}
	if b.meta == nil || string(b.meta.Get(fieldMagic)) != magic {
		return nil, &StoreError{Path: s.path, Problem: "it is a bbolt file of another program; choose another path", Err: ErrNotAStore}
	}
	format := b.meta.Get(fieldFormat)
	if len(format) != 4 {
		return nil, s.damaged("it names no format")
	}
	if v := binary.BigEndian.Uint32(format); v > formatVersion {
		return nil, &StoreError{
			Path: s.path, Err: ErrNewerFormat,
			Problem: fmt.Sprintf("it has format %d, this program knows %d; use a newer program", v, formatVersion),
		}
	} else if v != formatVersion {
		return nil, s.damaged("it names format %d", v)
	}
	stored := b.meta.Get(fieldID)
	if len(stored) != idSize {
		return nil, s.damaged("it has no identity")
	}
	if id != nil && !bytes.Equal(stored, id) {
		return nil, &StoreError{Path: s.path, Problem: "another file was put in its place while it was open; open it anew", Err: ErrReplaced}
	}
	b.data, b.log = tx.Bucket(bucketData), tx.Bucket(bucketLog)
	if b.data == nil || b.log == nil {
		return nil, s.damaged("a part of it is missing")
	}
	var err error
	if b.state, err = decodeState(b.meta.Get(fieldState)); err != nil {
		return nil, s.damaged("%v", err)
	}
	return b, nil
}

// damaged is the error about content that contradicts itself.
func (s *store) damaged(format string, args ...any) error {
	return &StoreError{
		Path: s.path, Err: ErrDamaged,
		Problem: fmt.Sprintf(format, args...) + "; keep the file for inspection and restore a copy",
	}
}

// dataKey is how a key is stored.
func dataKey(key []byte) []byte {
	b := make([]byte, 0, len(key)+1)
	return append(append(b, dataPrefix), key...)
}

// logKey is how a version is stored.
func logKey(version int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(version))
}
