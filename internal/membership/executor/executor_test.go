package executor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/internal/membership/executor"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// After a conflict a batch runs again at its full size. After a second one, or if it is too slow or
// too large, only a part of it is done (rule 9 of docs/group.md).
func TestBatchThatFails(t *testing.T) {
	for _, one := range []struct {
		faults []int
		done   int
	}{
		{nil, group.MaxBatch},
		{[]int{kv.CodeNotCommitted}, group.MaxBatch},
		{[]int{kv.CodeNotCommitted, kv.CodeNotCommitted}, group.MaxBatch / 2},
		{[]int{kv.CodeTransactionTooOld}, group.MaxBatch / 2},
		{[]int{kv.CodeTransactionTooLarge, kv.CodeTransactionTooLarge}, group.MaxBatch / 4},
	} {
		t.Run(fmt.Sprint(one.faults), func(t *testing.T) {
			var faults []int
			db := memkv.New(memkv.Options{
				Sleep: func(context.Context, time.Duration) error { return nil },
				Hooks: &memkv.Hooks{Before: func(_ context.Context, c *memkv.Call) error {
					if c.Kind != memkv.CallCommit || len(faults) == 0 {
						return nil
					}
					code := faults[0]
					faults = faults[1:]
					return kv.Error{Code: code}
				}},
			})
			g := group.New(subspace.New("g"))
			me := election.Identity{ID: "a", Incarnation: uuid.New()}
			claims := make([]group.Claim, group.MaxBatch)
			names := make([]string, group.MaxBatch)
			for i := range claims {
				names[i] = fmt.Sprint("shard-", i)
				claims[i] = group.Claim{Shard: names[i], Nonce: uuid.New()}
			}
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
				if _, err := g.Initialize(tr, group.DefaultConfig()); err != nil {
					return err
				}
				if _, err := g.CreateShards(tr, names, time.Unix(1, 0)); err != nil {
					return err
				}
				_, _, err := g.Join(tr, group.Joining{Member: group.Member{Identity: me, Weight: 1, Balance: group.BalanceVersion}})
				return err
			}))
			e := executor.Executor{Database: db, Group: g, Now: func() membership.Now { return membership.Now{Wall: time.Unix(2, 0)} }, NewIncarnation: uuid.New}
			faults = one.faults
			a, _ := e.Run(t.Context(), membership.Operation{Kind: membership.Claim, Me: me, Claims: claims}, func(membership.Event) {})
			require.NoError(t, a.Err)
			require.Empty(t, faults)
			require.Len(t, a.Outcomes, one.done)
			require.Positive(t, a.Version)
			for i, name := range names {
				var stored group.Shard
				require.NoError(t, db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) (err error) {
					stored, err = g.ReadShard(tr, name)
					return err
				}))
				require.Equal(t, i >= one.done, stored.Vacant(), name)
			}
		})
	}
}
