package cli

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestDisableOnASlowStore: however short the wait for the vacancy is, the store has its
// usual time for the change.
func TestDisableOnASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memkv.New(memkv.Options{})
		e := election.New(subspace.New("fdbelection", "default"))
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err }))
		stdout, _, err := execOn(t.Context(), clitest.Virtual{}, clitest.Slow(db, time.Second), "config", "disable", "--wait", "--timeout", "10ms")
		require.NoError(t, err)
		require.Contains(t, stdout, "true -> false")
	})
}
