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
	// commitPatience is how long the end of a context waits for a commit that is
	// being written: a certain answer is worth some milliseconds.
	commitPatience = 25 * time.Millisecond

	// While another program holds the file, it is tried again after firstRetry,
	// then twice that, and so on up to lastRetry.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 50 * time.Millisecond
)

// attempt is one piece of work on the file, and where it stands between its
// caller, who may give it up, and its goroutine, which may pass the point of no
// return.
type attempt struct {
	phase atomic.Int32
	// signals wake the watchers of what a commit changes.
	signals signals
}

const (
	working   = iota // nothing is written yet
	writing          // the commit has begun
	abandoned        // the caller has gone
)

// begin passes the point of no return; false where the caller has gone.
func (a *attempt) begin() bool { return a.phase.CompareAndSwap(working, writing) }

// abandon gives the attempt up; false where the commit has begun.
func (a *attempt) abandon() bool { return a.phase.CompareAndSwap(working, abandoned) }

// outcome is what a piece of work answers.
type outcome[T any] struct {
	value T
	err   error
}

// access runs work while the store is locked in that mode. Every wait ends
// with ctx. Work runs in a goroutine of its own, since a disk may hang for
// longer than ctx lasts: it must share nothing with the caller that either may
// change. The error is a kv.Error.
func access[T any](ctx context.Context, s *store, mode lockMode, work func(*attempt) (T, error)) (T, error) {
	var held error
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		value, err := accessOnce(ctx, s, mode, work)
		switch {
		case errors.Is(err, ErrHeldElsewhere):
			held = err
		case held != nil && kv.CodeOf(err) == kv.CodeTransactionCancelled && kv.OutcomeOf(err) == kv.NotCommitted:
			return value, s.gaveUp(held.Error(), endOf(err)) // what it waited for all along
		default:
			return value, err
		}
		if over := pause(ctx, s.closing, retry); over != nil {
			return value, s.gaveUp(held.Error(), over)
		}
	}
}

// endOf returns why an operation gave up, without what it was doing then.
func endOf(err error) error {
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
		s.turn.leave()
		if _, ok := errors.AsType[*StoreError](err); ok {
			return none, asKV(err)
		}
		return none, s.gaveUp("waiting for other processes", err)
	}
	a := &attempt{}
	done := make(chan outcome[T], 1)
	go func() {
		value, err := guarded(s, a, work)
		s.lock.release()
		s.turn.leave()
		a.signals.send()
		done <- outcome[T]{value, asKV(err)}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	if a.abandon() {
		return none, s.gaveUp("waiting for the disk", causeOfEnd(ctx))
	}
	t := time.NewTimer(commitPatience) //nolint:forbidigo // a disk lives in real time
	defer t.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-t.C:
		return none, kv.Error{
			Code: kv.CodeTransactionCancelled, Committing: true,
			Err: &StoreError{Path: s.path, Problem: "the disk has not confirmed the commit yet", Err: causeOfEnd(ctx)},
		}
	}
}

// enter waits for this process's turn at the store.
func (s *store) enter(ctx context.Context) error {
	if err := ended(ctx, s.closing); err != nil {
		return s.gaveUp("not begun", err)
	}
	if err := s.turn.take(ctx, s.closing); err != nil {
		return s.gaveUp("waiting for other transactions of this process", err)
	}
	if broken := s.broken.Load(); broken != nil {
		s.turn.leave()
		return asKV(broken)
	}
	return nil
}

// gaveUp is the error of an operation that ended before it did anything.
func (s *store) gaveUp(problem string, err error) error {
	return kv.Error{
		Code: kv.CodeTransactionCancelled,
		Err:  &StoreError{Path: s.path, Problem: problem, Err: err},
	}
}

// guarded runs work so that nothing in the file can end the process. bbolt
// panics on pages that make no sense, and an access to a part of the map that
// the file does not have any more is a fault. After either the store is not
// touched again: to go on writing could destroy more.
func guarded[T any](s *store, a *attempt, work func(*attempt) (T, error)) (value T, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		broken := &StoreError{
			Path: s.path, Err: ErrDamaged,
			Problem: fmt.Sprintf("its pages make no sense (%v); restore a copy and open it anew", p),
		}
		s.broken.Store(broken)
		err = kv.Error{Code: kv.CodeIOError, Committing: a.phase.Load() == writing, Err: broken}
	}()
	return work(a)
}
