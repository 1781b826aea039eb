package kvtest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// unknownResultCases cover commits whose result does not show whether they were
// applied.
var unknownResultCases = []Case{
	unknownResult("UnknownResult/Applied", true),
	unknownResult("UnknownResult/NotApplied", false),
	{
		Name:  "UnknownResult/TransactRunsAgain",
		Shows: "after 1021 Transact runs the function again, and the second run sees what the first committed",
		Needs: []Capability{Faults},
		run: func(t *env) {
			for _, applied := range []bool{true, false} {
				t.drop("k")
				var seen []string
				err := t.Transact(t.ctx, func(tr kv.Transaction) error {
					seen = append(seen, t.get(tr, "k"))
					if len(seen) == 1 {
						t.Inject(Fault{Op: OpCommit, Code: kv.CodeCommitUnknownResult, Applied: applied})
					}
					tr.Set(t.key("k"), []byte("v"))
					return nil
				})
				require.NoError(t, err)
				require.Equal(t, "v", t.stored("k"))
				want := map[bool]string{true: "v", false: absent}
				require.Equal(t, []string{absent, want[applied]}, seen, "applied: %v", applied)
			}
		},
	},
	{
		Name:  "UnknownResult/ReadsAreRetried",
		Shows: "a read that fails with a retryable error is retried by Transact and by ReadTransact",
		Needs: []Capability{Faults},
		run: func(t *env) {
			t.put("k", "v")
			for _, code := range []int{kv.CodeFutureVersion, kv.CodeProcessBehind, kv.CodeTransactionTooOld} {
				t.Inject(Fault{Op: OpRead, Code: code})
				runs := 0
				value, err := kv.ReadTransact(t.ctx, t, func(tr kv.ReadTransaction) ([]byte, error) {
					runs++
					return tr.Get(t.key("k")).Get()
				})
				require.NoError(t, err, "code %d", code)
				require.Equal(t, "v", string(value))
				require.Equal(t, 2, runs, "runs with code %d", code)
			}
		},
	},
	{
		Name:  "UnknownResult/NotCommitted",
		Shows: "after 1020, 1037, 1038, 1042, 1051, 1078 and 1213 nothing is written, the outcome is NotCommitted, and Transact runs the function again",
		Needs: []Capability{Faults},
		run:   notCommitted,
	},
	unsettled("Unsettled/TimedOutApplied", kv.CodeTransactionTimedOut, true),
	unsettled("Unsettled/TimedOutNotApplied", kv.CodeTransactionTimedOut, false),
	unsettled("Unsettled/ClusterVersionChangedApplied", kv.CodeClusterVersionChanged, true),
	unsettled("Unsettled/ClusterVersionChangedNotApplied", kv.CodeClusterVersionChanged, false),
	{
		Name:  "Unsettled/AppliedLater",
		Shows: "an abandoned commit may still be applied after others have read that it was not, unless a conflicting transaction commits first",
		Needs: []Capability{Holds},
		run:   lateCommit,
	},
}

// unknownResult returns a case for 1021 after a commit that was applied or not.
func unknownResult(name string, applied bool) Case {
	return Case{
		Name:  name,
		Shows: "the outcome of 1021 is UnknownResult: a read shows whether the commit was applied, and OnError resets the transaction",
		Needs: []Capability{Faults},
		run: func(t *env) {
			t.Inject(Fault{Op: OpCommit, Code: kv.CodeCommitUnknownResult, Applied: applied})
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			err := tr.Commit()
			t.fails(err, kv.CodeCommitUnknownResult, "Commit")
			require.Equal(t, kv.UnknownResult, kv.OutcomeOf(err))
			require.Equal(t, applied, t.stored("k") == "v")
			require.NoError(t, tr.OnError(err))
			require.Equal(t, applied, t.get(tr, "k") == "v")
		},
	}
}

// unsettled returns a case for 1031 or 1039, which are not retried and leave the
// outcome open.
func unsettled(name string, code int, applied bool) Case {
	return Case{
		Name:  name,
		Shows: "the outcome is Unsettled, and Transact does not run the function again",
		Needs: []Capability{Faults},
		run: func(t *env) {
			t.Inject(Fault{Op: OpCommit, Code: code, Applied: applied})
			runs := 0
			err := t.Transact(t.ctx, func(tr kv.Transaction) error {
				runs++
				tr.Set(t.key("k"), []byte("v"))
				return nil
			})
			t.fails(err, code, "Transact")
			require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
			require.Equal(t, 1, runs)
			require.Equal(t, applied, t.stored("k") == "v")
		},
	}
}

// notCommitted covers errors that mean that the transaction did not commit.
func notCommitted(t *env) {
	for _, code := range []int{1020, 1037, 1038, 1042, 1051, 1078, 1213} {
		t.drop("k")
		t.Inject(Fault{Op: OpCommit, Code: code})
		tr := t.begin()
		tr.Set(t.key("k"), []byte("v"))
		err := tr.Commit()
		t.fails(err, code, "Commit")
		require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err), "code %d", code)
		require.Equal(t, absent, t.stored("k"), "code %d", code)

		t.Inject(Fault{Op: OpCommit, Code: code})
		runs := 0
		require.NoError(t, t.Transact(t.ctx, func(tr kv.Transaction) error {
			runs++
			tr.Set(t.key("k"), []byte("v"))
			return nil
		}), "code %d", code)
		require.Equal(t, 2, runs, "runs with code %d", code)
		require.Equal(t, "v", t.stored("k"), "code %d", code)
	}
}

// lateCommit shows why Unsettled matters, and how to settle a commit.
func lateCommit(t *env) {
	for _, settled := range []bool{false, true} {
		t.put("k", "before")
		arrived, release := t.Hold(OpCommit)
		ctx, cancel := context.WithCancel(t.ctx)
		tr := t.beginIn(ctx)
		t.get(tr, "k")
		tr.Set(t.key("k"), []byte("late"))
		committed := t.background(tr.Commit)
		t.await(arrived, "the commit did not begin")
		cancel()
		err := committed()
		require.Equal(t, kv.Unsettled, kv.OutcomeOf(err), "%v", err)

		require.Equal(t, "before", t.stored("k"))
		if settled {
			require.NoError(t, t.Transact(t.ctx, func(tr kv.Transaction) error {
				if err := tr.AddWriteConflictKey(t.key("k")); err != nil {
					return err
				}
				_, err := tr.Get(t.key("k")).Get()
				return err
			}))
		}
		release()
		want := map[bool]string{false: "late", true: "before"}
		require.Equal(t, want[settled], t.stored("k"), "settled: %v", settled)
	}
}
