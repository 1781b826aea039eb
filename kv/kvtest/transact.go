package kvtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// transactCases cover the retry loops of a Database.
var transactCases = slices.Concat(failingFunctions, []Case{
	{
		Name:  "Transact/Commits",
		Shows: "Transact commits what the function wrote, and kv.Transact returns the function's value",
		run: func(t *env) {
			value, err := kv.Transact(t.ctx, t, func(tr kv.Transaction) (string, error) {
				tr.Set(t.key("k"), []byte("v"))
				return "value", nil
			})
			require.NoError(t, err)
			require.Equal(t, kv.Committed, kv.OutcomeOf(err))
			require.Equal(t, "value", value)
			require.Equal(t, "v", t.stored("k"))
		},
	},
	{
		Name:  "Transact/RunsAgainAfterConflict",
		Shows: "after a conflict the function runs again, with a new read version and without the writes of the first run",
		run: func(t *env) {
			var seen []string
			require.NoError(t, t.Transact(t.ctx, func(tr kv.Transaction) error {
				seen = append(seen, t.get(tr, "k"))
				if len(seen) == 1 {
					t.put("k", "other")
					tr.Set(t.key("first"), []byte("run"))
				}
				tr.Set(t.key("k"), []byte("mine"))
				return nil
			}))
			require.Equal(t, []string{absent, "other"}, seen)
			require.Equal(t, "k=mine", t.storedAll())
		},
	},
	{
		Name:  "Transact/RunsAgainAfterRetryableError",
		Shows: "if the function returns a retryable error, wrapped or not, it runs again in a new transaction",
		run: func(t *env) {
			runs := 0
			require.NoError(t, t.Transact(t.ctx, func(tr kv.Transaction) error {
				require.Equal(t, absent, t.get(tr, "k"))
				tr.Set(t.key("k"), fmt.Append(nil, runs))
				switch runs++; runs {
				case 1:
					return kv.Error{Code: kv.CodeNotCommitted}
				case 2:
					return fmt.Errorf("wrapped: %w", kv.Error{Code: kv.CodeProcessBehind})
				}
				return nil
			}))
			require.Equal(t, "2", t.stored("k"))
		},
	},
	{
		Name:  "Transact/EndsTheTransaction",
		Shows: "a transaction cannot be used after its Transact has returned",
		run: func(t *env) {
			var kept kv.Transaction
			require.NoError(t, t.Transact(t.ctx, func(tr kv.Transaction) error {
				kept = tr
				tr.Set(t.key("k"), []byte("v"))
				return nil
			}))
			kept.Set(t.key("k"), []byte("late"))
			_, err := kept.Get(t.key("k")).Get()
			require.NotZero(t, kv.CodeOf(err), "%v", err)
			require.Equal(t, "v", t.stored("k"))
		},
	},
	{
		Name:  "Transact/Versionstamp",
		Shows: "a versionstamp requested by the function is available after Transact",
		run: func(t *env) {
			future, err := kv.Transact(t.ctx, t, func(tr kv.Transaction) (kv.Future[[]byte], error) {
				tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
				return tr.GetVersionstamp(), nil
			})
			require.NoError(t, err)
			require.Equal(t, t.stamp(future), t.stored("k"))
		},
	},
	{
		Name:  "ReadTransact/Reads",
		Shows: "ReadTransact reads one state, and kv.ReadTransact returns the function's value",
		run: func(t *env) {
			t.put("k", "v")
			value, err := kv.ReadTransact(t.ctx, t, func(tr kv.ReadTransaction) (string, error) {
				return t.get(tr, "k") + t.get(tr.Snapshot(), "k"), nil
			})
			require.NoError(t, err)
			require.Equal(t, "vv", value)
		},
	},
	{
		Name:  "ReadTransact/RunsAgain",
		Shows: "if the function returns a retryable error, it runs again",
		run: func(t *env) {
			runs := 0
			require.NoError(t, t.ReadTransact(t.ctx, func(tr kv.ReadTransaction) error {
				t.get(tr, "k")
				if runs++; runs < 3 {
					return kv.Error{Code: kv.CodeTransactionTooOld}
				}
				return nil
			}))
			require.Equal(t, 3, runs)
		},
	},
})

// failure is an error of the application.
var failure = errors.New("application error")

// failingFunctions cover functions that fail or panic.
var failingFunctions = []Case{
	{
		Name:  "Transact/ReturnsOtherErrors",
		Shows: "any other error is returned unchanged after one run, and nothing is written",
		run: func(t *env) {
			for _, want := range []error{
				failure,
				fmt.Errorf("wrapped: %w", failure),
				kv.Error{Code: kv.CodeKeyTooLarge},
			} {
				runs := 0
				err := t.Transact(t.ctx, func(tr kv.Transaction) error {
					runs++
					tr.Set(t.key("k"), []byte("v"))
					return want
				})
				require.Equal(t, want, err)
				require.Equal(t, 1, runs)
				require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
			}
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "Transact/Panics",
		Shows: "a panic of the function propagates, writes nothing and leaves nothing locked",
		run: func(t *env) {
			require.PanicsWithValue(t, failure, func() {
				_ = t.Transact(t.ctx, func(tr kv.Transaction) error {
					t.get(tr, "k")
					tr.Set(t.key("k"), []byte("v"))
					panic(failure)
				})
			})
			require.Empty(t, t.storedAll())
			t.put("k", "after")
			require.Equal(t, "after", t.stored("k"))
		},
	},
	{
		Name:  "ReadTransact/ReturnsOtherErrors",
		Shows: "any other error is returned unchanged",
		run: func(t *env) {
			require.Same(t, failure, t.ReadTransact(t.ctx, func(kv.ReadTransaction) error { return failure }))
		},
	},
	{
		Name:  "ReadTransact/Panics",
		Shows: "a panic of the function propagates",
		run: func(t *env) {
			require.PanicsWithValue(t, failure, func() {
				_ = t.ReadTransact(t.ctx, func(tr kv.ReadTransaction) error {
					t.get(tr, "k")
					panic(failure)
				})
			})
			t.put("k", "after")
		},
	},
}
