package kvtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// transactCases: the retry loops of a Database.
var transactCases = slices.Concat(failingFunctions, []Case{
	{
		Name:  "Transact/Commits",
		Shows: "Transact commits what the function wrote, and the helper returns the function's value",
		run: func(t *T) {
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
		Shows: "after a conflict the function runs again, at a new read version and without the writes of the first run",
		run: func(t *T) {
			var seen []string
			require.NoError(t, t.Transact(t.ctx, func(tr kv.Transaction) error {
				seen = append(seen, t.get(tr, "k"))
				if len(seen) == 1 {
					t.put("k", "foreign")
					tr.Set(t.key("first"), []byte("run"))
				}
				tr.Set(t.key("k"), []byte("mine"))
				return nil
			}))
			require.Equal(t, []string{absent, "foreign"}, seen)
			require.Equal(t, "k=mine", t.storedAll())
		},
	},
	{
		Name:  "Transact/RunsAgainAfterRetryableError",
		Shows: "a retryable error of the function runs it again, wrapped or not, on a new transaction",
		run: func(t *T) {
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
		Name:  "Transact/EndsItsTransaction",
		Shows: "a transaction kept beyond its Transact cannot be used",
		run: func(t *T) {
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
		Shows: "the stamp that a function asked for is answered after its Transact",
		run: func(t *T) {
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
		Shows: "ReadTransact reads one state and returns the function's value",
		run: func(t *T) {
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
		Shows: "a retryable error of the function runs it again",
		run: func(t *T) {
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
var failure = errors.New("the application's own")

// failingFunctions: what fn of Transact and ReadTransact may do wrong.
var failingFunctions = []Case{
	{
		Name:  "Transact/ReturnsOtherErrors",
		Shows: "any other error is returned as it is, after one run, and nothing is written",
		run: func(t *T) {
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
		Shows: "a panic of the function goes through, and leaves no write and no lock behind",
		run: func(t *T) {
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
		Shows: "any other error is returned as it is",
		run: func(t *T) {
			require.Same(t, failure, t.ReadTransact(t.ctx, func(kv.ReadTransaction) error { return failure }))
		},
	},
	{
		Name:  "ReadTransact/Panics",
		Shows: "a panic of the function goes through",
		run: func(t *T) {
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
