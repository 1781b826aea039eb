package fdbkv_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestWrapIsRetriedByTheCaller: the binding's own loop retries errors of a wrapped
// transaction, even if the caller wraps them.
func TestWrapIsRetriedByTheCaller(t *testing.T) {
	db, p := raw(t), prefix(t)
	counter := fdb.Key(append(p, "counter"...))
	runs := 0
	_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
		runs++
		wrapped := fdbkv.Wrap(tr)
		value, err := wrapped.Get(counter).Get()
		if err != nil {
			return nil, fmt.Errorf("reading the counter: %w", err)
		}
		if runs == 1 { // another transaction is faster
			_, err := db.Transact(func(other fdb.Transaction) (any, error) {
				other.Set(counter, []byte("10"))
				return nil, nil
			})
			require.NoError(t, err)
		}
		n, _ := strconv.Atoi(string(value))
		wrapped.Set(counter, strconv.AppendInt(nil, int64(n+1), 10))
		return nil, nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, runs)
	require.Equal(t, "11", stored(t, counter))

	runs = 0
	_, err = db.Transact(func(tr fdb.Transaction) (any, error) {
		if runs++; runs == 1 { // as if the read version were too old
			tr.SetReadVersion(1)
		}
		_, err := fdbkv.Wrap(tr).GetRange(p, below(p, "\xff"), kv.RangeOptions{}).Get()
		return nil, err
	})
	require.NoError(t, err)
	require.Equal(t, 2, runs, "1007 is retried")
}

// TestErrorsUnwrap: an error has FoundationDB's code and unwraps to the binding's error.
func TestErrorsUnwrap(t *testing.T) {
	db := open(t, fdbkv.Options{})
	tr, err := db.CreateTransaction(t.Context())
	require.NoError(t, err)
	defer tr.Cancel()
	key := append(prefix(t), "k"...)
	tr.SetVersionstampedValue(key, make([]byte, 14))
	_, err = tr.Get(key).Get()
	require.ErrorIs(t, err, kv.Error{Code: kv.CodeAccessedUnreadable})
	var vendor fdb.Error
	require.ErrorAs(t, err, &vendor)
	require.Equal(t, kv.CodeAccessedUnreadable, vendor.Code)
	_, again := tr.Get(key).Get()
	require.Equal(t, err, again)
}

// TestWrapLeavesTheTransactionAlone: Wrap does not commit, and the caller's own writes are
// in the same transaction.
func TestWrapLeavesTheTransactionAlone(t *testing.T) {
	p := prefix(t)
	tr := binding(t, open(t, fdbkv.Options{}))
	fdbkv.Wrap(tr).Set(below(p, "a"), []byte("election"))
	tr.Set(fdb.Key(below(p, "b")), []byte("application"))
	require.Empty(t, stored(t, below(p, "a")))
	require.NoError(t, tr.Commit().Get())
	require.Equal(t, "election", stored(t, below(p, "a")))
	require.Equal(t, "application", stored(t, below(p, "b")))
}

// TestWrapRead: reads through a Snapshot add no conflict ranges, and reads through a
// Transaction do.
func TestWrapRead(t *testing.T) {
	db, p := raw(t), prefix(t)
	key := fdb.Key(append(p, "k"...))
	for _, c := range []struct {
		name string
		read func(tr fdb.Transaction) kv.ReadTransaction
		code int
	}{
		{"transaction", func(tr fdb.Transaction) kv.ReadTransaction { return fdbkv.WrapRead(tr) }, kv.CodeNotCommitted},
		{"its snapshot", func(tr fdb.Transaction) kv.ReadTransaction { return fdbkv.WrapRead(tr).Snapshot() }, 0},
		{"snapshot", func(tr fdb.Transaction) kv.ReadTransaction { return fdbkv.WrapRead(tr.Snapshot()) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, err := db.CreateTransaction()
			require.NoError(t, err)
			defer tr.Cancel()
			read := c.read(tr)
			_, err = read.Get(key).Get()
			require.NoError(t, err)
			_, err = read.GetRange(p, below(p, "\xff"), kv.RangeOptions{Limit: 3}).Get()
			require.NoError(t, err)
			version, err := read.GetReadVersion().Get()
			require.NoError(t, err)
			require.Positive(t, version)

			_, err = db.Transact(func(other fdb.Transaction) (any, error) {
				other.Set(key, []byte(c.name))
				return nil, nil
			})
			require.NoError(t, err)
			tr.Set(fdb.Key(below(p, "other")), nil)
			var failure fdb.Error
			errors.As(tr.Commit().Get(), &failure)
			require.Equal(t, c.code, failure.Code)
		})
	}
}

// TestElectionInsideTheCallersTransaction runs a cycle and a fenced write in a transaction
// of the caller.
func TestElectionInsideTheCallersTransaction(t *testing.T) {
	db, p := raw(t), prefix(t)
	el := election.New(subspace.FromBytes(below(p, "election/")))
	me := election.Registration{Identity: election.Identity{ID: "me"}}
	do := func(fn func(tr fdb.Transaction) error) error {
		_, err := db.Transact(func(tr fdb.Transaction) (any, error) { return nil, fn(tr) })
		return err
	}
	require.NoError(t, do(func(tr fdb.Transaction) error {
		if _, err := el.Initialize(fdbkv.Wrap(tr)); err != nil {
			return err
		}
		return el.RegisterCandidate(fdbkv.Wrap(tr), me, time.Now())
	}))
	var result election.CycleResult
	require.NoError(t, do(func(tr fdb.Transaction) (err error) {
		result, err = el.RunElectionCycle(fdbkv.Wrap(tr), me, time.Now())
		return err
	}))
	require.Equal(t, election.Claimed, result.Action)

	work := fdb.Key(below(p, "work"))
	token := result.Leader.Token()
	fenced := func(tr fdb.Transaction) error {
		tr.Set(work, []byte("done"))
		return el.RequireLeadership(fdbkv.Wrap(tr), token)
	}
	require.NoError(t, do(fenced))
	require.Equal(t, "done", stored(t, work))

	require.NoError(t, do(func(tr fdb.Transaction) error {
		return el.ResignLeadership(fdbkv.Wrap(tr), token, time.Now())
	}))
	require.Error(t, do(fenced), "the leadership is vacant")
}

// TestUnwrap: Unwrap returns the transaction of the binding.
func TestUnwrap(t *testing.T) {
	key := append(prefix(t), "k"...)
	db := open(t, fdbkv.Options{})
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		below, ok := fdbkv.Unwrap(tr)
		require.True(t, ok)
		below.Add(fdb.Key(key), []byte{5, 0, 0, 0})
		same, ok := fdbkv.Unwrap(tr.Snapshot())
		require.True(t, ok)
		require.Equal(t, below, same)
		same, ok = fdbkv.Unwrap(fdbkv.Wrap(below))
		require.True(t, ok)
		require.Equal(t, below, same)
		return nil
	}))
	require.Equal(t, "\x05\x00\x00\x00", stored(t, key))
	_, ok := fdbkv.Unwrap(nil)
	require.False(t, ok)
}

// TestUnwrappedErrorsAreRetried: a function of Transact may return an error of the binding
// or panic with it.
func TestUnwrappedErrorsAreRetried(t *testing.T) {
	db := open(t, fdbkv.Options{})
	for name, fail := range map[string]func(err fdb.Error) error{
		"returned": func(err fdb.Error) error { return fmt.Errorf("wrapped: %w", err) },
		"panicked": func(err fdb.Error) error { panic(err) },
	} {
		t.Run(name, func(t *testing.T) {
			runs := 0
			fn := func() error {
				if runs++; runs < 3 {
					return fail(fdb.Error{Code: kv.CodeNotCommitted})
				}
				return nil
			}
			require.NoError(t, db.Transact(t.Context(), func(kv.Transaction) error { return fn() }))
			require.Equal(t, 3, runs)
			runs = 0
			require.NoError(t, db.ReadTransact(t.Context(), func(kv.ReadTransaction) error { return fn() }))
			require.Equal(t, 3, runs)
			runs = -10
			fn = func() error { return fail(fdb.Error{Code: kv.CodeTransactionTooLarge}) }
			var vendor fdb.Error
			require.ErrorAs(t, db.Transact(t.Context(), func(kv.Transaction) error { return fn() }), &vendor)
			require.Equal(t, kv.CodeTransactionTooLarge, vendor.Code)
		})
	}
}

// TestConcurrentUse: several goroutines may use one transaction.
func TestConcurrentUse(t *testing.T) {
	p := prefix(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tr, err := open(t, fdbkv.Options{}).CreateTransaction(ctx)
	require.NoError(t, err)
	defer tr.Cancel()
	ended := make(chan error, 8)
	for i := range cap(ended) {
		go func() {
			key := below(p, strconv.Itoa(i))
			tr.Set(key, key)
			_, err := tr.Get(key).Get()
			if err == nil {
				_, err = tr.Snapshot().GetRange(p, below(p, "\xff"), kv.RangeOptions{}).Get()
			}
			ended <- err
		}()
	}
	for range cap(ended) {
		require.NoError(t, await(t, ended))
	}
	require.NoError(t, tr.Commit())
}
