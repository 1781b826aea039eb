package filekv

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

const (
	// commitGrace is how long an operation waits for a commit that is being written
	// after its context has ended. A certain result is worth a short wait.
	commitGrace = 25 * time.Millisecond

	// While another program holds the file, the time between two attempts starts with
	// firstRetry and doubles up to lastRetry.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 50 * time.Millisecond
)

// attempt is one operation on the file. Its caller may abandon it until its
// goroutine begins to write.
type attempt struct {
	phase atomic.Int32
	// signals wake the watchers of the keys that a commit changes.
	signals signals
}

const (
	working   = iota // nothing is written yet
	writing          // the commit has begun
	abandoned        // the caller has returned
)

// begin marks the start of the write. It returns false if the caller has abandoned
// the attempt.
func (a *attempt) begin() bool { return a.phase.CompareAndSwap(working, writing) }

// abandon returns false if the write has begun.
func (a *attempt) abandon() bool { return a.phase.CompareAndSwap(working, abandoned) }

// outcome is the result of an operation.
type outcome[T any] struct {
	value T
	err   error
}

// access locks the store in the given mode and runs work. It returns when ctx ends,
// even if the disk hangs. work runs in its own goroutine for that reason, so it must
// not share mutable memory with the caller. The error is a kv.Error.
func access[T any](ctx context.Context, s *store, mode lockMode, work func(*attempt) (T, error)) (T, error) {
	var held error
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		value, err := accessOnce(ctx, s, mode, work)
		switch {
		case errors.Is(err, errHeldElsewhere):
			held = err
		case held != nil && kv.CodeOf(err) == kv.CodeTransactionCancelled && kv.OutcomeOf(err) == kv.NotCommitted:
			return value, s.cancelled(held.Error(), rootCause(err)) // it was waiting for the other program
		default:
			return value, err
		}
		if over := pause(ctx, s.closing, retry); over != nil {
			return value, s.cancelled(held.Error(), over)
		}
	}
}

// rootCause returns the cause of a StoreError, without the description of what the
// operation was doing.
func rootCause(err error) error {
	if se, ok := errors.AsType[*StoreError](err); ok {
		return se.Err
	}
	return err
}

func accessOnce[T any](ctx context.Context, s *store, mode lockMode, work func(*attempt) (T, error)) (T, error) {
	var none T
	if err := s.enter(ctx); err != nil {
		return none, err
	}
	if err := s.lock.acquire(ctx, s.closing, mode); err != nil {
		s.local.release()
		if _, ok := errors.AsType[*StoreError](err); ok {
			return none, toKVError(err)
		}
		return none, s.cancelled("waiting for other processes", err)
	}
	a := &attempt{}
	done := make(chan outcome[T], 1)
	go func() {
		value, err := recovering(s, a, work)
		s.lock.release()
		s.local.release()
		a.signals.send()
		done <- outcome[T]{value, toKVError(err)}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	if a.abandon() {
		return none, s.cancelled("waiting for the disk", contextError(ctx))
	}
	t := time.NewTimer(commitGrace) //nolint:forbidigo // the disk works in real time
	defer t.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-t.C:
		return none, kv.Error{
			Code: kv.CodeTransactionCancelled, Committing: true,
			Err: &StoreError{Path: s.path, Problem: "the disk has not confirmed the commit yet", Err: contextError(ctx)},
		}
	}
}

// enter waits until no other goroutine of this process uses the file.
func (s *store) enter(ctx context.Context) error {
	if err := waitError(ctx, s.closing); err != nil {
		return s.cancelled("not started", err)
	}
	if err := s.local.acquire(ctx, s.closing); err != nil {
		return s.cancelled("waiting for other transactions of this process", err)
	}
	if broken := s.broken.Load(); broken != nil {
		s.local.release()
		return toKVError(broken)
	}
	return nil
}

// cancelled returns the error of an operation that ended before it had any effect.
func (s *store) cancelled(problem string, err error) error {
	return kv.Error{
		Code: kv.CodeTransactionCancelled,
		Err:  &StoreError{Path: s.path, Problem: problem, Err: err},
	}
}

// recovering runs work so that a damaged file cannot crash the process. bbolt panics
// on invalid pages, and if the file was truncated, access to its memory map is a
// fault. After either, the DB does not use the file again, because further writes
// could destroy more.
func recovering[T any](s *store, a *attempt, work func(*attempt) (T, error)) (value T, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		broken := &StoreError{
			Path: s.path, Err: ErrDamaged,
			Problem: fmt.Sprintf("its pages are invalid (%v); restore a copy and open the store again", p),
		}
		s.broken.Store(broken)
		err = kv.Error{Code: kv.CodeIOError, Committing: a.phase.Load() == writing, Err: broken}
	}()
	return work(a)
}
