package kvtest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// contextCases check that the end of the context ends every wait, and that the
// error shows what may have been committed.
var contextCases = slices.Concat(heldContextCases(), []Case{
	{
		Name:  "Context/EndedBefore",
		Shows: "after the context has ended, nothing is read or written",
		run: func(t *env) {
			ctx, cancel := context.WithCancel(t.ctx)
			cancel()
			err := t.Transact(ctx, func(tr kv.Transaction) error {
				tr.Set(t.key("k"), []byte("v"))
				return nil
			})
			t.endedBy(err, context.Canceled, kv.NotCommitted)
			err = t.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
				_, err := tr.Get(t.key("k")).Get()
				return err
			})
			t.endedBy(err, context.Canceled, kv.NotCommitted)
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "Context/EndsBetween",
		Shows: "if the context ends between two steps, later reads and the commit fail, and nothing is written",
		run: func(t *env) {
			ctx, cancel := context.WithCancel(t.ctx)
			tr := t.beginIn(ctx)
			require.Equal(t, absent, t.get(tr, "k"))
			tr.Set(t.key("k"), []byte("v"))
			cancel()
			_, err := tr.Get(t.key("other")).Get()
			require.ErrorIs(t, err, context.Canceled, "Get")
			require.NotZero(t, kv.CodeOf(err), "Get")
			_, err = tr.GetRange(t.key("a"), t.key("z"), forwards).Get()
			require.ErrorIs(t, err, context.Canceled, "GetRange")
			t.endedBy(tr.Commit(), context.Canceled, kv.NotCommitted)
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "Context/Deadline",
		Shows: "an expired deadline is reported as context.DeadlineExceeded",
		run: func(t *env) {
			ctx, cancel := context.WithDeadline(t.ctx, time.Unix(0, 0))
			defer cancel()
			err := t.Transact(ctx, func(tr kv.Transaction) error {
				tr.Set(t.key("k"), []byte("v"))
				_, err := tr.Get(t.key("k2")).Get()
				return err
			})
			t.endedBy(err, context.DeadlineExceeded, kv.NotCommitted)
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "Context/EndsTheBackoff",
		Shows: "if the context ends during the back-off, OnError returns an error with the code and the outcome of its argument that matches the context's error",
		run: func(t *env) {
			for code, outcome := range map[int]kv.Outcome{
				kv.CodeNotCommitted:        kv.NotCommitted,
				kv.CodeCommitUnknownResult: kv.UnknownResult,
			} {
				ctx, cancel := context.WithCancel(t.ctx)
				tr := t.beginIn(ctx)
				cancel()
				err := tr.OnError(kv.Error{Code: code})
				t.fails(err, code, "OnError")
				t.endedBy(err, context.Canceled, outcome)
			}
		},
	},
	{
		Name:  "Context/EndsRetries",
		Shows: "Transact and ReadTransact stop retrying when the context ends",
		run: func(t *env) {
			ctx, cancel := context.WithCancel(t.ctx)
			runs := 0
			err := t.Transact(ctx, func(kv.Transaction) error {
				if runs++; runs == 3 {
					cancel()
				}
				return kv.Error{Code: kv.CodeNotCommitted}
			})
			t.endedBy(err, context.Canceled, kv.NotCommitted)
			require.Equal(t, 3, runs)
			err = t.ReadTransact(ctx, func(kv.ReadTransaction) error {
				return kv.Error{Code: kv.CodeNotCommitted}
			})
			t.endedBy(err, context.Canceled, kv.NotCommitted)
		},
	},
	{
		Name:  "Context/OtherTransactions",
		Shows: "the end of one transaction's context does not affect another transaction",
		run: func(t *env) {
			ctx, cancel := context.WithCancel(t.ctx)
			ended, other := t.beginIn(ctx), t.begin()
			t.get(ended, "k")
			t.get(other, "k")
			cancel()
			require.Error(t, ended.Commit())
			other.Set(t.key("k"), []byte("v"))
			t.commit(other)
		},
	},
})

// endedBy requires an error that matches cause, holds an Error, and has that
// outcome.
func (t *env) endedBy(err, cause error, outcome kv.Outcome) {
	t.Helper()
	require.ErrorIs(t, err, cause)
	require.NotZero(t, kv.CodeOf(err), "%v does not hold a kv.Error", err)
	require.Equal(t, outcome, kv.OutcomeOf(err), "%v", err)
}

// heldContextCases end the context during an operation.
func heldContextCases() []Case {
	needs := []Capability{Holds}
	waits := []struct {
		name, shows string
		op          Op
		outcome     kv.Outcome
		wait        func(t *env, tr kv.OwnedTransaction) error
	}{
		{"Context/EndsAGet", "the end of the context ends a pending get", OpRead, kv.NotCommitted, func(t *env, tr kv.OwnedTransaction) error {
			_, err := tr.Get(t.key("k")).Get()
			return err
		}},
		{"Context/EndsARange", "the end of the context ends a pending range read", OpRead, kv.NotCommitted, func(t *env, tr kv.OwnedTransaction) error {
			_, err := tr.GetRange(t.key("a"), t.key("z"), forwards).Get()
			return err
		}},
		{"Context/EndsAReadVersion", "the end of the context ends a pending request for a read version", OpRead, kv.NotCommitted, func(_ *env, tr kv.OwnedTransaction) error {
			_, err := tr.GetReadVersion().Get()
			return err
		}},
		{"Context/EndsACommit", "the end of the context ends a pending commit, and the outcome is Unsettled", OpCommit, kv.Unsettled, func(t *env, tr kv.OwnedTransaction) error {
			tr.Set(t.key("k"), []byte("v"))
			return tr.Commit()
		}},
	}
	cases := make([]Case, 0, len(waits)+1)
	for _, w := range waits {
		cases = append(cases, Case{Name: w.name, Shows: w.shows, Needs: needs, run: func(t *env) {
			arrived, release := t.Hold(w.op)
			defer release()
			ctx, cancel := context.WithCancel(t.ctx)
			tr := t.beginIn(ctx)
			ended := t.background(func() error { return w.wait(t, tr) })
			t.await(arrived, "the operation did not begin")
			cancel()
			t.endedBy(ended(), context.Canceled, w.outcome)
		}})
	}
	return append(cases, Case{
		Name:  "Context/EndsTransactInItsCommit",
		Shows: "if the context ends during the commit of Transact, the outcome is Unsettled and the function does not run again",
		Needs: needs,
		run: func(t *env) {
			arrived, release := t.Hold(OpCommit)
			defer release()
			ctx, cancel := context.WithCancel(t.ctx)
			runs := 0
			ended := t.background(func() error {
				return t.Transact(ctx, func(tr kv.Transaction) error {
					runs++
					tr.Set(t.key("k"), []byte("v"))
					return nil
				})
			})
			t.await(arrived, "the commit did not begin")
			cancel()
			t.endedBy(ended(), context.Canceled, kv.Unsettled)
			require.Equal(t, 1, runs)
		},
	})
}
