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

// TestOneWaveOfReads: there is one round trip where nothing is new, and no more
// than one commit.
func TestOneWaveOfReads(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(bob)
	for _, c := range []struct {
		name           string
		op             machine.Operation
		waves, commits int64
	}{
		{"a look", machine.Operation{Kind: machine.ReadLeader, Known: leader.Token()}, 1, 0},
		{"a look at a new leader", machine.Operation{Kind: machine.ReadLeader}, 2, 0},
		{"a cycle", machine.Operation{Kind: machine.ElectionCycle, Known: leader.Token()}, 1, 1},
		{"a cycle under a new leader", machine.Operation{Kind: machine.ElectionCycle}, 2, 1},
		{"a heartbeat", machine.Operation{Kind: machine.Heartbeat}, 1, 1},
		{"a list of all", machine.Operation{Kind: machine.List}, 1, 0},
		{"a list of the first", machine.Operation{Kind: machine.List, First: 9, Also: []string{"alice", "bob"}}, 1, 0},
		{"a list of others than before", machine.Operation{Kind: machine.List, First: 9, Also: []string{"alice"}}, 2, 0},
		{"a renewal", machine.Operation{Kind: machine.ElectionCycle, Me: bob, Token: leader.Token()}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := b.db.Counters()
			require.NoError(t, b.run(c.op).Err)
			did := b.db.Counters().Sub(before)
			require.Equal(t, c.waves, did.ReadWaves, "waves")
			require.Equal(t, c.commits, did.Commits, "commits")
		})
	}
}

func TestReadLeader(t *testing.T) {
	b := newFixture(t)
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.ReadLeader}).Err, fdbelection.ErrNotInitialized)
	b.register(alice, bob)
	a := b.run(machine.Operation{Kind: machine.ReadLeader})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.Vacant())
	require.Nil(t, a.Candidate)

	leader := b.claim(bob)
	a = b.run(machine.Operation{Kind: machine.ReadLeader})
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, leader.Token(), a.Status.Term.Token)
	require.Equal(t, "bob", a.Candidate.ID)
	require.True(t, a.Start.Before(a.Seen))
	require.Nil(t, b.run(machine.Operation{Kind: machine.ReadLeader, Me: bob}).Candidate, "it is the own one")

	b.set(b.key("candidates", "bob"), "rubbish")
	a = b.run(machine.Operation{Kind: machine.ReadLeader})
	require.NoError(t, a.Err, "a record that cannot be read hides no seat")
	require.Equal(t, leader, a.Status.Leader)
	require.Nil(t, a.Candidate)

	b.set(b.key("leader"), "rubbish")
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.ReadLeader}).Err, fdbelection.ErrInvalidState)
}

// TestStampsAreOfTheLastAttempt, and those of an observation come after the reads.
func TestStampsAreOfTheLastAttempt(t *testing.T) {
	for _, kind := range []machine.Kind{machine.ReadLeader, machine.ElectionCycle, machine.Settle, machine.Register} {
		b := newFixture(t).register(alice, bob)
		b.claim(alice) // else one more read looks for a lost leader record
		var read time.Time
		fail := once(memkv.CallRead, kv.CodeProcessBehind)
		b.before = func(c *memkv.Call) error {
			err := fail(c)
			switch {
			case err != nil:
				b.ticks += time.Second // which the failed attempt has taken
			case c.Kind == memkv.CallRead:
				read = b.now().Local
			}
			return err
		}
		a := b.run(machine.Operation{Kind: kind, Config: b.config})
		require.NoError(t, a.Err)
		require.True(t, a.Start.Before(read) && read.Before(a.Seen), "%s", kind)
		require.LessOrEqual(t, read.Sub(a.Start), 2*time.Millisecond, "%s: not of the first attempt", kind)
	}
}

// TestAReadThatFails for good is the answer, also where it is of what is only to
// be told.
func TestAReadThatFails(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	first := b.claim(bob)
	b.claim(bob)
	b.claim(bob)
	for name, op := range map[string]machine.Operation{
		"of the record":  {Kind: machine.ReadLeader},
		"of the history": {Kind: machine.ReadLeader, Known: election.Token{Term: first.Term}, LeaderKnown: true, Me: bob},
		"of the cycle":   {Kind: machine.ElectionCycle},
	} {
		waves := 0
		b.before = func(c *memkv.Call) error {
			if c.Kind == memkv.CallRead {
				if waves++; waves == 2 {
					return kv.Error{Code: kv.CodeIOError}
				}
			}
			return nil
		}
		require.Equal(t, kv.CodeIOError, kv.CodeOf(b.run(op).Err), name)
	}
}

func TestMissed(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	var all []election.LeaderRecord
	for range 5 {
		all = append(all, b.claim(bob))
	}
	look := func(op machine.Operation) (terms []uint64) {
		op.Kind = machine.ReadLeader
		a := b.run(op)
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
		return look(machine.Operation{Known: election.Token{Term: known}, LeaderKnown: true})
	}
	require.Empty(t, look(machine.Operation{}), "nothing was known before")
	require.Equal(t, []uint64{1, 2, 3, 4}, missed(0), "it was known that nobody had led yet")
	require.Equal(t, []uint64{2, 3, 4}, missed(1))
	require.Equal(t, []uint64{4}, missed(3))
	require.Empty(t, missed(4))
	require.Empty(t, missed(5))
	require.Empty(t, missed(9), "the database was restored")

	b.transact(func(tr kv.Transaction) error { return b.election.ResignLeadership(tr, all[4].Token(), epoch) })
	require.Equal(t, []uint64{4, 5}, missed(3), "the last tenure has passed as well")
	require.Empty(t, missed(5))

	b.set(subspace.AppendInt(subspace.AppendUint(b.key("history"), 3), 0), "rubbish")
	require.Equal(t, []uint64{2, 4, 5}, missed(1), "an entry that cannot be read costs itself only")
}
