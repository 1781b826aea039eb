package fdbkv

import (
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// source is a future of the binding.
type source[T any] interface{ Get() (T, error) }

// future is a kv.Future over one of the binding's. The request was sent when
// it was made; Get only waits.
type future[T any] struct {
	scope *scope
	src   source[T]

	once  sync.Once
	value T
	err   error
}

// Get implements kv.Future.
func (f *future[T]) Get() (T, error) {
	f.once.Do(f.wait)
	return f.value, f.err
}

func (f *future[T]) wait() {
	defer func() {
		if p := recover(); p != nil {
			f.err = f.scope.failed(caught(p))
		}
	}()
	value, err := await(f.scope, f.src)
	f.src = nil // the binding's future has memory of its own
	if err != nil {
		f.err = f.scope.failed(err)
		return
	}
	f.value = value
}

// guard makes a future of a request that panicked.
func (f *future[T]) guard() {
	if p := recover(); p != nil {
		f.src = refused[T]{caught(p)}
	}
}

// await waits for src, and no longer than scope allows.
func await[T any](scope *scope, src source[T]) (T, error) {
	if cause := scope.interruption(); cause != nil {
		var zero T
		return zero, interrupted(cause)
	}
	if scope.own != nil || scope.ctx.Done() == nil || ready(src) {
		return src.Get() // where the transaction is ours, its cancellation ends this
	}
	return abandon(scope, src)
}

// ready reports whether src has its answer already.
func ready(src any) bool {
	f, ok := src.(interface{ IsReady() bool })
	return ok && f.IsReady()
}

// abandon waits for src until the context ends. The request goes on: it is part
// of a transaction that belongs to somebody else, and ends with it.
func abandon[T any](scope *scope, src source[T]) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a.err = caught(p)
			}
			answered <- a
		}()
		a.value, a.err = src.Get()
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-scope.ctx.Done():
		var zero T
		return zero, interrupted(ended(scope.ctx))
	}
}

// refused is a source that has failed already.
type refused[T any] struct{ err error }

func (r refused[T]) Get() (T, error) {
	var zero T
	return zero, r.err
}

// rows is a range read: its later batches are asked for while it is awaited.
type rows struct {
	span   span // the binding keeps it for the batches
	result fdb.RangeResult
}

func (r *rows) Get() ([]kv.KeyValue, error) {
	found, err := r.result.GetSliceWithError()
	if err != nil {
		return nil, err
	}
	out := make([]kv.KeyValue, len(found))
	for i, row := range found {
		out[i] = kv.KeyValue{Key: row.Key, Value: row.Value}
	}
	return out, nil
}

// stamp is the versionstamp of a commit.
type stamp struct{ fdb.FutureKey }

func (s stamp) Get() ([]byte, error) { return s.FutureKey.Get() }
