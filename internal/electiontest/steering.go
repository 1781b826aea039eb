package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// steeringTests are about what an operator does in the stead of a leader.
var steeringTests = []test{
	{"Depose_ends_the_exact_tenure", deposeEndsTheTenure},
	{"Depose_spares_a_leader_that_has_renewed", deposeSparesTheLiving},
	{"Depose_leaves_any_other_tenure_alone", deposeIsExact},
	{"Depose_conflicts_with_a_renewal", deposeConflicts},
	{"Raise_ends_the_tenure_and_lifts_the_term", raiseLiftsTheTerm},
	{"Raise_never_lowers_and_runs_again", raiseNeverLowers},
	{"Raise_goes_on_with_a_higher_ballot", raiseKeepsTheBallot},
	{"Raise_of_an_election_without_a_leader", raiseOfTheNew},
	{"Raise_conflicts_with_everything_that_seats", raiseConflicts},
	{"Raise_refuses_what_it_cannot_do", raiseRefuses},
}

func (w *world) depose(token election.Token, ballot uint64, now float64) error {
	return w.try(func(tr kv.Transaction) error { return w.ForceResign(tr, token, ballot, at(now)) })
}

func (w *world) raise(floor uint64, now float64) (leader election.LeaderRecord, err error) {
	err = w.try(func(tr kv.Transaction) (err error) {
		leader, err = w.RaiseTerm(tr, floor, at(now))
		return err
	})
	return leader, err
}

func deposeEndsTheTenure(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 0, at(0))
	w.do(func(tr kv.Transaction) error { return w.RequestResign(tr, token.Term, newNonce()) })
	require.NoError(t, w.depose(token, w.leader().Ballot, 1))
	require.True(t, w.leader().Vacant())
	require.EqualValues(t, 2, w.leader().Ballot)
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	require.Equal(t, election.NoRequest, w.intent().Kind)
	require.Equal(t, []string{"1 began:  -> a (vacancy) ballot 1", "1 ended: a ->  (deposed by an operator) ballot 2"}, w.events())
	require.Equal(t, []string{"a", "b"}, w.ids(), "it stays a candidate")

	require.NoError(t, w.depose(token, 1, 2), "run again it finds its work done")
	require.EqualValues(t, 2, w.leader().Ballot)
	w.acts(election.Claimed, b, at(2))
	require.NoError(t, w.depose(token, 1, 3))
	require.True(t, w.leader().HeldBy(b.Identity), "under a later term as well")
	_, err := w.tryCycle(a, at(3))
	require.NoError(t, err)
}

func deposeSparesTheLiving(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	seen := w.leader().Ballot
	w.acts(election.Renewed, a, at(1))
	before := w.leader()
	err := w.depose(token, seen, 2)
	require.ErrorIs(t, err, fdbelection.ErrLeaderRenewed)
	require.ErrorContains(t, err, "the ballot is 2, and was 1")
	require.Equal(t, before, w.leader())
	require.NoError(t, w.fenced(token))
	require.NoError(t, w.depose(token, 0, 3), "without a ballot it does not ask")
	require.True(t, w.leader().Vacant())
}

func deposeIsExact(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	before := w.leader()
	for name, change := range map[string]func(*election.Token){
		"a later term":        func(t *election.Token) { t.Term = 2 },
		"another incarnation": func(t *election.Token) { t.Incarnation = newNonce() },
		"another nonce":       func(t *election.Token) { t.Nonce = newNonce() },
	} {
		other := token
		change(&other)
		require.ErrorIs(t, w.depose(other, 0, 1), fdbelection.ErrNotLeader, name)
		require.Equal(t, before, w.leader(), name)
	}
	w.acts(election.Renewed, a, at(1))
}

func deposeConflicts(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	late := w.open()
	require.NoError(t, w.ForceResign(late, token, w.leader().Ballot, at(1)))
	w.acts(election.Renewed, a, at(1))
	w.requireConflict(late)

	renewal := w.open()
	_, err := w.RunElectionCycle(renewal, a, at(2))
	require.NoError(t, err)
	require.NoError(t, w.depose(token, 0, 2))
	w.requireConflict(renewal)
	require.True(t, w.leader().Vacant())
}

func raiseLiftsTheTerm(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	w.do(func(tr kv.Transaction) error { return w.RequestResign(tr, token.Term, newNonce()) })
	leader, err := w.raise(1000, 1)
	require.NoError(t, err)
	require.Equal(t, leader, w.leader())
	require.True(t, leader.Vacant())
	require.EqualValues(t, 1000, leader.Term)
	require.EqualValues(t, 1000, leader.Ballot)
	require.Equal(t, election.NoRequest, w.intent().Kind)
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	forged := token
	forged.Term = 1000
	require.ErrorIs(t, w.fenced(forged), fdbelection.ErrFenced, "nor is there a tenure under the floor")

	_, err = w.transfer(token, "b", newNonce(), 1)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.NoError(t, w.try(func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(1)) }))
	state, err := read(w, w.ReadStatus)
	require.NoError(t, err)
	require.EqualValues(t, 1000, state.Term.Term)
	require.False(t, state.Term.Held)
	require.Equal(t, "a", state.Term.ID, "who had it last")

	next := w.acts(election.Claimed, a, at(2)).Leader
	require.EqualValues(t, 1001, next.Term)
	require.EqualValues(t, 1001, next.Ballot)
	require.NoError(t, w.fenced(next.Token()))
	require.Equal(t, []string{
		"1000 ended: a ->  (raised from term 1 by an operator) ballot 1000",
		"1001 began:  -> a (vacancy) ballot 1001",
	}, w.events(), "what is far below is trimmed, as ever")
}

func raiseNeverLowers(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	_, err := w.raise(10, 1)
	require.NoError(t, err)
	unchanged := func(floor uint64) {
		leader, term := w.raw("leader"), w.raw("term")
		events := w.events()
		stands, err := w.raise(floor, 2)
		require.NoError(t, err)
		require.Equal(t, w.leader(), stands)
		require.Equal(t, leader, w.raw("leader"))
		require.Equal(t, term, w.raw("term"))
		require.Equal(t, events, w.events())
	}
	unchanged(10)
	unchanged(3)
	next := w.acts(election.Claimed, a, at(3)).Leader
	require.EqualValues(t, 11, next.Term)
	unchanged(10)
	unchanged(1)
	require.NoError(t, w.fenced(next.Token()))

	// A tenure of the floor itself is one that the restored data may have back.
	leader, err := w.raise(11, 4)
	require.NoError(t, err)
	require.EqualValues(t, 11, leader.Term)
	require.Equal(t, next.Ballot+1, leader.Ballot)
	require.ErrorIs(t, w.fenced(next.Token()), fdbelection.ErrFenced)
	unchanged(11)
	require.EqualValues(t, 12, w.acts(election.Claimed, a, at(5)).Leader.Term)
}

func raiseKeepsTheBallot(t *testing.T, w *world) {
	w.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	a, _ := w.leads("a", 1, at(0))
	for i := range 7 {
		w.acts(election.Renewed, a, at(float64(i)))
	}
	leader, err := w.raise(3, 8)
	require.NoError(t, err)
	require.EqualValues(t, 3, leader.Term)
	require.EqualValues(t, 9, leader.Ballot)
	require.Empty(t, w.events(), "where none are kept")
}

func raiseOfTheNew(t *testing.T, w *world) {
	_, err := w.raise(5, 0)
	require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	w.initialized(func(c *fdbelection.Config) { c.ElectionEnabled = false })
	leader, err := w.raise(5, 0)
	require.NoError(t, err)
	require.True(t, leader.Vacant())
	require.Equal(t, []string{"5 ended:  ->  (raised from term 0 by an operator) ballot 5"}, w.events())
	w.configure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
	_, token := w.leads("a", 1, at(1))
	require.EqualValues(t, 6, token.Term)
}

func raiseConflicts(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	w.join("b", 0, at(0))
	late := w.open()
	_, err := w.RaiseTerm(late, 5, at(1))
	require.NoError(t, err)
	w.acts(election.Renewed, a, at(1))
	w.requireConflict(late)

	attempts := map[string]kv.OwnedTransaction{"renewal": w.open(), "transfer": w.open(), "request": w.open(), "fenced write": w.open()}
	_, err = w.RunElectionCycle(attempts["renewal"], a, at(2))
	require.NoError(t, err)
	_, err = w.TransferLeadership(attempts["transfer"], token, "b", newNonce(), at(2))
	require.NoError(t, err)
	require.NoError(t, w.RequestResign(attempts["request"], token.Term, newNonce()))
	require.NoError(t, w.RequireLeadership(attempts["fenced write"], token))
	attempts["fenced write"].Set(w.key("application"), []byte("work"))
	_, err = w.raise(5, 2)
	require.NoError(t, err)
	for name, tr := range attempts {
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), name)
	}
	for _, record := range [][]string{{"leader"}, {"config"}, {"intent"}, {"term"}} {
		tr := w.open()
		_, err := w.RaiseTerm(tr, 100, at(3))
		require.NoError(t, err)
		w.dependsOn(tr, record...)
	}
}

func raiseRefuses(t *testing.T, w *world) {
	w.initialized()
	w.leads("a", 1, at(0))
	before := w.leader()
	for _, floor := range []uint64{0, election.MaxTermFloor + 1, 1<<64 - 1} {
		_, err := w.raise(floor, 1)
		require.ErrorIs(t, err, fdbelection.ErrTermFloor)
	}
	for record, value := range map[string][]byte{"config": []byte("rubbish"), "leader": subspace.AppendInt(nil, 2)} {
		sound := w.dump()
		w.spoil(value, record)
		_, err := w.raise(5, 1)
		require.ErrorIs(t, err, fdbelection.ErrInvalidState, record)
		require.Equal(t, value, w.raw(record))
		w.restore(sound)
	}
	require.Equal(t, before, w.leader())
	w.spoil([]byte("rubbish"), "term")
	w.remove("leader")
	_, err := w.raise(5, 1)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState, "of both records nothing is left to go on from")

	fresh := newWorld(t, w.engine).initialized()
	leader, err := fresh.raise(election.MaxTermFloor, 1)
	require.NoError(t, err)
	require.Equal(t, uint64(election.MaxTermFloor), leader.Ballot, "there is room to go on")
	_, token := fresh.leads("a", 1, at(1))
	require.NoError(t, fresh.fenced(token))
}
