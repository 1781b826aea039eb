package executor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// An operation that finds nothing new takes one wave of reads and at most one commit.
func TestCostOfOperations(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	for _, c := range []struct {
		name           string
		op             machine.Operation
		waves, commits int64
	}{
		{"a read of the leader", machine.Operation{Kind: machine.ReadLeader, Known: leader.Token()}, 1, 0},
		{"a read of a new leader", machine.Operation{Kind: machine.ReadLeader}, 2, 0},
		{"a cycle", machine.Operation{Kind: machine.ElectionCycle, Known: leader.Token()}, 1, 1},
		{"a cycle under a new leader", machine.Operation{Kind: machine.ElectionCycle}, 2, 1},
		{"a heartbeat", machine.Operation{Kind: machine.Heartbeat}, 1, 1},
		{"a list of all", machine.Operation{Kind: machine.List}, 1, 0},
		{"a list of the first", machine.Operation{Kind: machine.List, First: 9, Also: []string{"alice", "bob"}}, 1, 0},
		{"a list of other candidates", machine.Operation{Kind: machine.List, First: 9, Also: []string{"alice"}}, 2, 0},
		{"a renewal", machine.Operation{Kind: machine.ElectionCycle, Me: bob, Token: leader.Token()}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := f.db.Counters()
			require.NoError(t, f.run(c.op).Err)
			did := f.db.Counters().Sub(before)
			require.Equal(t, c.waves, did.ReadWaves, "waves")
			require.Equal(t, c.commits, did.Commits, "commits")
		})
	}
}

func TestReadLeader(t *testing.T) {
	f := newFixture(t)
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.ReadLeader}).Err, fdbelection.ErrNotInitialized)
	f.register(alice, bob)
	a := f.run(machine.Operation{Kind: machine.ReadLeader})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.Vacant())
	require.Nil(t, a.Candidate)

	leader := f.claim(bob)
	a = f.run(machine.Operation{Kind: machine.ReadLeader})
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, leader.Token(), a.Status.Term.Token)
	require.Equal(t, "bob", a.Candidate.ID)
	require.True(t, a.Start.Before(a.Seen))
	require.Nil(t, f.run(machine.Operation{Kind: machine.ReadLeader, Me: bob}).Candidate, "it is its own record")

	f.set(f.key("candidates", "bob"), "rubbish")
	a = f.run(machine.Operation{Kind: machine.ReadLeader})
	require.NoError(t, a.Err, "a damaged candidate record does not hide the leader")
	require.Equal(t, leader, a.Status.Leader)
	require.Nil(t, a.Candidate)

	f.set(f.key("leader"), "rubbish")
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.ReadLeader}).Err, fdbelection.ErrInvalidState)
}

// Start and Seen are of the last attempt. Seen is after its reads.
func TestTimesAreOfTheLastAttempt(t *testing.T) {
	for _, kind := range []machine.Kind{machine.ReadLeader, machine.ElectionCycle, machine.Settle, machine.Register} {
		f := newFixture(t).register(alice, bob)
		f.claim(alice) // otherwise one more read checks for a lost record
		var read time.Time
		fail := once(memkv.CallRead, kv.CodeProcessBehind)
		f.before = func(c *memkv.Call) error {
			err := fail(c)
			switch {
			case err != nil:
				f.ticks += time.Second // the duration of the failed attempt
			case c.Kind == memkv.CallRead:
				read = f.now().Local
			}
			return err
		}
		a := f.run(machine.Operation{Kind: kind, Config: f.config})
		require.NoError(t, a.Err)
		require.True(t, a.Start.Before(read) && read.Before(a.Seen), "%s", kind)
		require.LessOrEqual(t, read.Sub(a.Start), 2*time.Millisecond, "%s: of the last attempt", kind)
	}
}

// An error of the store fails the operation, even in a read that is only for a report.
func TestFailedRead(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	first := f.claim(bob)
	f.claim(bob)
	f.claim(bob)
	for name, op := range map[string]machine.Operation{
		"of the record":  {Kind: machine.ReadLeader},
		"of the history": {Kind: machine.ReadLeader, Known: election.Token{Term: first.Term}, LeaderKnown: true, Me: bob},
		"of the cycle":   {Kind: machine.ElectionCycle},
	} {
		waves := 0
		f.before = func(c *memkv.Call) error {
			if c.Kind == memkv.CallRead {
				if waves++; waves == 2 {
					return kv.Error{Code: kv.CodeIOError}
				}
			}
			return nil
		}
		require.Equal(t, kv.CodeIOError, kv.CodeOf(f.run(op).Err), name)
	}
}

func TestMissed(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	var all []election.LeaderRecord
	for range 5 {
		all = append(all, f.claim(bob))
	}
	readMissed := func(op machine.Operation) (terms []uint64) {
		op.Kind = machine.ReadLeader
		a := f.run(op)
		require.NoError(t, a.Err)
		for _, leader := range a.Missed {
			terms = append(terms, leader.Term)
			was := all[leader.Term-1]
			require.Equal(t, was.Token(), leader.Token())
			require.Equal(t, was.Ballot, leader.Ballot)
			require.True(t, was.AcquiredAt.Equal(leader.AcquiredAt) && leader.Accepted)
		}
		return terms
	}
	missed := func(known uint64) []uint64 {
		return readMissed(machine.Operation{Known: election.Token{Term: known}, LeaderKnown: true})
	}
	require.Empty(t, readMissed(machine.Operation{}), "no leader was known")
	require.Equal(t, []uint64{1, 2, 3, 4}, missed(0), "it was known that no tenure had begun")
	require.Equal(t, []uint64{2, 3, 4}, missed(1))
	require.Equal(t, []uint64{4}, missed(3))
	require.Empty(t, missed(4))
	require.Empty(t, missed(5))
	require.Empty(t, missed(9), "the database was restored")

	f.transact(func(tr kv.Transaction) error { return f.election.ResignLeadership(tr, all[4].Token(), epoch) })
	require.Equal(t, []uint64{4, 5}, missed(3), "the last tenure has ended as well")
	require.Empty(t, missed(5))

	f.set(subspace.AppendInt(subspace.AppendUint(f.key("history"), 3), 0), "rubbish")
	require.Equal(t, []uint64{2, 4, 5}, missed(1), "only the damaged entry is missing")
}
