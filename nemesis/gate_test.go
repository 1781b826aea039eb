package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestGate: what is cut off does not reach the store, and what has lost its answer does.
func TestGate(t *testing.T) {
	db := memkv.New(memkv.Options{})
	g := newGate(db)
	set := func(ctx context.Context, value string) error {
		return g.Transact(ctx, func(tr kv.Transaction) error {
			tr.Set([]byte("key"), []byte(value))
			return nil
		})
	}
	commit := func(ctx context.Context, value string) error {
		tr, err := g.CreateTransaction(ctx)
		if err != nil {
			return err
		}
		defer tr.Cancel()
		tr.Set([]byte("key"), []byte(value))
		return tr.Commit()
	}
	stored := func() string {
		value, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get([]byte("key")).Get() })
		require.NoError(t, err)
		return string(value)
	}
	for name, write := range map[string]func(context.Context, string) error{"Transact": set, "CreateTransaction": commit} {
		g.set(false, false, 0)
		require.NoError(t, write(t.Context(), name))
		require.Equal(t, name, stored())

		g.set(true, false, 0)
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := write(short, "cut")
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
		require.Equal(t, name, stored())

		g.set(false, true, 0)
		short, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		err = write(short, "mute")
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
		require.Equal(t, "mute", stored())

		g.set(true, false, 0)
		time.AfterFunc(20*time.Millisecond, func() { g.set(false, false, 0) })
		require.NoError(t, write(t.Context(), "healed"))
		require.Equal(t, "healed", stored())
	}
	g.set(false, false, 20*time.Millisecond)
	begin := time.Now()
	require.NoError(t, set(t.Context(), "slow"))
	require.GreaterOrEqual(t, time.Since(begin), 40*time.Millisecond, "each way is slow")
}
