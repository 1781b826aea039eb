package client

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fdbelection/fdbelection/kv"
)

// block returns a hook that sends on begun and then waits until the context ends. A
// commit that it stops may still be applied.
func block(begun chan<- struct{}, committing bool) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		return kv.Error{Code: kv.CodeTransactionCancelled, Committing: committing}
	}
}

// TestEndOfAWait checks the error of a pending read or commit for everything that
// can end it.
func TestEndOfAWait(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, c := range map[string]struct {
		code  int
		cause error
		end   func(s *fakeStore, tr *Transaction, cancel func())
	}{
		"context": {kv.CodeTransactionCancelled, context.Canceled, func(_ *fakeStore, _ *Transaction, cancel func()) { cancel() }},
		"cancel":  {kv.CodeTransactionCancelled, nil, func(_ *fakeStore, tr *Transaction, _ func()) { tr.Cancel() }},
		"reset":   {kv.CodeTransactionCancelled, nil, func(_ *fakeStore, tr *Transaction, _ func()) { tr.Reset() }},
		"timeout": {kv.CodeTransactionTimedOut, nil, func(s *fakeStore, tr *Transaction, _ func()) {
			s.pass(time.Hour)
			tr.SetTimeout(time.Minute)
		}},
	} {
		for _, commit := range []bool{false, true} {
			s, begun := newFakeStore(), make(chan struct{}, 1)
			ctx, cancel := context.WithCancel(context.Background())
			tr := NewTransaction(ctx, s, Options{})
			s.onRead, s.onCommit = block(begun, false), block(begun, true)
			answer := make(chan error, 1)
			if commit {
				tr.Set([]byte("k"), nil)
				go func() { answer <- tr.Commit() }()
			} else {
				f := tr.Get([]byte("k"))
				go func() { _, err := f.Get(); answer <- err }()
			}
			<-begun
			c.end(s, tr, cancel)
			err := <-answer
			require.Equal(t, c.code, kv.CodeOf(err), name)
			if c.cause != nil {
				require.ErrorIs(t, err, c.cause, name)
			}
			if commit {
				require.Equal(t, kv.Unsettled, kv.OutcomeOf(err), name)
			} else {
				require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err), name)
			}
			tr.Cancel()
			cancel()
		}
	}
}

// TestDeadlineOfAWait checks that a wait ends when the store's clock reaches the
// time limit, even if the limit was moved meanwhile.
func TestDeadlineOfAWait(t *testing.T) {
	defer goleak.VerifyNone(t)
	s, begun := newFakeStore(), make(chan struct{}, 1)
	ticks := make(chan time.Duration)
	slept := make(chan struct{})
	s.onSleep = func(ctx context.Context, d time.Duration) error {
		select {
		case ticks <- d:
		case <-ctx.Done():
			return ctx.Err()
		}
		<-slept
		return nil
	}
	s.onRead = block(begun, false)
	tr := s.begin()
	tr.SetTimeout(time.Second)
	answer := make(chan error, 1)
	f := tr.Get([]byte("k"))
	go func() { _, err := f.Get(); answer <- err }()
	<-begun
	require.Equal(t, time.Second, <-ticks)
	s.pass(time.Second)
	tr.SetTimeout(3 * time.Second)
	slept <- struct{}{}
	require.Equal(t, 2*time.Second, <-ticks)
	s.pass(2 * time.Second)
	slept <- struct{}{}
	require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(<-answer))
	tr.Cancel()
}

// TestContextOfACall checks that a store sees the caller's context values and the
// earlier deadline, and that the context may end before the store waits.
func TestContextOfACall(t *testing.T) {
	defer goleak.VerifyNone(t)
	type label struct{}
	s := newFakeStore()
	parent, cancel := context.WithDeadline(context.WithValue(context.Background(), label{}, "me"), s.now.Add(time.Hour))
	defer cancel()
	parent = context.WithoutCancel(parent)
	tr := NewTransaction(parent, s, Options{})
	life := tr.life
	_, has := life.Deadline()
	require.False(t, has)
	tr.SetTimeout(time.Minute)
	deadline, has := life.Deadline()
	require.True(t, has)
	require.Equal(t, s.now.Add(time.Minute), deadline)
	require.Equal(t, "me", life.Value(label{}))
	require.NoError(t, life.Err())
	tr.Cancel()
	require.ErrorIs(t, life.Err(), context.Canceled)
	<-life.Done()
	require.Equal(t, "me", life.Value(label{}))

	derived, stop := context.WithCancel(life)
	defer stop()
	require.ErrorIs(t, derived.Err(), context.Canceled)
}
