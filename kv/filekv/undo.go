package filekv

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// logEntry is the log record of a commit. It has the data to find conflicts with the
// commit, and to read at an older version.
type logEntry struct {
	writes []client.Range
	undo   []previous
}

// previous is the value of a key before a commit. A nil value means that there was no
// key.
type previous struct {
	key, value []byte
}

// Flags of a previous value in a log entry.
const (
	wasAbsent  = 0
	wasPresent = 1
)

var errLogEntry = errors.New("a log entry is damaged")

// encode returns the number of ranges and the ranges, then the number of previous
// values and the values. Numbers are uvarints. Each byte string follows its length.
func (e *logEntry) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(e.writes)))
	for _, r := range e.writes {
		b = appendBytes(appendBytes(b, r.Begin), r.End)
	}
	b = binary.AppendUvarint(b, uint64(len(e.undo)))
	for _, p := range e.undo {
		b = appendBytes(b, p.key)
		if p.value == nil {
			b = append(b, wasAbsent)
		} else {
			b = appendBytes(append(b, wasPresent), p.value)
		}
	}
	return b
}

func appendBytes(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeLogEntry is the inverse of encode. If undo is false, it decodes only the
// ranges. The result shares memory with b.
func decodeLogEntry(b []byte, undo bool) (logEntry, error) {
	var e logEntry
	r := entryReader{b: b}
	for n := r.count(); n > 0 && !r.bad; n-- {
		e.writes = append(e.writes, client.Range{Begin: r.bytes(), End: r.bytes()})
	}
	if undo {
		for n := r.count(); n > 0 && !r.bad; n-- {
			p := previous{key: r.bytes()}
			switch r.byte() {
			case wasAbsent:
			case wasPresent:
				p.value = r.bytes()
			default:
				r.bad = true
			}
			e.undo = append(e.undo, p)
		}
		r.bad = r.bad || len(r.b) > 0
	}
	if r.bad {
		return logEntry{}, errLogEntry
	}
	return e, nil
}

// entryReader decodes an entry. After invalid bytes, bad is set and all further values
// are empty.
type entryReader struct {
	b   []byte
	bad bool
}

func (r *entryReader) count() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

// bytes never returns nil.
func (r *entryReader) bytes() []byte {
	n := r.count()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return []byte{}
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

func (r *entryReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// since calls fn with the log entries after a version, oldest first, until fn returns
// false.
func (s *store) since(log *bbolt.Bucket, version int64, undo bool, fn func(logEntry) bool) error {
	c := log.Cursor()
	for k, v := c.Seek(logKey(version + 1)); k != nil; k, v = c.Next() {
		e, err := decodeLogEntry(v, undo)
		if err != nil {
			return s.damaged("%v", err)
		}
		if !fn(e) {
			return nil
		}
	}
	return nil
}
