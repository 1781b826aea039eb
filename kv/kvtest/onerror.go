package kvtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// retried tells of every code whether OnError retries after it, as
// FoundationDB 7.3 answers it.
var retried = map[int]bool{
	kv.CodeTransactionTooOld:     true,
	kv.CodeFutureVersion:         true,
	kv.CodeNotCommitted:          true,
	kv.CodeCommitUnknownResult:   true,
	kv.CodeTransactionCancelled:  false,
	kv.CodeWatchCancelled:        false,
	kv.CodeTransactionTimedOut:   false,
	kv.CodeTooManyWatches:        false,
	kv.CodeAccessedUnreadable:    false,
	kv.CodeProcessBehind:         true,
	kv.CodeDatabaseLocked:        true,
	kv.CodeClusterVersionChanged: false,
	kv.CodeCommitProxyMemory:     true,
	kv.CodeBatchThrottled:        true,
	kv.CodeGRVProxyMemory:        true,
	kv.CodeBlobGranuleFailed:     true,
	kv.CodeTagThrottled:          true,
	kv.CodeProxyTagThrottled:     true,
	kv.CodeIOError:               false,
	kv.CodeInvalidOperation:      false,
	kv.CodeKeyOutsideLegalRange:  false,
	kv.CodeInvertedRange:         false,
	kv.CodeUsedDuringCommit:      false,
	kv.CodeInvalidVersion:        false,
	kv.CodeNoCommitVersion:       false,
	kv.CodeTransactionTooLarge:   false,
	kv.CodeKeyTooLarge:           false,
	kv.CodeValueTooLarge:         false,
}

// onErrorCases: which errors are retried, and after what wait.
var onErrorCases = []Case{
	{
		Name:  "RetryableTable/OnError",
		Shows: "OnError returns nil and a new transaction for the codes that are retried, and the error for the others",
		run: func(t *T) {
			t.put("k", "stored")
			for code, again := range retried {
				t.onErrorAnswers(code, again)
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
func (t *T) onErrorAnswers(code int, again bool) {
	t.Helper()
	tr := t.begin()
	tr.Set(t.key("k"), []byte("own"))
	err := kv.Error{Code: code}
	if again {
		require.NoError(t, tr.OnError(err), "OnError %d", code)
		require.Equal(t, "stored", t.get(tr, "k"), "after OnError %d the own write is gone", code)
		return
	}
	require.Equal(t, error(err), tr.OnError(err), "OnError %d", code)
	t.getFails(tr, "k", kv.CodeTransactionCancelled)
	t.commitFails(tr, kv.CodeTransactionCancelled)
	tr.Reset()
	require.Equal(t, "stored", t.get(tr, "k"), "after OnError %d and Reset", code)
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
