package kvtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// retried reports for each code whether OnError of FoundationDB 7.3 retries.
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

// onErrorCases cover which errors OnError retries, and how long it waits.
var onErrorCases = []Case{
	{
		Name:  "RetryableTable/OnError",
		Shows: "OnError returns nil and resets the transaction for retryable codes, and returns other errors",
		run: func(t *env) {
			t.put("k", "stored")
			for code, again := range retried {
				t.onErrorAnswers(code, again)
			}
		},
	},
	{
		Name:  "RetryableTable/Wrapped",
		Shows: "OnError finds an Error that is wrapped",
		run: func(t *env) {
			tr := t.begin()
			require.NoError(t, tr.OnError(fmt.Errorf("claim: %w", kv.Error{Code: kv.CodeNotCommitted})))
			err := fmt.Errorf("claim: %w", kv.Error{Code: kv.CodeKeyTooLarge})
			require.Equal(t, err, tr.OnError(err))
		},
	},
	{
		Name:  "RetryableTable/OtherErrors",
		Shows: "OnError returns an error without a code unchanged",
		run: func(t *env) {
			err := errors.New("application error")
			require.Same(t, err, t.begin().OnError(err))
		},
	},
	{
		Name:  "OnErrorBackoff/Doubles",
		Shows: "each wait is a random part of a bound that begins at 10 ms and doubles up to 1 s",
		Needs: []Capability{Backoffs},
		run: func(t *env) {
			require.Equal(t, []time.Duration{
				5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond,
				80 * time.Millisecond, 160 * time.Millisecond, 320 * time.Millisecond,
				500 * time.Millisecond, 500 * time.Millisecond,
			}, t.backoffs(t.begin(), 1020, 1021, 1037, 1020, 1020, 1020, 1020, 1020, 1020))
		},
	},
	{
		Name:  "OnErrorBackoff/Flat",
		Shows: "the wait after 1007 and 1009 is 10 ms, and does not change the bound",
		Needs: []Capability{Backoffs},
		run: func(t *env) {
			require.Equal(t, []time.Duration{
				10 * time.Millisecond, 10 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
				10 * time.Millisecond, 20 * time.Millisecond,
			}, t.backoffs(t.begin(), 1007, 1009, 1020, 1020, 1007, 1020))
		},
	},
	{
		Name:  "OnErrorBackoff/AfterReset",
		Shows: "Reset resets the bound",
		Needs: []Capability{Backoffs},
		run: func(t *env) {
			tr := t.begin()
			t.backoffs(tr, 1020, 1020, 1020)
			tr.Reset()
			require.Equal(t, []time.Duration{5 * time.Millisecond}, t.backoffs(tr, 1020))
		},
	},
	{
		Name:  "OnErrorBackoff/NoWaitWithoutRetry",
		Shows: "OnError does not wait if it does not retry",
		Needs: []Capability{Backoffs},
		run: func(t *env) {
			require.Empty(t, t.backoffs(t.begin(), 2102))
		},
	},
}

// onErrorAnswers passes code to OnError of a transaction that has written.
func (t *env) onErrorAnswers(code int, again bool) {
	t.Helper()
	tr := t.begin()
	tr.Set(t.key("k"), []byte("own"))
	err := kv.Error{Code: code}
	if again {
		require.NoError(t, tr.OnError(err), "OnError %d", code)
		require.Equal(t, "stored", t.get(tr, "k"), "OnError %d should discard the write", code)
		return
	}
	require.Equal(t, error(err), tr.OnError(err), "OnError %d", code)
	t.getFails(tr, "k", kv.CodeTransactionCancelled)
	t.commitFails(tr, kv.CodeTransactionCancelled)
	tr.Reset()
	require.Equal(t, "stored", t.get(tr, "k"), "after OnError %d and Reset", code)
}

// backoffs passes the codes to OnError and returns the waits.
func (t *env) backoffs(tr kv.OwnedTransaction, codes ...int) []time.Duration {
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
