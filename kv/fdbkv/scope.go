package fdbkv

import (
	"context"
	"sync/atomic"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// inlineReads is how many single reads of a transaction need no allocation. An election
// does not read more keys in one batch.
const inlineReads = 4

// scope is the common state of the reads of a transaction. It determines how long they
// may wait and what their errors mean.
type scope struct {
	ctx    context.Context
	own    *ownership               // nil if the transaction is the caller's
	broken atomic.Pointer[kv.Error] // the error of a call that has no result
	used   atomic.Int32             // how many of inline are used
	inline [inlineReads]future[[]byte]
}

// interruption returns an error if the context has ended, so that no operation may wait
// any more. After a successful commit, it returns nil.
func (s *scope) interruption() error {
	if s.own != nil && s.own.hasCommitted() {
		return nil
	}
	return contextError(s.ctx)
}

// failed returns the error of an operation for an error of the binding.
func (s *scope) failed(err error) kv.Error {
	e := convert(err)
	if s.own != nil {
		return s.own.explain(s.ctx, e)
	}
	return e
}

// brokenError returns the error of a transaction that must not be used, or nil.
func (s *scope) brokenError() error {
	if e := s.broken.Load(); e != nil {
		return *e
	}
	return nil
}

// requireUsable panics if the transaction must not be used. Use it only in guarded calls.
func (s *scope) requireUsable() {
	if err := s.brokenError(); err != nil {
		panic(err)
	}
}

// newValue returns a future for a value.
func (s *scope) newValue() *future[[]byte] {
	if s.used.Load() < inlineReads {
		if i := s.used.Add(1) - 1; i < inlineReads {
			f := &s.inline[i]
			f.scope = s
			return f
		}
	}
	return &future[[]byte]{scope: s}
}

// get requests the value of a key.
func (s *scope) get(src fdb.ReadTransaction, name []byte) (answer kv.Future[[]byte]) {
	f := s.newValue()
	answer = f
	defer f.guard()
	s.requireUsable()
	k := lend(name)
	f.src = src.Get(k)
	k.done()
	return answer
}

// getRange requests the first batch of a range. The future requests the others in Get.
func (s *scope) getRange(src fdb.ReadTransaction, begin, end []byte, opts kv.RangeOptions) (answer kv.Future[[]kv.KeyValue]) {
	f := &future[[]kv.KeyValue]{scope: s}
	answer = f
	defer f.guard()
	s.requireUsable()
	checkKey(begin)
	checkKey(end)
	mode := fdb.StreamingModeWantAll
	if opts.Limit > 0 {
		mode = fdb.StreamingModeExact
	}
	r := &rows{span: span{begin, end}}
	r.result = src.GetRange(&r.span, fdb.RangeOptions{Limit: opts.Limit, Reverse: opts.Reverse, Mode: mode})
	f.src = r
	return answer
}

// getReadVersion requests the read version.
func (s *scope) getReadVersion(src fdb.ReadTransaction) (answer kv.Future[int64]) {
	f := &future[int64]{scope: s}
	answer = f
	defer f.guard()
	s.requireUsable()
	f.src = src.GetReadVersion()
	return answer
}
