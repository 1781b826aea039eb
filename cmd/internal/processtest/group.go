package processtest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Group is a group in a store file, for processes that run "fdbelect group run".
type Group struct {
	*group.Group
	File string
	DB   *filekv.DB
}

// NewGroup creates the group "default" with shards in a store file. Members receive shards at
// once, because it has no settle delay.
func NewGroup(t *testing.T, lease time.Duration, shards ...string) *Group {
	t.Helper()
	g := &Group{Group: group.New(subspace.New("fdbelection", "default")), File: StoreFile(t)}
	db, err := filekv.Open(g.File, filekv.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	g.DB = db
	config := group.ConfigWithLease(lease)
	config.SettleDelay = 0
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := g.Initialize(tr, config)
		return err
	}))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := g.CreateShards(tr, shards, time.Now())
		return err
	}))
	return g
}

// Shard returns the record of a shard, or none if it does not exist.
func (g *Group) Shard(t *testing.T, name string) group.Shard {
	t.Helper()
	s, err := kv.ReadTransact(t.Context(), g.DB, func(tr kv.ReadTransaction) (group.Shard, error) {
		return g.ReadShard(tr, name)
	})
	if !errors.Is(err, group.ErrNoShard) {
		require.NoError(t, err)
	}
	return s
}
