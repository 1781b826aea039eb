package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// rerunTests run a function a second time after its first run did commit, as
// a retry loop does after an unknown result.
var rerunTests = []test{
	{"Rule07_a_claim_run_again_renews_in_the_same_term", claimRunAgainRenews},
	{"Rule07_a_claim_run_again_after_a_preemption_says_so", claimRunAgainAfterPreemption},
	{"Rule07_registering_again_keeps_the_versionstamp", registeringAgainKeepsStamp},
	{"Rule07_a_resignation_run_again_is_done", resignRunAgainIsDone},
	{"Rule07_a_resignation_of_another_tenure_does_nothing", resignOfAnotherTenure},
	{"Rule07_a_transfer_run_again_is_done", transferRunAgainIsDone},
	{"Rule07_a_transfer_run_again_without_history_says_what_it_cannot_know", transferRunAgainWithoutHistory},
	{"Rule07_requests_run_again_are_done_and_void_in_another_term", requestsRunAgain},
	{"Rule07_leaving_run_again_spares_the_next_incarnation", leavingSparesNextIncarnation},
}

func claimRunAgainRenews(t *testing.T, w *world) {
	w.initialized()
	a := w.join("a", 1, at(0))
	first := w.acts(election.Claimed, a, at(1))
	second := w.acts(election.Renewed, a, at(1.5))
	require.Equal(t, first.Leader.Token(), second.Leader.Token())
	require.EqualValues(t, 2, second.Leader.Ballot)
}

func claimRunAgainAfterPreemption(t *testing.T, w *world) {
	w.initialized()
	a, b := w.join("a", 1, at(0)), w.join("b", 2, at(0))
	w.acts(election.Claimed, a, at(1))
	w.acts(election.Claimed, b, at(1.1))
	result := w.acts(election.Followed, a, at(1.5))
	require.True(t, result.Leader.HeldBy(b.Identity))
}

func registeringAgainKeepsStamp(t *testing.T, w *world) {
	w.initialized()
	a := w.join("a", 1, at(0))
	before := w.candidate("a")
	a.Priority, a.Metadata = 4, map[string]string{"addr": "10.0.0.1:80"}
	w.register(a, at(1))
	again := w.candidate("a")
	require.Equal(t, before.Versionstamp, again.Versionstamp)
	require.EqualValues(t, 2, again.Heartbeats)
	require.Equal(t, a.Metadata, again.Metadata)
	reborn := w.join("a", 1, at(2))
	require.Positive(t, w.candidate("a").Versionstamp.Compare(before.Versionstamp))
	require.Equal(t, reborn.Incarnation, w.candidate("a").Incarnation)
	preferred, err := read(w, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return w.Preferred(tr, 9) })
	require.NoError(t, err)
	require.Len(t, preferred, 1, "no old rank is left behind")
}

func (w *world) resign(token election.Token, now float64) error {
	return w.try(func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(now)) })
}

func resignRunAgainIsDone(t *testing.T, w *world) {
	w.initialized()
	_, token := w.leads("a", 1, at(0))
	require.NoError(t, w.resign(token, 1))
	vacant := w.leader()
	require.NoError(t, w.resign(token, 2))
	require.Equal(t, vacant, w.leader())
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced, "a vacancy accepts no fenced write")
	b := w.join("b", 1, at(2))
	after := w.acts(election.Claimed, b, at(3)).Leader
	require.NoError(t, w.resign(token, 4), "a later term means done")
	require.Equal(t, after, w.leader())
	require.Equal(t, []string{
		"1 began:  -> a (vacancy) ballot 1",
		"1 ended: a ->  (resigned) ballot 2",
		"2 began:  -> b (vacancy) ballot 3",
	}, w.events())
}

func resignOfAnotherTenure(t *testing.T, w *world) {
	w.initialized()
	_, token := w.leads("a", 1, at(0))
	before := w.leader()
	future, foreign := token, token
	future.Term++
	foreign.Nonce = newNonce()
	require.ErrorIs(t, w.resign(future, 1), fdbelection.ErrNotLeader)
	require.ErrorIs(t, w.resign(foreign, 1), fdbelection.ErrNotLeader)
	require.Equal(t, before, w.leader())
}

func transferRunAgainIsDone(t *testing.T, w *world) {
	w.initialized()
	_, token := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	c := w.join("c", 1, at(0))
	nonce := newNonce()
	first, err := w.transfer(token, "b", nonce, 1)
	require.NoError(t, err)
	again, err := w.transfer(token, "b", nonce, 1.5)
	require.NoError(t, err)
	require.Equal(t, first, again)
	w.acts(election.Renewed, b, at(2))
	_, err = w.transfer(token, "b", nonce, 2)
	require.NoError(t, err, "accepted meanwhile")
	w.acts(election.Claimed, c, at(50))
	_, err = w.transfer(token, "b", nonce, 51)
	require.NoError(t, err, "under a later term the history tells")
	_, err = w.transfer(token, "b", newNonce(), 51)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.NotContains(t, err.Error(), "may have", "the history has it")
	require.True(t, w.leaderIs(c))
}

// Without a history, a run that comes after other terms cannot know what an earlier one
// has done, and says so.
func transferRunAgainWithoutHistory(t *testing.T, w *world) {
	w.initialized(func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	_, token := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	c := w.join("c", 1, at(0))
	nonce := newNonce()
	_, err := w.transfer(token, "b", nonce, 1)
	require.NoError(t, err)
	w.acts(election.Renewed, b, at(2))
	_, err = w.transfer(token, "b", nonce, 2)
	require.NoError(t, err, "the leader record tells")
	w.acts(election.Claimed, c, at(50))
	_, err = w.transfer(token, "b", nonce, 51)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
	require.ErrorContains(t, err, "an earlier run may have handed the leadership over: the history (HistoryLimit 0) does not tell how term 2 began")
}

func requestsRunAgain(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	ask := func(term uint64) func(tr kv.Transaction) error {
		nonce := newNonce()
		return func(tr kv.Transaction) error { return w.RequestTransfer(tr, term, "b", nonce) }
	}
	require.ErrorIs(t, w.try(ask(2)), fdbelection.ErrNotLeader)
	request := ask(1)
	w.do(request)
	w.do(request)
	intent := w.acts(election.Renewed, a, at(1)).Request
	require.Equal(t, election.TransferRequest, intent.Kind)
	require.Equal(t, b.Identity, intent.Identity)
	stands, err := read(w, w.ReadRequest)
	require.NoError(t, err)
	require.Equal(t, intent, stands)
	stored := len(w.dump())
	require.NoError(t, w.resign(token, 2))
	require.Len(t, w.dump(), stored, "the end of the tenure is recorded, and the intent cleared")
	w.acts(election.Claimed, b, at(3))
	w.do(request) // late: the term it names is over
	require.Equal(t, election.NoRequest, w.acts(election.Renewed, b, at(4)).Request.Kind)
}

func leavingSparesNextIncarnation(t *testing.T, w *world) {
	w.initialized()
	old := w.join("a", 1, at(0))
	leave := func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, old.Identity, at(1)) }
	w.do(leave)
	reborn := w.join("a", 1, at(2))
	w.acts(election.Claimed, reborn, at(2))
	w.do(leave)
	require.Equal(t, []string{"a"}, w.ids())
	require.True(t, w.leaderIs(reborn))
}
