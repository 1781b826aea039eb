package elector_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// account is a value that fenced work of "a" changes.
type account struct {
	tc       *cluster
	key      []byte
	attempts int
}

func (tc *cluster) account() *account {
	return &account{tc: tc, key: tc.election.Subspace().Sub("account").Bytes()}
}

// set writes the value in a fenced transaction.
func (a *account) set(lead *elector.Leadership, value string) error {
	return lead.Transact(a.tc.Context(), func(tr kv.Transaction) error {
		a.attempts++
		tr.Set(a.key, []byte(value))
		return nil
	})
}

func (a *account) value() string {
	a.tc.Helper()
	value, err := kv.ReadTransact(a.tc.Context(), a.tc.db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(a.key).Get() })
	require.NoError(a.tc, err)
	return string(value)
}

// replaceLeader begins the next term, with another leader.
func (tc *cluster) replaceLeader(lead *elector.Leadership) {
	tc.Helper()
	tc.transact(func(tr kv.Transaction) error { return tc.election.ResignLeadership(tr, lead.Token(), time.Now()) })
	tc.begin("successor").leads()
	require.Equal(tc, lead.Term()+1, tc.leader().Term)
}

// Transact commits in its own tenure and is refused after a newer term has begun.
func TestTransactIsFenced(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		lead, err := tc.process("a").Campaign(tc.Context())
		require.NoError(tc, err)
		account := tc.account()
		require.NoError(tc, account.set(lead, "first"))
		require.Equal(tc, "first", account.value())

		tc.replaceLeader(lead)
		err = account.set(lead, "second")
		require.ErrorIs(tc, err, fdbelection.ErrFenced)
		require.Equal(tc, kv.NotCommitted, kv.OutcomeOf(err))
		require.Equal(tc, 1, account.attempts, "fn is not called in the second transaction")
		require.Equal(tc, "first", account.value())
	})
}

// Transact is refused after a resignation, before another process leads.
func TestTransactAfterResign(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		lead, err := tc.process("a").Campaign(tc.Context())
		require.NoError(tc, err)
		require.NoError(tc, lead.Resign(tc.Context()))
		require.ErrorIs(tc, tc.account().set(lead, "late"), fdbelection.ErrFenced)
	})
}

// Each attempt of Transact is fenced, whatever the first one has found.
func TestEachAttemptOfTransactIsFenced(t *testing.T) {
	for name, code := range map[string]int{"a conflict": kv.CodeNotCommitted, "an unknown result": kv.CodeCommitUnknownResult} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				lead, err := tc.process("a").Campaign(tc.Context())
				require.NoError(tc, err)
				refused, met := once(tc.commits("a", "account"), func(context.Context, *memkv.Call) error {
					tc.replaceLeader(lead)
					return kv.Error{Code: code} // before the commit, so nothing is written
				})
				tc.before(refused)
				account := tc.account()
				err = account.set(lead, "first")
				require.True(tc, met())
				require.ErrorIs(tc, err, fdbelection.ErrFenced)
				require.Equal(tc, kv.Error{Code: code}.Outcome(), kv.OutcomeOf(err))
				require.Equal(tc, 1, account.attempts)
				require.Empty(tc, account.value())
			})
		})
	}
}

// If a commit has an unknown result, Transact calls fn again.
func TestTransactRetriesAnUnknownResult(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		lead, err := tc.process("a").Campaign(tc.Context())
		require.NoError(tc, err)
		lost, met := once(tc.commits("a", "account"), fail(kv.Error{Code: kv.CodeCommitUnknownResult}))
		tc.after(lost)
		account := tc.account()
		require.NoError(tc, account.set(lead, "first"))
		require.True(tc, met())
		require.Equal(tc, 2, account.attempts)
		require.Equal(tc, "first", account.value())
	})
}

// An attempt with an unknown result has committed, and the next attempt is fenced. The error
// matches ErrFenced, but its outcome says that something may be written.
func TestTransactIsFencedAfterAnUnknownResult(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		lead, err := tc.process("a").Campaign(tc.Context())
		require.NoError(tc, err)
		lost, _ := once(tc.commits("a", "account"), func(context.Context, *memkv.Call) error {
			tc.replaceLeader(lead)
			return kv.Error{Code: kv.CodeCommitUnknownResult}
		})
		tc.after(lost)
		account := tc.account()
		err = account.set(lead, "first")
		require.ErrorIs(tc, err, fdbelection.ErrFenced)
		require.Equal(tc, kv.UnknownResult, kv.OutcomeOf(err))
		require.Equal(tc, 1, account.attempts)
		require.Equal(tc, "first", account.value(), "it was written in the old term")
	})
}

// Leading is true in jeopardy and false while the work drains.
func TestLeading(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		require.False(tc, p.Leading(), "not started")
		hold := make(chan struct{})
		lead := within(tc, p.tenures(hold), "leadership")
		require.True(tc, p.Leading())

		tc.before(of("a", fail(errDisk)))
		p.enters(elector.StateJeopardy)
		require.True(tc, p.Leading())
		tc.before(nil)
		require.Equal(tc, elector.StateLeader, p.enters(elector.StateLeader).To)

		require.ErrorIs(tc, p.Stop(tc.ended()), errWork)
		<-lead.Context().Done()
		require.False(tc, p.Leading(), "the work drains")
		require.NoError(tc, lead.LeaseContext().Err())
		require.Equal(tc, "a", tc.leader().ID)
		require.Equal(tc, p.Leading(), p.IsLeader(tc.Context()) == nil)
		close(hold)
		require.NoError(tc, within(tc, p.result, "the end of Run"))
	})
}
