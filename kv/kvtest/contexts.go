package kvtest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// contextCases: the end of the context ends every wait, and the error tells
// both that and what may have been committed.
var contextCases = slices.Concat(heldContextCases(), []Case{
	{
		Name:  "Context/EndedBefore",
		Shows: "with a context that has ended nothing is read and nothing written",
		run: func(t *T) {
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
		Shows: "when it ends between two steps, reads and the commit after it fail, and nothing is written",
		run: func(t *T) {
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
		Shows: "a deadline that has passed is told as such",
		run: func(t *T) {
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
		Shows: "when it ends in the wait of OnError, the result has the code and the outcome of the error, and the context's cause",
		run: func(t *T) {
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
		Shows: "Transact and ReadTransact of a function that always fails retryably end with the context",
		run: func(t *T) {
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
		Name:  "Context/OthersGoOn",
		Shows: "the end of one transaction's context touches no other",
		run: func(t *T) {
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

// endedBy wants an error that matches the context's, holds an Error, and has
// that outcome.
func (t *T) endedBy(err, cause error, outcome kv.Outcome) {
	t.Helper()
	require.ErrorIs(t, err, cause)
	require.NotZero(t, kv.CodeOf(err), "%v should hold a kv.Error", err)
	require.Equal(t, outcome, kv.OutcomeOf(err), "%v", err)
}

// heldContextCases end the context of an operation that is under way.
func heldContextCases() []Case {
	needs := []Capability{Holds}
	waits := []struct {
		name, shows string
		op          Op
		outcome     kv.Outcome
		wait        func(t *T, tr kv.OwnedTransaction) error
	}{
		{"Context/EndsAGet", "a get that waits ends", OpRead, kv.NotCommitted, func(t *T, tr kv.OwnedTransaction) error {
			_, err := tr.Get(t.key("k")).Get()
			return err
		}},
		{"Context/EndsARange", "a range that waits ends", OpRead, kv.NotCommitted, func(t *T, tr kv.OwnedTransaction) error {
			_, err := tr.GetRange(t.key("a"), t.key("z"), forwards).Get()
			return err
		}},
		{"Context/EndsAReadVersion", "a request for a read version ends", OpRead, kv.NotCommitted, func(_ *T, tr kv.OwnedTransaction) error {
			_, err := tr.GetReadVersion().Get()
			return err
		}},
		{"Context/EndsACommit", "a commit that waits ends, and its outcome is Unsettled", OpCommit, kv.Unsettled, func(t *T, tr kv.OwnedTransaction) error {
			tr.Set(t.key("k"), []byte("v"))
			return tr.Commit()
		}},
	}
	cases := make([]Case, 0, len(waits)+1)
	for _, w := range waits {
		cases = append(cases, Case{Name: w.name, Shows: w.shows, Needs: needs, run: func(t *T) {
			arrived, release := t.Hold(w.op)
			defer release()
			ctx, cancel := context.WithCancel(t.ctx)
			tr := t.beginIn(ctx)
			ended := t.background(func() error { return w.wait(t, tr) })
			t.await(arrived, "the operation")
			cancel()
			t.endedBy(ended(), context.Canceled, w.outcome)
		}})
	}
	return append(cases, Case{
		Name:  "Context/EndsTransactInItsCommit",
		Shows: "Transact whose commit waits ends with the outcome Unsettled, and does not run the function again",
		Needs: needs,
		run: func(t *T) {
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
			t.await(arrived, "the commit")
			cancel()
			t.endedBy(ended(), context.Canceled, kv.Unsettled)
			require.Equal(t, 1, runs)
		},
	})
}
