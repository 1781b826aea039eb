package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The answer of a claim is lost, and its second attempt is cancelled. The outcome must not be
// kv.NotCommitted.
func TestTransactRemembersAnAttemptThatMayHaveCommitted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	lost := false
	db := memkv.New(memkv.Options{
		Sleep: func(context.Context, time.Duration) error { return nil },
		Hooks: &memkv.Hooks{
			After: func(_ context.Context, c *memkv.Call) error {
				if c.Kind == memkv.CallCommit && lost {
					lost = false
					return kv.Error{Code: kv.CodeCommitUnknownResult}
				}
				return nil
			},
		},
	})
	b := &bench{LeaderElection: election.New(subspace.New("x")), t: t, db: db}
	b.do(func(tr kv.Transaction) error { _, err := b.Initialize(tr); return err })
	me := b.join("me", 1)
	lost = true
	runs := 0
	err := db.Transact(ctx, func(tr kv.Transaction) error {
		if runs++; runs == 2 {
			cancel() // the caller's time limit
		}
		_, err := b.RunElectionCycle(tr, me, start)
		return err
	})
	require.Error(t, err)
	held, readErr := kv.ReadTransact(context.Background(), db, b.GetLeaderRaw)
	require.NoError(t, readErr)
	require.True(t, held.HeldBy(me.Identity), "the first attempt has committed")
	require.NotEqual(t, kv.NotCommitted, kv.OutcomeOf(err), "%v", err)
}
