package memkv

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// testClock is a clock that only moves when it is told to.
type testClock struct{ now time.Time }

func newTestClock() *testClock { return &testClock{now: time.Unix(1_700_000_000, 0)} }

func (c *testClock) pass(d time.Duration) { c.now = c.now.Add(d) }

// options returns Options with this clock. A sleep advances the clock at once.
func (c *testClock) options() Options {
	return Options{
		Now:    func() time.Time { return c.now },
		Sleep:  func(ctx context.Context, d time.Duration) error { c.pass(d); return ctx.Err() },
		Jitter: func() float64 { return 0.5 },
	}
}

type beginner interface {
	CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error)
}

func begin(t *testing.T, db beginner) kv.OwnedTransaction {
	t.Helper()
	tr, err := db.CreateTransaction(t.Context())
	require.NoError(t, err)
	return tr
}

func mustGet(t *testing.T, tr kv.ReadTransaction, key string) string {
	t.Helper()
	v, err := tr.Get([]byte(key)).Get()
	require.NoError(t, err)
	if v == nil {
		return "(none)"
	}
	return string(v)
}

// put commits one key.
func put(t *testing.T, db kv.Database, key, value string) {
	t.Helper()
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Set([]byte(key), []byte(value))
		return nil
	}))
}

// contents reads the whole database.
func contents(t *testing.T, db kv.Database) []string {
	t.Helper()
	rows, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(nil, []byte("\xff"), kv.RangeOptions{}).Get()
	})
	require.NoError(t, err)
	out := []string{}
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%s=%s", r.Key, r.Value))
	}
	return out
}
