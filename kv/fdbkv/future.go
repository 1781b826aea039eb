package fdbkv

import (
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// source is a future of the binding.
type source[T any] interface{ Get() (T, error) }

// future is a kv.Future on a future of the binding. The request is sent when the future
// is created. Get only waits.
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
			f.err = f.scope.failed(panicError(p))
		}
	}()
	value, err := await(f.scope, f.src)
	f.src = nil // releases the memory of the binding's future
	if err != nil {
		f.err = f.scope.failed(err)
		return
	}
	f.value = value
}

// guard makes f return the panic of its request as an error.
func (f *future[T]) guard() {
	if p := recover(); p != nil {
		f.src = failedSource[T]{panicError(p)}
	}
}

// await waits for src or until the context of scope ends.
func await[T any](scope *scope, src source[T]) (T, error) {
	if cause := scope.interruption(); cause != nil {
		var zero T
		return zero, interrupted(cause)
	}
	if scope.own != nil || scope.ctx.Done() == nil || ready(src) {
		return src.Get() // if the transaction is ours, its cancellation ends this call
	}
	return abandon(scope, src)
}

// ready reports whether src already has its result.
func ready(src any) bool {
	f, ok := src.(interface{ IsReady() bool })
	return ok && f.IsReady()
}

// abandon waits for src until the context ends. The request itself continues, because it
// is part of the caller's transaction.
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
				a.err = panicError(p)
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
		return zero, interrupted(contextError(scope.ctx))
	}
}

// failedSource is a source that has already failed.
type failedSource[T any] struct{ err error }

func (r failedSource[T]) Get() (T, error) {
	var zero T
	return zero, r.err
}

// rows is a range read. Get requests the batches after the first one.
type rows struct {
	span   span // the binding uses it for the later batches
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
