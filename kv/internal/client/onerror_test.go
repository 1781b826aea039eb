package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestOnErrorOfEveryCode compares OnError of a fresh transaction with a recording
// of the real client.
func TestOnErrorOfEveryCode(t *testing.T) {
	f, err := os.Open("../../testdata/errors.jsonl")
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	lines, n := bufio.NewScanner(f), 0
	for lines.Scan() {
		var c struct {
			Code    int  `json:"code"`
			Retries bool `json:"on_error_retries"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		tr := newFakeStore().begin()
		err := tr.OnError(errCode(c.Code))
		n++
		if c.Retries {
			require.NoError(t, err, "code %d", c.Code)
			require.NoError(t, tr.Commit(), "code %d", c.Code)
			continue
		}
		require.Equal(t, errCode(c.Code), err)
		require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(tr.Commit()), "after code %d the transaction is unusable", c.Code)
	}
	require.NoError(t, lines.Err())
	require.Equal(t, 307, n)
}

// TestBackoff checks the bound that doubles, with a jitter of one half. The wait
// after 1007 and 1009 is fixed and leaves the bound unchanged.
func TestBackoff(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	retry := func(code, times int) []time.Duration {
		s.slept = nil
		for range times {
			require.NoError(t, tr.OnError(errCode(code)))
		}
		return s.slept
	}
	ms := time.Millisecond
	require.Equal(t, []time.Duration{5 * ms, 10 * ms, 20 * ms}, retry(kv.CodeNotCommitted, 3))
	require.Equal(t, []time.Duration{10 * ms, 10 * ms}, retry(kv.CodeTransactionTooOld, 2))
	require.Equal(t, []time.Duration{10 * ms}, retry(kv.CodeFutureVersion, 1))
	require.Equal(t, []time.Duration{40 * ms, 80 * ms, 160 * ms, 320 * ms, 500 * ms, 500 * ms}, retry(kv.CodeCommitUnknownResult, 6))
	require.Equal(t, []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 15000 * ms, 15000 * ms}, retry(kv.CodeCommitProxyMemory, 7))
	tr.Reset()
	require.Equal(t, []time.Duration{5 * ms}, retry(kv.CodeNotCommitted, 1))
}

// TestRetryLimit checks that OnError returns the error unchanged past the limit,
// and that the transaction is unusable afterwards.
func TestRetryLimit(t *testing.T) {
	for limit := range 3 {
		s := newFakeStore()
		tr := s.begin()
		tr.SetRetryLimit(limit)
		for range limit {
			require.NoError(t, tr.OnError(errCode(kv.CodeNotCommitted)))
		}
		wrapped := fmt.Errorf("claim: %w", errCode(kv.CodeNotCommitted))
		require.Equal(t, wrapped, tr.OnError(wrapped))
		require.Len(t, s.slept, limit)
		require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(tr.Commit()))
		require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(tr.OnError(errCode(kv.CodeNotCommitted))))
	}
	tr := newFakeStore().begin()
	tr.SetRetryLimit(0)
	tr.SetRetryLimit(-1)
	require.NoError(t, tr.OnError(errCode(kv.CodeNotCommitted)))
}

// TestErrorWithoutCode checks that OnError returns an error without a code
// unchanged.
func TestErrorWithoutCode(t *testing.T) {
	tr := newFakeStore().begin()
	mine := errors.New("mine")
	require.Same(t, mine, tr.OnError(mine))
	require.NoError(t, tr.OnError(nil))
	require.NoError(t, tr.Commit())
}

// TestTimeout checks that the time limit runs from the creation, across retries.
func TestTimeout(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	s.pass(600 * time.Millisecond)
	tr.SetTimeout(time.Second)
	require.Equal(t, "(none)", get(t, tr.Get([]byte("a"))))
	require.NoError(t, tr.OnError(errCode(kv.CodeNotCommitted)))
	s.pass(300 * time.Millisecond)
	require.Equal(t, "(none)", get(t, tr.Get([]byte("a"))))
	stamp := tr.GetVersionstamp()
	s.pass(100 * time.Millisecond)
	for name, use := range uses(tr) {
		require.Equal(t, kv.CodeTransactionTimedOut, use(), name)
	}
	_, err := stamp.Get()
	require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(err))
	require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(tr.OnError(errCode(kv.CodeTransactionTimedOut))))
	require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(tr.OnError(errCode(kv.CodeNotCommitted))))
	tr.SetTimeout(0)
	require.Equal(t, kv.CodeTransactionTimedOut, uses(tr)["Get"](), "the limit has already passed")
	tr.Reset()
	require.Equal(t, "(none)", get(t, tr.Get([]byte("a"))))
}

// TestTimeoutCanBeMoved checks that the limit can be changed before it has passed.
func TestTimeoutCanBeMoved(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	tr.SetTimeout(time.Second)
	s.pass(900 * time.Millisecond)
	tr.SetTimeout(2 * time.Second)
	s.pass(900 * time.Millisecond)
	require.Equal(t, "(none)", get(t, tr.Get([]byte("a"))))
	tr.SetTimeout(0)
	s.pass(time.Hour)
	require.NoError(t, tr.Commit())
}

// TestTimeoutInBackoff checks that the error does not hide that the commit may have
// succeeded.
func TestTimeoutInBackoff(t *testing.T) {
	for code, want := range map[int]kv.Outcome{
		kv.CodeNotCommitted:        kv.NotCommitted,
		kv.CodeCommitUnknownResult: kv.Unsettled,
	} {
		s := newFakeStore()
		tr := s.begin()
		tr.SetTimeout(time.Millisecond)
		err := tr.OnError(errCode(code))
		require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(err))
		require.Equal(t, want, kv.OutcomeOf(err), "code %d", code)
	}
}

// TestCancelInBackoff checks the same for Cancel and Reset.
func TestCancelInBackoff(t *testing.T) {
	for name, end := range map[string]func(tr *Transaction){
		"cancel": (*Transaction).Cancel, "reset": (*Transaction).Reset,
	} {
		s := newFakeStore()
		tr := s.begin()
		s.onSleep = func(ctx context.Context, _ time.Duration) error {
			end(tr)
			<-ctx.Done()
			return ctx.Err()
		}
		err := tr.OnError(errCode(kv.CodeCommitUnknownResult))
		require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err), name)
		require.Equal(t, kv.Unsettled, kv.OutcomeOf(err), name)
	}
}
