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
//   - data: the newest value of each key. The keys have a prefix of one byte, since
//     bbolt does not support an empty key;
//   - log: the commits of the last seconds. The key is the version (8 bytes). The
//     value holds the ranges that the commit wrote and the values that it replaced
//     (undo.go).
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
	magic  = "fdbelection/kv/filekv"
	idSize = 16

	dataPrefix = 'k'

	// Suffixes of the files beside a store: the lock file, the temporary file of a new
	// store, and the directory of the signal files.
	lockSuffix   = ".lock"
	newSuffix    = ".new"
	signalSuffix = ".watch"
)

// FormatVersion is the format that this package writes, and the newest format that
// it can read.
const FormatVersion = 1

// state is the part of the meta bucket that each commit changes.
type state struct {
	// version is the version of the newest commit.
	version int64
	// micros is the time of that commit on the clock of its process, in microseconds
	// since 1970. The version grows by the difference between two commits.
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
		return state{}, fmt.Errorf("newest version is %d, oldest version is %d", st.version, st.floor)
	}
	return st, nil
}

// buckets holds the parts of a store in a transaction.
type buckets struct {
	meta, data, log *bbolt.Bucket
	state           state
}

// openBuckets opens the buckets. It checks that the file is a store, that its format
// is known, and that its id is the given one, unless id is nil.
func (s *store) openBuckets(tx *bbolt.Tx, id []byte) (*buckets, error) {
	b := &buckets{meta: tx.Bucket(bucketMeta)}
	if b.meta == nil || string(b.meta.Get(fieldMagic)) != magic {
		return nil, &StoreError{Path: s.path, Problem: "it is a bbolt file of another program; choose another path", Err: ErrNotAStore}
	}
	format := b.meta.Get(fieldFormat)
	if len(format) != 4 {
		return nil, s.damaged("it has no format number")
	}
	if v := binary.BigEndian.Uint32(format); v > FormatVersion {
		return nil, &StoreError{
			Path: s.path, Err: ErrNewerFormat,
			Problem: fmt.Sprintf("it has format %d, but this program knows only up to %d; use a newer program", v, FormatVersion),
		}
	} else if v != FormatVersion {
		return nil, s.damaged("it has format %d, which does not exist", v)
	}
	stored := b.meta.Get(fieldID)
	if len(stored) != idSize {
		return nil, s.damaged("it has no valid id")
	}
	if id != nil && !bytes.Equal(stored, id) {
		return nil, &StoreError{Path: s.path, Problem: "another file was put in its place while it was open; open the store again", Err: ErrReplaced}
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

// damaged returns the error for invalid content.
func (s *store) damaged(format string, args ...any) error {
	return &StoreError{
		Path: s.path, Err: ErrDamaged,
		Problem: fmt.Sprintf(format, args...) + "; keep the file for inspection and restore a copy",
	}
}

// dataKey returns the stored form of a key.
func dataKey(key []byte) []byte {
	b := make([]byte, 0, len(key)+1)
	return append(append(b, dataPrefix), key...)
}

// logKey returns the stored form of a version.
func logKey(version int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(version))
}
