//go:build unix

package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestSecondInterruptOfAnotherSubcommand: a second interrupt ends any other subcommand at
// once. This one cannot withdraw its request because the store hangs.
func TestSecondInterruptOfAnotherSubcommand(t *testing.T) {
	file := processtest.StoreFile(t)
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	defer db.Close()
	e := election.New(subspace.New("fdbelection", "default"))
	people(t, db, e)
	p := processtest.StartArgs(t, nil, "resign", "resign", "--store", "file:"+file, "--timeout", "1m")
	processtest.Eventually(t, "the request is made", func() bool {
		intent, err := kv.ReadTransact(t.Context(), db, e.ReadRequest)
		return err == nil && intent.Kind == election.ResignRequest
	})
	defer processtest.HoldStore(t, file)()
	require.Equal(t, 130, p.Insist(t))
}
