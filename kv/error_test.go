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

// recordedCode is a row of testdata/errors.jsonl: what FoundationDB 7.3.79 said
// of one of its codes.
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

// TestCodesAgreeWithTheRecording compares the predicates with the real
// client's, for every code it knows and whether or not this package names it.
func TestCodesAgreeWithTheRecording(t *testing.T) {
	all := recordedCodes(t)
	require.Len(t, all, 307)
	for _, c := range all {
		e := kv.Error{Code: c.Code}
		got := recordedCode{c.Code, e.Retryable(), e.MaybeCommitted(), e.RetryableNotCommitted(), e.OnErrorRetries()}
		require.Equal(t, c, got, "code %d", c.Code)
	}
}

// TestUnknownCodes: a code that nobody knows is nothing to retry on.
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
		{"an error of the closure", errors.New("no"), kv.Absent},
		{"a conflict", kv.Error{Code: kv.CodeNotCommitted}, kv.Absent},
		{"a conflict, answered to the commit", kv.Error{Code: kv.CodeNotCommitted, Committing: true}, kv.Absent},
		{"too old, answered to the commit", kv.Error{Code: kv.CodeTransactionTooOld, Committing: true}, kv.Absent},
		{"unknown result", kv.Error{Code: kv.CodeCommitUnknownResult}, kv.SettledUnknown},
		{"unknown result while committing", kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}, kv.SettledUnknown},
		{"cluster version changed", kv.Error{Code: kv.CodeClusterVersionChanged}, kv.Unsettled},
		{"cancelled before the commit", kv.Error{Code: kv.CodeTransactionCancelled, Err: cause}, kv.Absent},
		{"cancelled during the commit", kv.Error{Code: kv.CodeTransactionCancelled, Committing: true, Err: cause}, kv.Unsettled},
		{"timed out before the commit", kv.Error{Code: kv.CodeTransactionTimedOut}, kv.Absent},
		{"timed out during the commit", kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}, kv.Unsettled},
		{"a broken disk before the commit", kv.Error{Code: kv.CodeIOError}, kv.Absent},
		{"a broken disk during the commit", kv.Error{Code: kv.CodeIOError, Committing: true}, kv.Unsettled},
		{"an unheard-of code before the commit", kv.Error{Code: 4711}, kv.Absent},
		{"an unheard-of code during the commit", kv.Error{Code: 4711, Committing: true}, kv.Unsettled},
		{"too large", kv.Error{Code: kv.CodeTransactionTooLarge, Committing: true}, kv.Absent},
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

// vendorError is an error of an engine's own with a code, as a binding has.
type vendorError int

func (e vendorError) Error() string { return fmt.Sprintf("vendor error %d", int(e)) }
func (e vendorError) Code() int     { return int(e) }

// What happened is said once.
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
		kv.Committed: "committed", kv.Absent: "not committed", kv.SettledUnknown: "settled, unknown",
		kv.Unsettled: "unsettled", kv.Outcome(9): "Outcome(9)",
	} {
		require.Equal(t, want, o.String())
	}
}
