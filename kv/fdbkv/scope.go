package fdbkv

import (
	"context"
	"sync/atomic"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// waveSize is how many single reads of a transaction need no allocation here.
// An election's wave has no more.
const waveSize = 4

// scope is what the reads of one transaction have in common: how long they may
// be awaited, and what their errors mean.
type scope struct {
	ctx  context.Context
	own  *ownership               // nil where the transaction is the caller's
	ill  atomic.Pointer[kv.Error] // what a call without a result could not return
	used atomic.Int32             // how many of wave are taken
	wave [waveSize]future[[]byte]
}

// interruption returns why nothing of the transaction may be awaited any more:
// the end of its context. A commit that has succeeded is not undone by that.
func (s *scope) interruption() error {
	if s.own != nil && s.own.hasCommitted() {
		return nil
	}
	return ended(s.ctx)
}

// failed returns what an operation answers with, where the binding said err.
func (s *scope) failed(err error) kv.Error {
	e := convert(err)
	if s.own != nil {
		return s.own.explain(s.ctx, e)
	}
	return e
}

// spoilt returns why the transaction must not be used, or nil.
func (s *scope) spoilt() error {
	if e := s.ill.Load(); e != nil {
		return *e
	}
	return nil
}

// usable panics where the transaction is spoilt: inside of a guarded call only.
func (s *scope) usable() {
	if err := s.spoilt(); err != nil {
		panic(err)
	}
}

// newValue returns a future for a value.
func (s *scope) newValue() *future[[]byte] {
	if s.used.Load() < waveSize {
		if i := s.used.Add(1) - 1; i < waveSize {
			f := &s.wave[i]
			f.scope = s
			return f
		}
	}
	return &future[[]byte]{scope: s}
}

// get asks for a key.
func (s *scope) get(src fdb.ReadTransaction, name []byte) (answer kv.Future[[]byte]) {
	f := s.newValue()
	answer = f
	defer f.guard()
	s.usable()
	k := lend(name)
	f.src = src.Get(k)
	k.done()
	return answer
}

// getRange asks for a range: for its first batch now, for the others when it
// is awaited.
func (s *scope) getRange(src fdb.ReadTransaction, begin, end []byte, opts kv.RangeOptions) (answer kv.Future[[]kv.KeyValue]) {
	f := &future[[]kv.KeyValue]{scope: s}
	answer = f
	defer f.guard()
	s.usable()
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

// getReadVersion asks for the version at which the transaction reads.
func (s *scope) getReadVersion(src fdb.ReadTransaction) (answer kv.Future[int64]) {
	f := &future[int64]{scope: s}
	answer = f
	defer f.guard()
	s.usable()
	f.src = src.GetReadVersion()
	return answer
}
