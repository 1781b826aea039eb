package executor_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// voter returns a voter with an id. Each has an incarnation of its own.
func voter(id string, incarnation byte) election.Registration {
	return election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.UUID{incarnation}}}
}

func (f *fixture) candidates() (all []election.Candidate) {
	f.Helper()
	f.transact(func(tr kv.Transaction) (err error) {
		all, err = f.election.ListCandidates(tr)
		return err
	})
	return all
}

// leaving returns a fixture in which alice leads, and how it leaves.
func leaving(t *testing.T, to string, others ...election.Registration) (*fixture, machine.Operation) {
	t.Helper()
	f := newFixture(t).register(append([]election.Registration{alice}, others...)...)
	return f, machine.Operation{
		Kind: machine.Unregister, Token: f.claim(alice).Token(), Succession: machine.Succession{To: to, Nonce: uuid.UUID{42}},
	}
}

// A successor is named by its id. Its tenure is not accepted yet.
func TestUnregisterHandsOver(t *testing.T) {
	f, op := leaving(t, "bob", bob)
	a := f.run(op)
	require.NoError(t, a.Err)
	require.NoError(t, a.Refused)
	require.Equal(t, f.leader(), a.Status.Leader)
	require.True(t, a.Status.Leader.HeldBy(bob.Identity))
	require.Equal(t, op.Succession.Nonce, a.Status.Leader.Nonce)
	require.Equal(t, election.AcquireTransfer, a.Status.Leader.AcquireReason)
	require.False(t, a.Status.Leader.Accepted)
	require.Len(t, f.candidates(), 1)

	again := f.run(op)
	require.NoError(t, again.Err)
	require.NoError(t, again.Refused, "it finds that it is done")
	require.Equal(t, a.Status.Leader, again.Status.Leader)
}

// A pattern names the newest voter whose id begins with its text, apart from the leader and
// from candidates that have timed out.
func TestHandOverToTheNewest(t *testing.T) {
	observer := voter("web-9", 9)
	observer.Role = election.Observer
	one, two, three := voter("web-1", 11), voter("web-2", 12), voter("web-3", 13)
	for _, c := range []struct {
		name, to string
		all      []election.Registration
		dead     []election.Registration
		want     string
	}{
		{"the newest", "web-*", []election.Registration{three, one, two, bob}, nil, "web-2"},
		{"no observer", "web-*", []election.Registration{one, observer}, nil, "web-1"},
		{"not the leader itself", "*", []election.Registration{bob}, nil, "bob"},
		{"not the dead", "web-*", []election.Registration{one, two}, []election.Registration{two}, "web-1"},
		{"an id that ends with it", "web*", []election.Registration{voter("web*", 14)}, nil, "web*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, op := leaving(t, c.to, c.all...)
			for _, dead := range c.dead {
				op.Members = append(op.Members, f.candidate(dead.ID))
			}
			require.NoError(t, f.run(op).Refused)
			require.Equal(t, c.want, f.leader().ID)
		})
	}
}

// If there is no successor, the process resigns, and the answer says why.
func TestUnregisterWithoutASuccessor(t *testing.T) {
	observer := voter("web-9", 9)
	observer.Role = election.Observer
	for to, want := range map[string]error{
		"carol": fdbelection.ErrProcessNotFound, "x*": fdbelection.ErrProcessNotFound, "web-9": fdbelection.ErrNotVoting,
		"web-*": fdbelection.ErrNotVoting, "alice": fdbelection.ErrInvalidCandidate, "\x00": fdbelection.ErrInvalidCandidate,
	} {
		f, op := leaving(t, to, observer)
		f.resigns(op, want)
	}
	f, op := leaving(t, "bob", bob)
	op.Members = []election.Candidate{f.candidate("bob")}
	f.resigns(op, fdbelection.ErrProcessNotFound, "sent no heartbeat for the candidate timeout")

	f, op = leaving(t, "bob", bob)
	op.Members = []election.Candidate{f.candidate("bob")}
	require.NoError(t, f.run(machine.Operation{Kind: machine.Heartbeat, Me: bob}).Err)
	require.NoError(t, f.run(op).Refused, "it has sent one since")
	require.True(t, f.leader().HeldBy(bob.Identity))

	f, op = leaving(t, "bob", bob)
	f.transact(func(tr kv.Transaction) error {
		config, err := f.election.ReadConfig(tr)
		if err != nil {
			return err
		}
		config.ElectionEnabled = false
		_, err = f.election.WriteConfig(tr, config)
		return err
	})
	f.resigns(op, fdbelection.ErrElectionDisabled)

	f, op = leaving(t, "bob", bob)
	f.set(f.key("config"), "rubbish")
	f.resigns(op, fdbelection.ErrInvalidState)

	f, op = leaving(t, "bob", bob)
	leader := f.claim(bob)
	a := f.run(op)
	require.NoError(t, a.Err)
	require.ErrorIs(t, a.Refused, fdbelection.ErrNotLeader)
	require.Equal(t, leader, f.leader())
}

// resigns unregisters, and requires that leadership is vacant after that. want and texts are
// why.
func (f *fixture) resigns(op machine.Operation, want error, texts ...string) {
	f.Helper()
	a := f.run(op)
	require.NoError(f, a.Err)
	require.ErrorIs(f, a.Refused, want, op.Succession.To)
	require.True(f, f.leader().Vacant())
	require.Equal(f, f.leader(), a.Status.Leader)
	for _, text := range texts {
		require.ErrorContains(f, a.Refused, text)
	}
}

// An unreadable candidate does not succeed, and does not keep another one from it.
func TestHandOverBesideAnUnreadableCandidate(t *testing.T) {
	f, op := leaving(t, "b*", bob, voter("bernard", 5))
	f.set(f.key("candidates", "bernard"), "rubbish")
	require.NoError(t, f.run(op).Refused)
	require.True(t, f.leader().HeldBy(bob.Identity))
}

// After an unknown result the second attempt recognises the success of the first, although
// another candidate is the newest by then.
func TestHandOverToASuccessorWithAnUnknownResult(t *testing.T) {
	f, op := leaving(t, "b*", bob)
	lost := once(memkv.CallCommit, kv.CodeCommitUnknownResult)
	f.after = func(c *memkv.Call) error {
		err := lost(c)
		if err != nil {
			newer := voter("bernard", 5)
			f.transact(func(tr kv.Transaction) error { return f.election.RegisterCandidate(tr, newer, epoch) })
		}
		return err
	}
	a := f.run(op)
	require.NoError(t, a.Err)
	require.NoError(t, a.Refused)
	require.True(t, f.leader().HeldBy(bob.Identity))
	require.Equal(t, uint64(2), f.leader().Term)
}

// An error of the store does not count as the lack of a successor.
func TestHandOverToASuccessorFails(t *testing.T) {
	for _, to := range []string{"bob", "b*"} {
		for failing := range 8 {
			f, op := leaving(t, to, bob)
			reads := 0
			f.before = func(*memkv.Call) error {
				if reads++; reads == failing {
					return kv.Error{Code: kv.CodeProcessBehind} // it is retried
				}
				return nil
			}
			require.NoError(t, f.run(op).Refused)
			require.True(t, f.leader().HeldBy(bob.Identity))
		}
	}
	for n, to := range []string{"bob", "bob", "b*"} {
		f, op := leaving(t, to, bob)
		if n == 0 {
			op.Members = []election.Candidate{f.candidate("bob")}
		}
		f.before = once(memkv.CallRead, kv.CodeTransactionTimedOut)
		a := f.run(op)
		require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(a.Err))
		require.NoError(t, a.Refused)
		require.True(t, f.leader().HeldBy(alice.Identity))
		require.NoError(t, f.run(op).Err)
		require.True(t, n == 0 || f.leader().HeldBy(bob.Identity))
	}
}
