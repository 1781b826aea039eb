package fdbkv_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// errStopped is the cause with which the tests end their contexts.
var errStopped = errors.New("stopped by the test")

// nowhereFile is the cluster file of a cluster that does not exist and never responds.
func nowhereFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fdb.cluster")
	require.NoError(t, os.WriteFile(name, []byte("# no process listens there\nnowhere:nowhere@127.0.0.1:1\n"), 0o600))
	return name
}

// nowhere opens it.
func nowhere(t testing.TB) *fdbkv.Database {
	t.Helper()
	db, err := fdbkv.Open(nowhereFile(t), fdbkv.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// waits holds all ways to wait for a database.
var waits = []struct {
	name    string
	outcome kv.Outcome
	begin   func(tr kv.Transaction) (wait func() error)
}{
	{"get", kv.NotCommitted, func(tr kv.Transaction) func() error {
		answer := tr.Get([]byte("k"))
		return func() error { _, err := answer.Get(); return err }
	}},
	{"snapshot get", kv.NotCommitted, func(tr kv.Transaction) func() error {
		answer := tr.Snapshot().Get([]byte("k"))
		return func() error { _, err := answer.Get(); return err }
	}},
	{"range", kv.NotCommitted, func(tr kv.Transaction) func() error {
		answer := tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{})
		return func() error { _, err := answer.Get(); return err }
	}},
	{"read version", kv.NotCommitted, func(tr kv.Transaction) func() error {
		answer := tr.GetReadVersion()
		return func() error { _, err := answer.Get(); return err }
	}},
	{"versionstamp", kv.NotCommitted, func(tr kv.Transaction) func() error {
		answer := tr.GetVersionstamp()
		return func() error { _, err := answer.Get(); return err }
	}},
	{"commit", kv.Unsettled, func(tr kv.Transaction) func() error {
		tr.Set([]byte("k"), []byte("v"))
		return tr.(kv.OwnedTransaction).Commit
	}},
}

// TestContextEndsEveryWait: when the context ends, every wait fails immediately. The error
// has the cause and the outcome of the writes.
func TestContextEndsEveryWait(t *testing.T) {
	db := nowhere(t)
	for _, w := range waits {
		t.Run(w.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			tr, err := db.CreateTransaction(ctx)
			require.NoError(t, err)
			defer tr.Cancel()
			ended := background(w.begin(tr))
			require.Never(t, func() bool { return len(ended) > 0 }, 20*time.Millisecond, 5*time.Millisecond)
			cancel(errStopped)
			err = await(t, ended)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, errStopped)
			require.ErrorIs(t, err, kv.Error{Code: kv.CodeTransactionCancelled})
			require.Equal(t, w.outcome, kv.OutcomeOf(err))

			// New operations also fail, including a commit, which then never began.
			require.ErrorIs(t, w.begin(tr)(), errStopped)
			require.ErrorIs(t, tr.Commit(), errStopped)
		})
	}
}

// TestTimeoutEndsEveryWait does the same with the time limit of the options.
func TestTimeoutEndsEveryWait(t *testing.T) {
	db, err := nowhere(t).With(fdbkv.Options{Timeout: 50 * time.Millisecond})
	require.NoError(t, err)
	for _, w := range waits {
		t.Run(w.name, func(t *testing.T) {
			tr, err := db.CreateTransaction(context.Background())
			require.NoError(t, err)
			defer tr.Cancel()
			err = await(t, background(w.begin(tr)))
			require.ErrorIs(t, err, kv.Error{Code: kv.CodeTransactionTimedOut})
			require.Equal(t, w.outcome, kv.OutcomeOf(err))
			require.ErrorIs(t, tr.OnError(err), kv.Error{Code: kv.CodeTransactionTimedOut})
		})
	}
}

// TestContextEndsTransact: the retry loops also end, even while they wait to retry.
func TestContextEndsTransact(t *testing.T) {
	db := nowhere(t)
	for name, run := range map[string]func(ctx context.Context) error{
		"Transact": func(ctx context.Context) error {
			return db.Transact(ctx, func(tr kv.Transaction) error {
				_, err := tr.Get([]byte("k")).Get()
				return err
			})
		},
		"ReadTransact": func(ctx context.Context) error {
			return db.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
				_, err := tr.Get([]byte("k")).Get()
				return err
			})
		},
		"Transact of conflicts": func(ctx context.Context) error {
			return db.Transact(ctx, func(kv.Transaction) error { return kv.Error{Code: kv.CodeNotCommitted} })
		},
		"Ping": db.Ping,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			ended := background(func() error { return run(ctx) })
			require.Never(t, func() bool { return len(ended) > 0 }, 20*time.Millisecond, 5*time.Millisecond)
			cancel(errStopped)
			err := await(t, ended)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, errStopped)
			require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
		})
	}
}

// TestDeadlineIsTold: the error text names a deadline once.
func TestDeadlineIsTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := nowhere(t).Ping(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualError(t, err, "context deadline exceeded (1025)")

	db, err := nowhere(t).With(fdbkv.Options{Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	require.EqualError(t, db.Ping(context.Background()), "operation aborted because the transaction timed out (1031)")
}

// TestWrappedOnlyStopsWaiting: the end of the context ends the waits in a wrapped
// transaction. The transaction itself continues.
func TestWrappedOnlyStopsWaiting(t *testing.T) {
	t.Run("nowhere", func(t *testing.T) {
		tr := binding(t, nowhere(t))
		for _, w := range waits {
			if w.name == "commit" {
				continue // a wrapped transaction has none
			}
			ctx, cancel := context.WithCancelCause(context.Background())
			wrapped := fdbkv.WrapContext(ctx, tr)
			ended := background(w.begin(wrapped))
			require.Never(t, func() bool { return len(ended) > 0 }, 20*time.Millisecond, 5*time.Millisecond)
			cancel(errStopped)
			err := await(t, ended)
			require.ErrorIs(t, err, errStopped, w.name)
			require.ErrorIs(t, err, context.Canceled, w.name)
			require.ErrorIs(t, err, kv.Error{Code: kv.CodeTransactionCancelled}, w.name)
		}
	})
	t.Run("here", func(t *testing.T) {
		key := append(prefix(t), "k"...)
		tr := binding(t, open(t, fdbkv.Options{}))
		ctx, cancel := context.WithCancelCause(context.Background())
		wrapped := fdbkv.WrapContext(ctx, tr)
		wrapped.Set(key, []byte("v"))
		stamp := wrapped.GetVersionstamp() // completes only after the commit
		ended := background(func() error { _, err := stamp.Get(); return err })
		cancel(errStopped)
		require.ErrorIs(t, await(t, ended), errStopped)
		_, err := wrapped.Get(key).Get()
		require.ErrorIs(t, err, errStopped)

		require.NoError(t, tr.Commit().Get(), "the transaction is the caller's")
		require.Equal(t, "v", stored(t, key))
	})
}

// stored returns the value of a key, now.
func stored(t testing.TB, key []byte) string {
	t.Helper()
	value, err := kv.ReadTransact(t.Context(), open(t, fdbkv.Options{}), func(tr kv.ReadTransaction) ([]byte, error) {
		return tr.Get(key).Get()
	})
	require.NoError(t, err)
	return string(value)
}

// binding returns a transaction of the binding.
func binding(t testing.TB, db *fdbkv.Database) fdb.Transaction {
	t.Helper()
	own, err := db.CreateTransaction(context.Background())
	require.NoError(t, err)
	t.Cleanup(own.Cancel)
	tr, ok := fdbkv.Unwrap(own)
	require.True(t, ok)
	return tr
}

// background runs fn and sends its error to the channel.
func background(fn func() error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- fn() }()
	return ended
}

// await waits for a result, at most for patience.
func await(t testing.TB, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatalf("no result within %v", patience)
		return nil
	}
}
