package membership_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// rows returns the stored records by kind and name.
func (c *cluster) rows() map[group.Kind]map[string]group.Row {
	rows := map[group.Kind]map[string]group.Row{}
	require.NoError(c.t, c.db.ReadTransact(c.t.Context(), func(tr kv.ReadTransaction) error {
		page, err := c.group.ScanPage(tr, group.Position{}, 1<<20)
		for _, row := range page.Rows {
			if rows[row.Kind] == nil {
				rows[row.Kind] = map[string]group.Row{}
			}
			rows[row.Kind][row.Name] = row
		}
		return err
	}))
	return rows
}

// evict evicts a member although it is alive.
func (c *cluster) evict(by, id string) {
	c.operate(func(tr kv.Transaction) error {
		beats, err := c.group.ReadBeats(tr, id)
		if err != nil {
			return err
		}
		_, err = c.group.Evict(tr, c.all[by].machine.Session(), beats[0])
		return err
	})
}

// A mirror has the own member record as it is stored, whenever the answer to the join came.
func TestOwnRecordInTheMirror(t *testing.T) {
	c := newCluster(t, testConfig(), 1)
	a := c.start("a")
	c.pass(5 * time.Second)
	require.True(t, c.rows()[group.KindMember]["a"].Member.Equal(a.machine.Mirror().Member("a")))
}

// A member finds its own eviction in the log, before its next heartbeat. It does not report that
// as an error of the store.
func TestEvictedMemberJoinsAgain(t *testing.T) {
	c := newCluster(t, testConfig(), 0) // without shards, it has nothing else to write
	a := c.start("a")
	c.start("b")
	c.pass(10 * time.Second)
	before := a.machine.Session()
	c.evict("b", "a")
	c.pass(100 * time.Millisecond)
	require.NotEqual(t, election.Identity{}, a.machine.Session())
	require.NotEqual(t, before, a.machine.Session())
	require.Equal(t, membership.StateUnready, a.machine.State())
	c.pass(10 * time.Second)
	require.Len(t, a.reports, 1)
	require.True(t, a.reports[0].Ended)
	require.ErrorIs(t, a.reports[0].Err, group.ErrSessionEnded)
}

// A record of what was trimmed that cannot be read does not make members scan again and again.
func TestDamagedTrimmedRecord(t *testing.T) {
	c := newCluster(t, testConfig(), 4)
	a := c.start("a")
	c.pass(10 * time.Second)
	c.operate(func(tr kv.Transaction) error {
		tr.Set(subspace.AppendString(subspace.New("g").Bytes(), "trimmed"), []byte{0x15, 0x01, 0xff})
		return nil
	})
	c.steps = 0
	c.pass(30 * time.Second)
	require.Less(t, c.steps, 200)
	require.NotZero(t, a.machine.Mirror().Version())
}

// After the database was restored, members read all records again, because the log does not say
// what has changed.
func TestRestoredDatabase(t *testing.T) {
	c := newCluster(t, testConfig(), 4)
	c.start("a")
	c.pass(10 * time.Second)
	begin, end := subspace.New("g").Range()
	var kept []kv.KeyValue
	require.NoError(t, c.db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) (err error) {
		kept, err = tr.GetRange(begin, end, kv.RangeOptions{}).Get()
		return err
	}))
	c.pass(10 * time.Second)
	c.operate(func(tr kv.Transaction) error {
		_, err := c.group.RemoveShards(tr, []string{"shard-00000"})
		return err
	})
	c.pass(10 * time.Second)
	require.Equal(t, map[string]int{"a": 3}, c.shares())
	c.operate(func(tr kv.Transaction) error {
		tr.ClearRange(begin, end)
		for _, row := range kept {
			tr.Set(row.Key, row.Value)
		}
		return nil
	})
	c.pass(20 * time.Second)
	require.Equal(t, map[string]int{"a": 4}, c.shares())
}

// A shard whose record cannot be read does not keep its leader from leaving.
func TestLeaderOfADamagedShardLeaves(t *testing.T) {
	c := newCluster(t, testConfig(), 2)
	a := c.start("a")
	c.pass(10 * time.Second)
	c.operate(func(tr kv.Transaction) error {
		key := subspace.AppendString(subspace.AppendString(subspace.New("g").Bytes(), "shards"), "shard-00000")
		tr.Set(key, []byte{0x15, 0x01, 0xff})
		return nil
	})
	require.Equal(t, map[string]int{"a": 2}, c.shares())
	a.post(membership.Leave{})
	c.pass(time.Second)
	require.True(t, a.finished)
	require.NoError(t, a.err)
}

// Members of a group that is disabled go on with their heartbeats, although they plan to claim.
func TestDisabledGroup(t *testing.T) {
	config := testConfig()
	config.Enabled = false
	c := newCluster(t, config, 4)
	a, b := c.start("a"), c.start("b")
	c.pass(60 * time.Second)
	c.commits = 0
	c.pass(30 * time.Second)
	require.InDelta(t, 2*10, c.commits, 2)
	require.Empty(t, append(a.evicted, b.evicted...))
	require.Empty(t, append(a.reports, b.reports...))
	require.Equal(t, membership.StateMember, a.machine.State())
}

// A member that an operator drains claims nothing, even if no other member does.
func TestDrainedMemberClaimsNothing(t *testing.T) {
	c := newCluster(t, testConfig(), 2)
	c.start("a")
	c.pass(10 * time.Second)
	c.operate(func(tr kv.Transaction) error { return c.group.Drain(tr, "a") })
	c.pass(time.Second)
	require.Empty(t, c.shares())
	c.moves = nil
	c.pass(60 * time.Second)
	require.Empty(t, c.moves)
	require.Empty(t, c.shares())
	c.commits = 0
	c.pass(30 * time.Second)
	require.InDelta(t, 10, c.commits, 2)
}

// A member finds that a late commit of its own has changed its record, and writes it again.
func TestLateChangeOfTheOwnRecord(t *testing.T) {
	c := newCluster(t, testConfig(), 1)
	a := c.start("a")
	c.pass(10 * time.Second)
	late := *c.rows()[group.KindMember]["a"].Member
	late.NotReady = "busy"
	c.operate(func(tr kv.Transaction) error { return c.group.UpdateMember(tr, late) })
	c.pass(time.Second)
	require.True(t, c.rows()[group.KindMember]["a"].Member.Ready())
	require.Equal(t, membership.StateMember, a.machine.State())
}

// A member that leaves hands a shard on that it was handed just before.
func TestLeavesWithoutAShardThatItDidNotKnow(t *testing.T) {
	c := newCluster(t, testConfig(), 1)
	a, b := c.start("a"), c.start("b")
	c.pass(10 * time.Second)
	if len(a.leads) == 0 {
		a, b = b, a
	}
	token := a.leads["shard-00000"]
	require.NoError(t, c.db.Transact(t.Context(), func(tr kv.Transaction) error {
		outcomes, err := c.group.Release(tr, token.Identity, []group.Release{
			{Token: token, Target: b.machine.Session(), Nonce: uuid.New(), Reason: group.ReasonBalance},
		}, c.now)
		require.NoError(t, outcomes[0].Err)
		return err
	}))
	b.post(membership.Leave{})
	c.poll()
	c.pass(time.Second)
	require.True(t, b.finished)
	require.NoError(t, b.err)
	shard := c.rows()[group.KindShard]["shard-00000"].Shard
	require.Equal(t, a.machine.Session(), shard.Leader)
	require.Equal(t, group.ReasonStop, shard.Reason)
}

// While the config cannot be read, the margin stays that of the last one that could.
func TestMarginWithADamagedConfig(t *testing.T) {
	config := testConfig()
	config.Margin = 3 * time.Second
	c := newCluster(t, config, 1)
	a := c.start("a")
	c.pass(10 * time.Second)
	c.operate(func(tr kv.Transaction) error {
		tr.Set(subspace.AppendString(subspace.New("g").Bytes(), "group"), []byte{0x15, 0x01, 0xff})
		return nil
	})
	c.pass(10 * time.Second)
	require.Equal(t, membership.StateMember, a.machine.State())
	require.Equal(t, config.LeaseDuration-config.Margin, a.machine.Deadlines().End.Sub(a.machine.Beat()))
}

// If watches fail because too many exist, members poll once per heartbeat, and arm again more and
// more rarely.
func TestWatchesThatFail(t *testing.T) {
	c := newCluster(t, testConfig(), 10, func(o *memkv.Options) { o.MaxWatches = 1 })
	a, b := c.start("a"), c.start("b")
	c.pass(30 * time.Second)
	require.Equal(t, map[string]int{"a": 5, "b": 5}, c.shares())
	before := c.steps
	c.pass(300 * time.Second)
	require.Less(t, c.steps-before, 100*2*40, "per heartbeat and member")
	require.LessOrEqual(t, len(a.reports)+len(b.reports), 2, "the first failure of a row is reported")
}

// While a heartbeat is overdue, the log is read as often as at other times.
func TestReadsWhileNoHeartbeatIsAcknowledged(t *testing.T) {
	broken := false
	c := newCluster(t, testConfig(), 4, func(o *memkv.Options) {
		o.Hooks = &memkv.Hooks{Before: func(_ context.Context, call *memkv.Call) error {
			if broken && call.Kind == memkv.CallCommit {
				return errors.New("no route to host")
			}
			return nil
		}}
	})
	a := c.start("a")
	c.pass(10 * time.Second)
	broken, c.steps = true, 0
	c.pass(6 * time.Second)
	require.Equal(t, membership.StateJeopardy, a.machine.State())
	require.Less(t, c.steps, 100)
}

// If the database is restored while a process waits to join, no record of it is missing. It finds out
// by the config, and does not go on with the heartbeat interval of the lost one.
func TestRestoredWhileItJoins(t *testing.T) {
	config := testConfig()
	c := newCluster(t, config, 0)
	first := c.start("a")
	c.pass(5 * time.Second)
	key, old := c.group.Subspace().Sub("group").Bytes(), []byte(nil)
	c.operate(func(tr kv.Transaction) (err error) { old, err = tr.Get(key).Get(); return err })
	config.LeaseDuration, config.HeartbeatInterval = 30*time.Second, 9*time.Second
	c.operate(func(tr kv.Transaction) error { _, err := c.group.WriteConfig(tr, config); return err })
	second := c.start("a")
	c.pass(5 * time.Second)
	first.kill()
	c.operate(func(tr kv.Transaction) error { tr.Set(key, old); return nil })
	c.pass(time.Minute)
	require.Equal(t, membership.StateMember, second.machine.State())
	before := c.commits
	c.pass(30 * time.Second)
	require.InDelta(t, 10, c.commits-before, 1)
}
