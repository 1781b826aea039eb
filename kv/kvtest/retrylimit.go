package kvtest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// retryLimitCases cover SetRetryLimit.
var retryLimitCases = []Case{
	{
		Name:  "RetryLimit/PastTheLimit",
		Shows: "OnError retries up to the limit, then returns the error, and the transaction fails with 1025",
		run: func(t *env) {
			tr := t.begin()
			tr.SetRetryLimit(2)
			require.NoError(t, tr.OnError(conflict))
			require.NoError(t, tr.OnError(conflict))
			require.Equal(t, error(conflict), tr.OnError(conflict))
			t.getFails(tr, "k", kv.CodeTransactionCancelled)
			t.commitFails(tr, kv.CodeTransactionCancelled)
		},
	},
	{
		Name:  "RetryLimit/Zero",
		Shows: "with a limit of zero, OnError does not retry",
		run: func(t *env) {
			tr := t.begin()
			tr.SetRetryLimit(0)
			require.Equal(t, error(conflict), tr.OnError(conflict))
		},
	},
	{
		Name:  "RetryLimit/Negative",
		Shows: "a negative limit means no limit",
		run: func(t *env) {
			tr := t.begin()
			tr.SetRetryLimit(0)
			tr.SetRetryLimit(-1)
			for range 5 {
				require.NoError(t, tr.OnError(conflict))
			}
		},
	},
	{
		Name:  "RetryLimit/Reset",
		Shows: "Reset removes the limit and resets the count",
		run: func(t *env) {
			tr := t.begin()
			tr.SetRetryLimit(0)
			require.Error(t, tr.OnError(conflict))
			tr.Reset()
			require.NoError(t, tr.OnError(conflict))
			tr.SetRetryLimit(1)
			tr.Set(t.key("k"), []byte("v"))
			t.commit(tr)
		},
	},
	{
		Name:  "RetryLimit/AfterABadWrite",
		Shows: "a limit set after an invalid write has no effect",
		run: func(t *env) {
			tr := t.begin()
			tr.SetVersionstampedValue(t.key("k"), []byte("short"))
			tr.SetRetryLimit(0)
			require.NoError(t, tr.OnError(conflict))
			require.NoError(t, tr.OnError(conflict))
		},
	},
}

// conflict is a retryable error.
var conflict = kv.Error{Code: kv.CodeNotCommitted}

// timeLimit is the time limit of transactions. Sleeps of a VirtualClock that return
// at once are shorter than half of it.
const timeLimit = 3 * time.Second

// pastTimeLimit has a margin for an engine that records the creation of a
// transaction later than the case does.
const pastTimeLimit = timeLimit * 5 / 4

// timeoutCases cover SetTimeout.
var timeoutCases = []Case{
	{
		Name: "Timeout/AfterABadWrite", Needs: []Capability{Clock},
		Shows: "a time limit set after an invalid write has no effect",
		run: func(t *env) {
			tr := t.begin()
			tr.SetVersionstampedValue(t.key("k"), []byte("short"))
			tr.SetTimeout(timeLimit)
			t.Advance(pastTimeLimit)
			t.getFails(tr, "k", kv.CodeInvalidOperation)
			require.NoError(t, tr.OnError(conflict))
			require.Equal(t, absent, t.get(tr, "k"))
		},
	},
	{
		Name: "Timeout/EveryUse", Needs: []Capability{Clock},
		Shows: "after its time limit, reads and the commit of a transaction fail with 1031",
		run: func(t *env) {
			tr := t.begin()
			tr.SetTimeout(timeLimit)
			require.Equal(t, absent, t.get(tr, "k"))
			tr.Set(t.key("k"), []byte("late"))
			t.Advance(pastTimeLimit)
			t.getFails(tr, "other", kv.CodeTransactionTimedOut)
			t.scanFails(tr, "a", "z", kv.CodeTransactionTimedOut)
			t.commitFails(tr, kv.CodeTransactionTimedOut)
			require.Equal(t, absent, t.stored("k"))
		},
	},
	{
		Name: "Timeout/BeforeTheCommit", Needs: []Capability{Clock, Outcomes},
		Shows: "if the limit has passed before the commit begins, the outcome is NotCommitted",
		run: func(t *env) {
			tr := t.begin()
			tr.SetTimeout(timeLimit)
			tr.Set(t.key("k"), []byte("late"))
			t.Advance(pastTimeLimit)
			err := tr.Commit()
			t.fails(err, kv.CodeTransactionTimedOut, "Commit")
			require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
		},
	},
	{
		Name: "Timeout/RunsFromCreation", Needs: []Capability{Clock},
		Shows: "the time limit counts from the transaction's creation, not from SetTimeout",
		run: func(t *env) {
			tr := t.begin()
			t.Advance(timeLimit)
			tr.SetTimeout(timeLimit / 2)
			t.getFails(tr, "k", kv.CodeTransactionTimedOut)
		},
	},
	{
		Name: "Timeout/AcrossRetries", Needs: []Capability{Clock},
		Shows: "a retry does not restart the time limit, and 1031 is not retried",
		run: func(t *env) {
			tr := t.begin()
			tr.SetTimeout(timeLimit)
			t.Advance(timeLimit / 2)
			require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
			t.get(tr, "k")
			t.Advance(timeLimit * 3 / 4)
			_, err := tr.Get(t.key("other")).Get()
			t.fails(err, kv.CodeTransactionTimedOut, "Get")
			t.fails(tr.OnError(err), kv.CodeTransactionTimedOut, "OnError")
		},
	},
	{
		Name: "Timeout/Zero", Needs: []Capability{Clock},
		Shows: "zero removes the time limit",
		run: func(t *env) {
			tr := t.begin()
			tr.SetTimeout(timeLimit)
			tr.SetTimeout(0)
			t.Advance(pastTimeLimit)
			require.Equal(t, absent, t.get(tr, "k"))
		},
	},
	{
		Name: "Timeout/Reset", Needs: []Capability{Clock},
		Shows: "Reset removes the time limit",
		run: func(t *env) {
			tr := t.begin()
			tr.SetTimeout(timeLimit)
			t.Advance(pastTimeLimit)
			t.getFails(tr, "k", kv.CodeTransactionTimedOut)
			tr.Reset()
			require.Equal(t, absent, t.get(tr, "k"))
		},
	},
	{
		Name: "Timeout/EndsARead", Needs: []Capability{Clock, Holds},
		Shows: "a pending read fails with 1031 when the limit passes",
		run: func(t *env) {
			arrived, release := t.Hold(OpRead)
			defer release()
			tr := t.begin()
			tr.SetTimeout(timeLimit)
			read := t.background(func() error {
				_, err := tr.Get(t.key("k")).Get()
				return err
			})
			t.await(arrived, "the read did not begin")
			t.Advance(pastTimeLimit)
			t.fails(read(), kv.CodeTransactionTimedOut, "Get")
		},
	},
	{
		Name: "Timeout/EndsACommit", Needs: []Capability{Clock, Holds},
		Shows: "a pending commit fails with 1031 when the limit passes, and the outcome is Unsettled",
		run: func(t *env) {
			arrived, release := t.Hold(OpCommit)
			defer release()
			tr := t.beginIn(context.Background())
			tr.SetTimeout(timeLimit)
			tr.Set(t.key("k"), []byte("v"))
			committed := t.background(tr.Commit)
			t.await(arrived, "the commit did not begin")
			t.Advance(pastTimeLimit)
			err := committed()
			t.fails(err, kv.CodeTransactionTimedOut, "Commit")
			require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
		},
	},
}
