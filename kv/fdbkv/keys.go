package fdbkv

import (
	"math"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// key hands a key to the binding. An fdb.Key in an interface would cost an
// allocation for each call; a pointer from a pool does not.
type key []byte

// FDBKey implements fdb.KeyConvertible.
func (k *key) FDBKey() fdb.Key { return fdb.Key(*k) }

var keys = sync.Pool{New: func() any { return new(key) }}

// lend returns bytes as the binding wants a key, and panics as check does. The
// binding has copied them when its call returns: then the key goes back with done.
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

// span hands a range to the binding.
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

// checkKey and checkValue refuse what is so long that the binding's 32-bit
// lengths would overflow. FoundationDB itself refuses what is merely too long.
func checkKey(bytes []byte) { check(bytes, kv.CodeKeyTooLarge) }

func checkValue(bytes []byte) { check(bytes, kv.CodeValueTooLarge) }

// check panics like the binding does; whoever guards the call catches it.
func check(bytes []byte, code int) {
	if len(bytes) > math.MaxInt32-1 {
		panic(fdb.Error{Code: code})
	}
}
