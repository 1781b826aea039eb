package fdbkv

import (
	"math"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// key passes a key to the binding. An fdb.Key in an interface would need an allocation
// in each call. A pointer from a pool does not.
type key []byte

// FDBKey implements fdb.KeyConvertible.
func (k *key) FDBKey() fdb.Key { return fdb.Key(*k) }

var keys = sync.Pool{New: func() any { return new(key) }}

// lend returns bytes in the form that the binding takes, and panics as check does. The
// binding copies them during its call. Call done after it.
func lend(bytes []byte) *key {
	checkKey(bytes)
	k := keys.Get().(*key)
	*k = bytes
	return k
}

func (k *key) done() {
	*k = nil
	keys.Put(k)
}

// span passes a range to the binding.
type span struct{ begin, end key }

var _ fdb.ExactRange = (*span)(nil)

// FDBRangeKeys implements fdb.ExactRange.
func (s *span) FDBRangeKeys() (begin, end fdb.KeyConvertible) { return &s.begin, &s.end }

// FDBRangeKeySelectors implements fdb.Range.
func (s *span) FDBRangeKeySelectors() (begin, end fdb.Selectable) {
	return fdb.FirstGreaterOrEqual(&s.begin), fdb.FirstGreaterOrEqual(&s.end)
}

var spans = sync.Pool{New: func() any { return new(span) }}

// lendSpan is lend for a range.
func lendSpan(begin, end []byte) *span {
	checkKey(begin)
	checkKey(end)
	s := spans.Get().(*span)
	s.begin, s.end = begin, end
	return s
}

func (s *span) done() {
	s.begin, s.end = nil, nil
	spans.Put(s)
}

// checkKey and checkValue reject lengths that would overflow the 32-bit lengths of the
// binding. FoundationDB itself rejects keys and values that are too long otherwise.
func checkKey(bytes []byte) { check(bytes, kv.CodeKeyTooLarge) }

func checkValue(bytes []byte) { check(bytes, kv.CodeValueTooLarge) }

// check panics with an fdb.Error, as the binding does. The guard of the call recovers it.
func check(bytes []byte, code int) {
	if len(bytes) > math.MaxInt32-1 {
		panic(fdb.Error{Code: code})
	}
}
