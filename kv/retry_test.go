package kv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// answers sets the result of each commit in turn. A nil error applies the commit.
// An error in before replaces the commit, and one in after replaces its result.
type answers struct {
	before, after []error
	commits       int
}

func (a *answers) hooks() *memkv.Hooks {
	pick := func(list []error) error {
		if a.commits < len(list) {
			return list[a.commits]
		}
		return nil
	}
	return &memkv.Hooks{
		Before: func(_ context.Context, c *memkv.Call) error {
			if c.Kind != memkv.CallCommit {
				return nil
			}
			err := pick(a.before)
			if err != nil {
				a.commits++
			}
			return err
		},
		After: func(_ context.Context, c *memkv.Call) error {
			if c.Kind != memkv.CallCommit {
				return nil
			}
			err := pick(a.after)
			a.commits++
			return err
		},
	}
}

// recorder returns a database that records its back-offs instead of waiting.
func recorder(a *answers, slept *[]time.Duration) *memkv.DB {
	return memkv.New(memkv.Options{
		Sleep: func(ctx context.Context, d time.Duration) error {
			*slept = append(*slept, d)
			return ctx.Err()
		},
		Jitter: func() float64 { return 0.5 },
		Hooks:  a.hooks(),
	})
}

func set(tr kv.Transaction) error {
	tr.Set([]byte("k"), []byte("v"))
	return nil
}

// TestTransactRetries checks which commit errors make Transact run the closure
// again.
func TestTransactRetries(t *testing.T) {
	for _, code := range []int{1007, 1009, 1020, 1021, 1037, 1038, 1042, 1051, 1078, 1213} {
		var slept []time.Duration
		db := recorder(&answers{before: []error{kv.Error{Code: code}}}, &slept)
		runs := 0
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			runs++
			return set(tr)
		}), "code %d", code)
		require.Equal(t, 2, runs, "code %d", code)
		require.Len(t, slept, 1, "code %d", code)
	}
	for _, code := range []int{1025, 1031, 1036, 1039, 1510, 2101, 4711} {
		var slept []time.Duration
		db := recorder(&answers{before: []error{kv.Error{Code: code}}}, &slept)
		err := db.Transact(t.Context(), set)
		require.Equal(t, code, kv.CodeOf(err))
		require.Empty(t, slept, "code %d", code)
	}
}

// TestUnknownResultRunsAgain checks that the closure runs again after a commit that
// was applied and returned 1021, and that it sees the writes of its first run.
func TestUnknownResultRunsAgain(t *testing.T) {
	var slept []time.Duration
	db := recorder(&answers{after: []error{kv.Error{Code: kv.CodeCommitUnknownResult}}}, &slept)
	var seen [][]byte
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		v, err := tr.Get([]byte("k")).Get()
		seen = append(seen, v)
		if err != nil {
			return err
		}
		return set(tr)
	}))
	require.Equal(t, [][]byte{nil, []byte("v")}, seen)
	require.EqualValues(t, 2, db.Counters().Commits)
}

// TestWrappedErrorStillRetries checks that the closure may wrap the error of a
// read.
func TestWrappedErrorStillRetries(t *testing.T) {
	var slept []time.Duration
	db := recorder(&answers{}, &slept)
	for name, transact := range map[string]func(fail func() error) error{
		"Transact": func(fail func() error) error {
			return db.Transact(t.Context(), func(kv.Transaction) error { return fail() })
		},
		"ReadTransact": func(fail func() error) error {
			return db.ReadTransact(t.Context(), func(kv.ReadTransaction) error { return fail() })
		},
	} {
		runs := 0
		require.NoError(t, transact(func() error {
			if runs++; runs < 3 {
				return fmt.Errorf("read leader: %w", kv.Error{Code: kv.CodeTransactionTooOld})
			}
			return nil
		}), name)
		require.Equal(t, 3, runs, name)
	}
	require.Equal(t, []time.Duration{10 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond}, slept)
}

// TestOtherErrorsEndTransact checks that an error without a code is returned
// unchanged.
func TestOtherErrorsEndTransact(t *testing.T) {
	var slept []time.Duration
	db := recorder(&answers{}, &slept)
	mine := errors.New("not today")
	err := db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Set([]byte("k"), []byte("v"))
		return mine
	})
	require.Same(t, mine, err)
	require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
	require.Zero(t, db.Counters().Commits)
	require.Same(t, mine, db.ReadTransact(t.Context(), func(kv.ReadTransaction) error { return mine }))
}

// TestContextEndsInBackoff checks that the error keeps the code and the outcome of
// the attempt and matches the context's error.
func TestContextEndsInBackoff(t *testing.T) {
	for _, c := range []struct {
		code    int
		outcome kv.Outcome
	}{
		{kv.CodeNotCommitted, kv.NotCommitted},
		{kv.CodeCommitUnknownResult, kv.UnknownResult},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		db := memkv.New(memkv.Options{
			Sleep: func(ctx context.Context, _ time.Duration) error {
				cancel()
				<-ctx.Done()
				return ctx.Err()
			},
			Hooks: (&answers{before: []error{kv.Error{Code: c.code}}}).hooks(),
		})
		err := db.Transact(ctx, set)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, c.code, kv.CodeOf(err))
		require.Equal(t, c.outcome, kv.OutcomeOf(err))
	}
}

// TestContextEndsBeforeBackoff checks that there is no back-off after the context
// ends.
func TestContextEndsBeforeBackoff(t *testing.T) {
	var slept []time.Duration
	db := recorder(&answers{}, &slept)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the caller is gone")
	err := db.Transact(ctx, func(kv.Transaction) error {
		cancel(gone)
		return kv.Error{Code: kv.CodeNotCommitted}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, gone)
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(err))
	require.Empty(t, slept)
}

// TestContextEndsBeforeCommit checks that the outcome is NotCommitted.
func TestContextEndsBeforeCommit(t *testing.T) {
	var slept []time.Duration
	a := &answers{}
	db := recorder(a, &slept)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Transact(ctx, func(tr kv.Transaction) error {
		tr.Set([]byte("k"), []byte("v"))
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
	require.Zero(t, a.commits)
}

// TestContextEndsDuringCommit checks that the outcome is Unsettled.
func TestContextEndsDuringCommit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{
		After: func(ctx context.Context, c *memkv.Call) error {
			if c.Kind != memkv.CallCommit {
				return nil
			}
			cancel()
			<-ctx.Done()
			return ctx.Err()
		},
	}})
	err := db.Transact(ctx, set)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
	require.EqualValues(t, 1, db.Counters().Commits)
}

// TestTransactValue checks that the helpers return the value of the last attempt.
func TestTransactValue(t *testing.T) {
	var slept []time.Duration
	db := recorder(&answers{before: []error{kv.Error{Code: kv.CodeNotCommitted}}}, &slept)
	runs := 0
	n, err := kv.Transact(t.Context(), db, func(tr kv.Transaction) (int, error) {
		runs++
		return runs, set(tr)
	})
	require.NoError(t, err)
	require.Equal(t, 2, n)

	v, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]byte, error) {
		return tr.Get([]byte("k")).Get()
	})
	require.NoError(t, err)
	require.Equal(t, []byte("v"), v)

	n, err = kv.Transact(t.Context(), db, func(kv.Transaction) (int, error) { return 7, errors.New("no") })
	require.Error(t, err)
	require.Zero(t, n)
	n, err = kv.ReadTransact(t.Context(), db, func(kv.ReadTransaction) (int, error) { return 7, errors.New("no") })
	require.Error(t, err)
	require.Equal(t, 7, n, "ReadTransact returns the value along with the error")
}

// TestGivenUpWatchFails checks that a watch fails if its transaction is given up,
// even if its value has already been read.
func TestGivenUpWatchFails(t *testing.T) {
	var slept []time.Duration
	db := recorder(&answers{}, &slept)
	for name, end := range map[string]func() error{
		"error": func() error { return errors.New("mine") },
		"code":  func() error { return kv.Error{Code: kv.CodeAccessedUnreadable} },
		"panic": func() error { panic("mine") },
	} {
		var w kv.Watch
		func() {
			defer func() { _ = recover() }()
			_ = db.Transact(t.Context(), func(tr kv.Transaction) error {
				w = tr.Watch([]byte("k"))
				if _, err := tr.Get([]byte("k")).Get(); err != nil {
					return err
				}
				return end()
			})
		}()
		select {
		case <-w.Done():
			require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(w.Err()), name)
		default:
			t.Errorf("%s: the watch is still pending", name)
		}
	}
}

// TestDoubtIsKept checks that an error of Transact does not hide an earlier attempt
// that may have committed, and that it still wraps the error that ended the loop.
func TestDoubtIsKept(t *testing.T) {
	unknown, conflict := kv.Error{Code: kv.CodeCommitUnknownResult}, kv.Error{Code: kv.CodeNotCommitted}
	timedOut := kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}
	mine := errors.New("not today")
	for _, c := range []struct {
		name    string
		commits []error // the results of the commits; after them the closure fails
		want    error
	}{
		{"no attempt may have committed", []error{conflict}, mine},
		{"the only attempt", []error{unknown}, kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true, Err: mine}},
		{"an attempt before one that did not commit", []error{unknown, conflict}, kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true, Err: mine}},
		{"two attempts", []error{conflict, unknown, unknown}, kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true, Err: mine}},
		{"the last attempt may have committed", []error{unknown, timedOut}, timedOut},
	} {
		var slept []time.Duration
		db := recorder(&answers{before: c.commits}, &slept)
		runs := 0
		err := db.Transact(t.Context(), func(tr kv.Transaction) error {
			if runs++; runs > len(c.commits) {
				return mine
			}
			return set(tr)
		})
		require.Equal(t, c.want, err, c.name)
		require.Equal(t, kv.OutcomeOf(c.want), kv.OutcomeOf(err), c.name)
	}
}

// scripted is a transaction that records the calls of its owner.
type scripted struct {
	kv.OwnedTransaction
	calls []string
	// commit is the result of Commit. If onError is nil, OnError returns its
	// argument.
	commit  error
	onError func(err error) error
}

func (s *scripted) Commit() error { s.calls = append(s.calls, "commit"); return s.commit }

func (s *scripted) OnError(err error) error {
	s.calls = append(s.calls, "on error")
	if s.onError != nil {
		return s.onError(err)
	}
	return err
}

func (s *scripted) Reset() { s.calls = append(s.calls, "reset") }

func (s *scripted) Cancel() { s.calls = append(s.calls, "cancel") }

// TestLoopsReleaseTheirTransaction checks how each loop ends its transaction. A
// transaction that is given up is reset, which ends its watches. After a commit the
// watches stay.
func TestLoopsReleaseTheirTransaction(t *testing.T) {
	mine := errors.New("mine")
	for name, c := range map[string]struct {
		end   func() error
		write []string
		read  []string
	}{
		"success":  {func() error { return nil }, []string{"commit", "cancel"}, []string{"cancel"}},
		"an error": {func() error { return mine }, []string{"on error", "reset", "cancel"}, []string{"on error", "cancel"}},
		"a panic":  {func() error { panic(mine) }, []string{"reset", "cancel"}, []string{"cancel"}},
	} {
		writer, reader := &scripted{}, &scripted{}
		for _, loop := range []func() error{
			func() error { return kv.RetryLoop(writer, func(kv.Transaction) error { return c.end() }) },
			func() error { return kv.ReadRetryLoop(reader, func(kv.ReadTransaction) error { return c.end() }) },
		} {
			func() {
				defer func() { _ = recover() }()
				_ = loop()
			}()
		}
		require.Equal(t, c.write, writer.calls, name)
		require.Equal(t, c.read, reader.calls, name)
	}
}

// TestDoubtOfAWrappedAnswer checks that an engine may wrap its errors.
func TestDoubtOfAWrappedAnswer(t *testing.T) {
	mine := errors.New("mine")
	tr := &scripted{commit: fmt.Errorf("commit: %w", kv.Error{Code: kv.CodeCommitUnknownResult})}
	tr.onError = func(err error) error {
		if errors.Is(err, mine) {
			return err
		}
		return nil
	}
	runs := 0
	err := kv.RetryLoop(tr, func(kv.Transaction) error {
		if runs++; runs > 1 {
			return mine
		}
		return nil
	})
	require.ErrorIs(t, err, mine)
	require.Equal(t, kv.UnknownResult, kv.OutcomeOf(err))
}
