package kvtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// verdict is what FoundationDB's client says of a code.
type verdict struct {
	code                                  int
	retryable, maybeCommitted, onErrorYes bool
}

// verdicts is the table of the retry rules, as FoundationDB 7.3 answers it.
var verdicts = []verdict{
	{kv.CodeTransactionTooOld, true, false, true},
	{kv.CodeFutureVersion, true, false, true},
	{kv.CodeNotCommitted, true, false, true},
	{kv.CodeCommitUnknownResult, true, true, true},
	{kv.CodeTransactionCancelled, false, false, false},
	{kv.CodeWatchCancelled, false, false, false},
	{kv.CodeTransactionTimedOut, false, false, false},
	{kv.CodeTooManyWatches, false, false, false},
	{kv.CodeAccessedUnreadable, false, false, false},
	{kv.CodeProcessBehind, true, false, true},
	{kv.CodeDatabaseLocked, true, false, true},
	{kv.CodeClusterVersionChanged, true, true, false},
	{kv.CodeCommitProxyMemory, true, false, true},
	{kv.CodeBatchThrottled, true, false, true},
	{kv.CodeGRVProxyMemory, true, false, true},
	{kv.CodeBlobGranuleFailed, false, false, true},
	{kv.CodeTagThrottled, true, false, true},
	{kv.CodeProxyTagThrottled, true, false, true},
	{kv.CodeIOError, false, false, false},
	{kv.CodeInvalidOperation, false, false, false},
	{kv.CodeKeyOutsideLegalRange, false, false, false},
	{kv.CodeInvertedRange, false, false, false},
	{kv.CodeUsedDuringCommit, false, false, false},
	{kv.CodeInvalidVersion, false, false, false},
	{kv.CodeNoCommitVersion, false, false, false},
	{kv.CodeTransactionTooLarge, false, false, false},
	{kv.CodeKeyTooLarge, false, false, false},
	{kv.CodeValueTooLarge, false, false, false},
}

// onErrorCases: which errors are retried, and after what wait.
var onErrorCases = []Case{
	{
		Name:  "RetryableTable/Predicates",
		Shows: "each code is retryable, maybe committed and retryable-not-committed as FoundationDB says",
		run: func(t *T) {
			for _, v := range verdicts {
				err := kv.Error{Code: v.code}
				require.Equal(t, v.retryable, err.Retryable(), "retryable %d", v.code)
				require.Equal(t, v.maybeCommitted, err.MaybeCommitted(), "maybe committed %d", v.code)
				require.Equal(t, v.retryable && !v.maybeCommitted, err.RetryableNotCommitted(), "retryable, not committed %d", v.code)
			}
		},
	},
	{
		Name:  "RetryableTable/OnError",
		Shows: "OnError returns nil and a new transaction for the codes that are retried, and the error for the others",
		run: func(t *T) {
			t.put("k", "stored")
			for _, v := range verdicts {
				t.onErrorAnswers(v)
			}
		},
	},
	{
		Name:  "RetryableTable/Wrapped",
		Shows: "OnError finds the Error inside an error that wraps it",
		run: func(t *T) {
			tr := t.begin()
			require.NoError(t, tr.OnError(fmt.Errorf("claim: %w", kv.Error{Code: kv.CodeNotCommitted})))
			err := fmt.Errorf("claim: %w", kv.Error{Code: kv.CodeKeyTooLarge})
			require.Equal(t, err, tr.OnError(err))
		},
	},
	{
		Name:  "RetryableTable/ForeignErrors",
		Shows: "OnError returns an error that is not the database's as it is",
		run: func(t *T) {
			err := errors.New("the application's own")
			require.Same(t, err, t.begin().OnError(err))
		},
	},
	{
		Name:  "OnErrorBackoff/Doubles",
		Shows: "the wait is a random part of 10 ms, 20 ms and so on, up to 1 s",
		Needs: []Capability{Backoffs},
		run: func(t *T) {
			require.Equal(t, []time.Duration{
				5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond,
				80 * time.Millisecond, 160 * time.Millisecond, 320 * time.Millisecond,
				500 * time.Millisecond, 500 * time.Millisecond,
			}, t.backoffs(t.begin(), 1020, 1021, 1037, 1020, 1020, 1020, 1020, 1020, 1020))
		},
	},
	{
		Name:  "OnErrorBackoff/Flat",
		Shows: "after 1007 and 1009 it is 10 ms, and leaves the others' progression alone",
		Needs: []Capability{Backoffs},
		run: func(t *T) {
			require.Equal(t, []time.Duration{
				10 * time.Millisecond, 10 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
				10 * time.Millisecond, 20 * time.Millisecond,
			}, t.backoffs(t.begin(), 1007, 1009, 1020, 1020, 1007, 1020))
		},
	},
	{
		Name:  "OnErrorBackoff/AfterReset",
		Shows: "Reset begins it anew",
		Needs: []Capability{Backoffs},
		run: func(t *T) {
			tr := t.begin()
			t.backoffs(tr, 1020, 1020, 1020)
			tr.Reset()
			require.Equal(t, []time.Duration{5 * time.Millisecond}, t.backoffs(tr, 1020))
		},
	},
	{
		Name:  "OnErrorBackoff/NoWaitWithoutRetry",
		Shows: "an error that is not retried is returned without a wait",
		Needs: []Capability{Backoffs},
		run: func(t *T) {
			require.Empty(t, t.backoffs(t.begin(), 2102))
		},
	},
}

// onErrorAnswers gives one code to OnError of a transaction with an own write.
func (t *T) onErrorAnswers(v verdict) {
	t.Helper()
	tr := t.begin()
	tr.Set(t.key("k"), []byte("own"))
	err := kv.Error{Code: v.code}
	if v.onErrorYes {
		require.NoError(t, tr.OnError(err), "OnError %d", v.code)
		require.Equal(t, "stored", t.get(tr, "k"), "after OnError %d the own write is gone", v.code)
		return
	}
	require.Equal(t, error(err), tr.OnError(err), "OnError %d", v.code)
	t.getFails(tr, "k", kv.CodeTransactionCancelled)
	t.commitFails(tr, kv.CodeTransactionCancelled)
	tr.Reset()
	require.Equal(t, "stored", t.get(tr, "k"), "after OnError %d and Reset", v.code)
}

// backoffs gives the codes to OnError in turn and returns the waits.
func (t *T) backoffs(tr kv.OwnedTransaction, codes ...int) []time.Duration {
	t.Helper()
	before := len(t.Backoffs())
	for _, code := range codes {
		err := kv.Error{Code: code}
		if answer := tr.OnError(err); answer != nil {
			require.Equal(t, error(err), answer)
		}
	}
	return t.Backoffs()[before:]
}
