package kv_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// recordedCode is a row of testdata/errors.jsonl: the predicates of one code,
// recorded from FoundationDB 7.3.79.
type recordedCode struct {
	Code                  int  `json:"code"`
	Retryable             bool `json:"retryable"`
	MaybeCommitted        bool `json:"maybe_committed"`
	RetryableNotCommitted bool `json:"retryable_not_committed"`
	OnErrorRetries        bool `json:"on_error_retries"`
}

func recordedCodes(t *testing.T) []recordedCode {
	t.Helper()
	data, err := os.ReadFile("testdata/errors.jsonl")
	require.NoError(t, err)
	var all []recordedCode
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		var c recordedCode
		require.NoError(t, d.Decode(&c), lines.Text())
		all = append(all, c)
	}
	require.NoError(t, lines.Err())
	return all
}

// TestCodesAgreeWithTheRecording compares the predicates with those of the real
// client for every code that the client knows, including codes that this package
// does not name.
func TestCodesAgreeWithTheRecording(t *testing.T) {
	all := recordedCodes(t)
	require.Len(t, all, 307)
	for _, c := range all {
		e := kv.Error{Code: c.Code}
		got := recordedCode{c.Code, e.Retryable(), e.MaybeCommitted(), e.RetryableNotCommitted(), e.OnErrorRetries()}
		require.Equal(t, c, got, "code %d", c.Code)
	}
}

// TestUnknownCodes checks that unknown codes are not retried.
func TestUnknownCodes(t *testing.T) {
	for _, code := range []int{-1, 0, 1, 999, 4711, 1 << 30} {
		e := kv.Error{Code: code}
		require.False(t, e.Retryable() || e.MaybeCommitted() || e.RetryableNotCommitted() || e.OnErrorRetries(), "code %d", code)
	}
}

func TestOutcome(t *testing.T) {
	cause := context.Canceled
	for _, c := range []struct {
		name string
		err  error
		want kv.Outcome
	}{
		{"no error", nil, kv.Committed},
		{"an error from the closure", errors.New("no"), kv.NotCommitted},
		{"a conflict", kv.Error{Code: kv.CodeNotCommitted}, kv.NotCommitted},
		{"a conflict while committing", kv.Error{Code: kv.CodeNotCommitted, Committing: true}, kv.NotCommitted},
		{"too old while committing", kv.Error{Code: kv.CodeTransactionTooOld, Committing: true}, kv.NotCommitted},
		{"unknown result", kv.Error{Code: kv.CodeCommitUnknownResult}, kv.UnknownResult},
		{"unknown result while committing", kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}, kv.UnknownResult},
		{"cluster version changed", kv.Error{Code: kv.CodeClusterVersionChanged}, kv.Unsettled},
		{"cancelled before the commit", kv.Error{Code: kv.CodeTransactionCancelled, Err: cause}, kv.NotCommitted},
		{"cancelled during the commit", kv.Error{Code: kv.CodeTransactionCancelled, Committing: true, Err: cause}, kv.Unsettled},
		{"timed out before the commit", kv.Error{Code: kv.CodeTransactionTimedOut}, kv.NotCommitted},
		{"timed out during the commit", kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}, kv.Unsettled},
		{"an I/O error before the commit", kv.Error{Code: kv.CodeIOError}, kv.NotCommitted},
		{"an I/O error during the commit", kv.Error{Code: kv.CodeIOError, Committing: true}, kv.Unsettled},
		{"an unknown code before the commit", kv.Error{Code: 4711}, kv.NotCommitted},
		{"an unknown code during the commit", kv.Error{Code: 4711, Committing: true}, kv.Unsettled},
		{"too large", kv.Error{Code: kv.CodeTransactionTooLarge, Committing: true}, kv.NotCommitted},
	} {
		require.Equal(t, c.want, kv.OutcomeOf(c.err), c.name)
		if c.err != nil {
			require.Equal(t, c.want, kv.OutcomeOf(fmt.Errorf("register: %w", c.err)), "%s, wrapped", c.name)
		}
	}
}

func TestErrorIsAndAs(t *testing.T) {
	err := fmt.Errorf("claim: %w", kv.Error{Code: kv.CodeTransactionCancelled, Committing: true, Err: context.DeadlineExceeded})
	require.ErrorIs(t, err, kv.Error{Code: kv.CodeTransactionCancelled})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, kv.Error{Code: kv.CodeNotCommitted})
	require.NotErrorIs(t, err, kv.Error{Code: kv.CodeTransactionCancelled, Err: context.Canceled}, "another cause")
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	require.Zero(t, kv.CodeOf(errors.New("no code")))
	require.Zero(t, kv.CodeOf(nil))
}

// vendorError is an error with a code, like those of FoundationDB's binding.
type vendorError int

func (e vendorError) Error() string { return fmt.Sprintf("vendor error %d", int(e)) }
func (e vendorError) Code() int     { return int(e) }

// TestErrorText checks that the text does not repeat itself.
func TestErrorText(t *testing.T) {
	const conflict = "transaction not committed due to a conflict with another transaction (1020)"
	for _, c := range []struct {
		err  kv.Error
		want string
	}{
		{kv.Error{Code: 4711}, "code 4711"},
		{kv.Error{Code: 4711, Err: vendorError(4711)}, "code 4711: vendor error 4711"},
		{kv.Error{Code: kv.CodeNotCommitted}, conflict},
		{kv.Error{Code: kv.CodeNotCommitted, Err: errors.New("cause")}, conflict + ": cause"},
		{kv.Error{Code: kv.CodeNotCommitted, Err: vendorError(1020)}, conflict},
		{kv.Error{Code: kv.CodeNotCommitted, Err: vendorError(1021)}, conflict + ": vendor error 1021"},
		{kv.Error{Code: kv.CodeNotCommitted, Err: context.DeadlineExceeded}, conflict + ": context deadline exceeded"},
		{kv.Error{Code: kv.CodeTransactionCancelled}, "operation aborted because the transaction was cancelled (1025)"},
		{kv.Error{Code: kv.CodeTransactionCancelled, Err: context.DeadlineExceeded}, "context deadline exceeded (1025)"},
		{kv.Error{Code: kv.CodeTransactionCancelled, Err: context.Canceled}, "context canceled (1025)"},
		{
			kv.Error{Code: kv.CodeTransactionCancelled, Err: fmt.Errorf("%w: stopped", context.Canceled)},
			"context canceled: stopped (1025)",
		},
	} {
		require.Equal(t, c.want, c.err.Error())
	}
}

func TestOutcomeString(t *testing.T) {
	for o, want := range map[kv.Outcome]string{
		kv.Committed: "committed", kv.NotCommitted: "not committed", kv.UnknownResult: "unknown result",
		kv.Unsettled: "unsettled", kv.Outcome(9): "Outcome(9)",
	} {
		require.Equal(t, want, o.String())
	}
}
