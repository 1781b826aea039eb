package fdbkv_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// TestOptionsValidate: Validate reports all faults, each with its field.
func TestOptionsValidate(t *testing.T) {
	bad := fdbkv.Options{
		Timeout: -1, RetryLimit: 1 << 40, MaxRetryDelay: -1, Priority: 9, Tag: strings.Repeat("x", 17), SizeLimit: 31,
	}
	err := bad.Validate()
	for _, field := range []string{"Timeout", "RetryLimit", "MaxRetryDelay", "Priority", "Tag", "SizeLimit"} {
		require.ErrorContains(t, err, "Options."+field)
	}
	_, err = fdbkv.Open(clusterFile, bad)
	require.ErrorContains(t, err, "Options.Tag")
	_, err = open(t, fdbkv.Options{}).With(bad)
	require.ErrorContains(t, err, "Options.Tag")
	require.NoError(t, fdbkv.Options{}.Validate())
}

// TestOptionsAreAccepted: the database accepts each option.
func TestOptionsAreAccepted(t *testing.T) {
	key := append(prefix(t), "k"...)
	for _, priority := range []fdbkv.Priority{fdbkv.PriorityDefault, fdbkv.PriorityBatch, fdbkv.PrioritySystemImmediate} {
		db := open(t, fdbkv.Options{
			Timeout: time.Minute, RetryLimit: 5, MaxRetryDelay: 50 * time.Millisecond,
			Priority: priority, Tag: "fdbkvtest", SizeLimit: 1000,
		})
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Set(key, []byte("v"))
			return nil
		}))
	}
}

// TestSizeLimit: SizeLimit applies to every attempt.
func TestSizeLimit(t *testing.T) {
	key := append(prefix(t), "k"...)
	db := open(t, fdbkv.Options{SizeLimit: 1000})
	runs := 0
	err := db.Transact(t.Context(), func(tr kv.Transaction) error {
		if runs++; runs == 1 {
			return kv.Error{Code: kv.CodeNotCommitted}
		}
		tr.Set(key, make([]byte, 2000))
		return nil
	})
	require.ErrorIs(t, err, kv.Error{Code: kv.CodeTransactionTooLarge})
	require.Equal(t, 2, runs)
	require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
}

// TestRetryLimit: the number of retries is that of the options, even after a Reset.
func TestRetryLimit(t *testing.T) {
	conflict := kv.Error{Code: kv.CodeNotCommitted}
	for limit, want := range map[int]int{-1: 1, 2: 3} {
		db := open(t, fdbkv.Options{RetryLimit: limit})
		runs := 0
		err := db.Transact(t.Context(), func(kv.Transaction) error { runs++; return conflict })
		require.ErrorIs(t, err, conflict)
		require.Equal(t, want, runs)
	}
	tr, err := open(t, fdbkv.Options{RetryLimit: 1}).CreateTransaction(t.Context())
	require.NoError(t, err)
	defer tr.Cancel()
	for range 2 {
		require.NoError(t, tr.OnError(conflict))
		require.Error(t, tr.OnError(conflict))
		tr.Reset()
	}
	tr.SetRetryLimit(3)
	for range 3 {
		require.NoError(t, tr.OnError(conflict), "an option that the owner sets outlasts a retry")
	}
	require.Error(t, tr.OnError(conflict))
}

// TestConfigure: Configure is called for every attempt, and its error ends the
// transaction.
func TestConfigure(t *testing.T) {
	calls := 0
	var fail error
	db := open(t, fdbkv.Options{Configure: func(o fdb.TransactionOptions) error {
		calls++
		if calls == 3 && fail != nil {
			return fail
		}
		return o.SetReadPriorityHigh()
	}})
	run := func() (runs int, err error) {
		calls = 0
		err = db.Transact(t.Context(), func(kv.Transaction) error {
			if runs++; runs < 4 {
				return kv.Error{Code: kv.CodeNotCommitted}
			}
			return nil
		})
		return runs, err
	}
	runs, err := run()
	require.NoError(t, err)
	require.Equal(t, 4, runs)
	require.Equal(t, 4, calls)

	fail = errors.New("not this one")
	runs, err = run()
	require.ErrorIs(t, err, fail)
	require.Equal(t, 2, runs)

	tr, err := db.CreateTransaction(t.Context())
	require.NoError(t, err)
	defer tr.Cancel()
	calls = 2
	tr.Reset()
	_, err = tr.Get([]byte("k")).Get()
	require.ErrorIs(t, err, fail)
	require.ErrorIs(t, tr.Commit(), fail)
	tr.Reset()
	require.NoError(t, tr.Commit())
	calls = 2
	_, err = db.CreateTransaction(t.Context())
	require.ErrorIs(t, err, fail)
}

// TestTimeout: Timeout is rounded up to milliseconds, and also ends a transaction that is
// not waiting.
func TestTimeout(t *testing.T) {
	tr, err := open(t, fdbkv.Options{Timeout: time.Microsecond}).CreateTransaction(t.Context())
	require.NoError(t, err)
	defer tr.Cancel()
	require.Eventually(t, func() bool {
		_, err := tr.Get([]byte("k")).Get()
		return kv.CodeOf(err) == kv.CodeTransactionTimedOut
	}, patience, time.Millisecond)
	tr.SetTimeout(0)
	require.ErrorIs(t, tr.Commit(), kv.Error{Code: kv.CodeTransactionTimedOut})
}
