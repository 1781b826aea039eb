package electiontest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var preemptionTests = []test{
	rule12OnlyAStrictlyHigherPriorityPreempts,
	rule12AForbiddenPreemptionWaitsForTheLease,
	rule12WithAGraceACandidateRequestsPreemption,
	rule12TheLeaderHandsOverToAChallenger,
	rule12AVoidPreemptionRequestIsRemovedAndTheLeaderStays,
	rule12AStrongerChallengerReplacesAWeakerOne,
	rule12AChallengerWithdraws,
	rule12AMinimumTenureProtects,
	rule12AHandOverRunAgainIsDone,
	rule12AnOperatorsRequestIsNotReplacedByAPreemptionRequest,
	rule12ATraceContextTravelsInAPreemptionRequest,
}

func rule12OnlyAStrictlyHigherPriorityPreempts(t *testing.T, e *testElection) {
	e.initialized()
	_, old := e.leads("a", 5, at(0))
	for _, priority := range []int32{-1, 4, 5} {
		e.acts(election.Followed, e.join("b", priority, at(1)), at(1))
	}
	result := e.acts(election.Claimed, e.join("b", 6, at(2)), at(2))
	require.Equal(t, election.AcquirePreemption, result.Leader.AcquireReason)
	require.EqualValues(t, 2, result.Leader.Term)
	require.ErrorIs(t, e.fenced(old), fdbelection.ErrFenced)
}

func rule12AForbiddenPreemptionWaitsForTheLease(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.AllowPreemption = false })
	e.leads("a", 1, at(0))
	b := e.join("b", 9, at(0))
	e.acts(election.Followed, b, at(9.9))
	require.Equal(t, election.AcquireExpiry, e.acts(election.Claimed, b, at(10)).Leader.AcquireReason)
}

// challenged makes "a" lead with priority 1, and "b" request preemption with priority 2.
func (e *testElection) challenged(edits ...func(*fdbelection.Config)) (a, b election.Registration, token election.Token, request election.Request) {
	e.T.Helper()
	e.initialized(append(edits, withGrace)...)
	a, token = e.leads("a", 1, at(0))
	b = e.join("b", 2, at(0))
	request = e.acts(election.RequestedPreemption, b, at(1)).Request
	return a, b, token, request
}

func (e *testElection) handOver(token election.Token, request election.Request, now float64) (leader election.LeaderRecord, handedOver bool, err error) {
	err = e.Try(func(tr kv.Transaction) (err error) {
		leader, handedOver, err = e.HandOver(tr, token, request, at(now))
		return err
	})
	return leader, handedOver, err
}

func rule12WithAGraceACandidateRequestsPreemption(t *testing.T, e *testElection) {
	a, b, _, request := e.challenged()
	require.Equal(t, election.PreemptionRequest, request.Kind)
	require.EqualValues(t, 1, request.Term)
	require.Equal(t, b.Identity, request.Identity)
	require.EqualValues(t, 1, request.Counter)
	again := e.acts(election.RequestedPreemption, b, at(4)).Request
	require.EqualValues(t, 2, again.Counter, "raised by each cycle")
	require.Equal(t, request.Nonce, again.Nonce)
	require.Equal(t, again, e.acts(election.Renewed, a, at(5)).Request, "the leader sees it and may still renew")
	result := e.acts(election.Claimed, b, at(15))
	require.Equal(t, election.AcquireExpiry, result.Leader.AcquireReason, "a challenger claims an expired lease like any candidate")
	require.Equal(t, election.NoRequest, e.acts(election.Renewed, b, at(16)).Request.Kind)
}

func rule12TheLeaderHandsOverToAChallenger(t *testing.T, e *testElection) {
	_, b, token, request := e.challenged()
	next, handedOver, err := e.handOver(token, request, 2)
	require.NoError(t, err)
	require.True(t, handedOver)
	require.Equal(t, b.Identity, next.Identity)
	require.EqualValues(t, 2, next.Term)
	require.False(t, next.Accepted)
	require.Equal(t, election.AcquirePreemption, next.AcquireReason)
	require.Equal(t, next, e.leader())
	accepted := e.acts(election.Renewed, b, at(2.5))
	require.True(t, accepted.Leader.Accepted)
	require.Equal(t, at(2.5), accepted.Leader.AcquiredAt)
	require.Equal(t, election.NoRequest, accepted.Request.Kind)
}

func rule12AVoidPreemptionRequestIsRemovedAndTheLeaderStays(t *testing.T, e *testElection) {
	a, b, token, _ := e.challenged()
	voids := map[string]func(){
		"gone": func() {
			e.Do(func(tr kv.Transaction) error { // not by UnregisterCandidate, which would remove the request
				begin, end := e.Subspace().Sub("candidates", "b").Range()
				tr.ClearRange(begin, end)
				key, err := e.Subspace().Sub("candidates").Pack(tupleOf("b"))
				tr.Clear(key)
				return err
			})
		},
		"restarted": func() { e.join("b", 2, at(2)) },
		"demoted": func() {
			observer := b
			observer.Role = election.Observer
			e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, observer, at(2)) })
		},
		"outranked": func() {
			equal := b
			equal.Priority = 1
			e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, equal, at(2)) })
		},
	}
	for name, change := range voids {
		b = e.join("b", 2, at(1))
		request := e.acts(election.RequestedPreemption, b, at(1)).Request
		stored := e.Raw("intent")
		change()
		e.Spoil(stored, "intent") // put back, if the change has removed it
		leader, handedOver, err := e.handOver(token, request, 2)
		require.NoError(t, err, name)
		require.False(t, handedOver, name)
		require.Equal(t, token, leader.Token(), name)
		require.Equal(t, election.NoRequest, e.acts(election.Renewed, a, at(3)).Request.Kind, name)
	}
}

func rule12AStrongerChallengerReplacesAWeakerOne(t *testing.T, e *testElection) {
	a, _, token, weaker := e.challenged()
	c := e.join("c", 2, at(1))
	e.acts(election.Followed, c, at(1)) // an equal priority does not replace the request
	d := e.join("d", 3, at(1))
	stronger := e.acts(election.RequestedPreemption, d, at(2)).Request
	require.EqualValues(t, 1, stronger.Counter)
	require.Equal(t, stronger, e.acts(election.Renewed, a, at(3)).Request)
	_, handedOver, err := e.handOver(token, weaker, 3)
	require.NoError(t, err)
	require.False(t, handedOver, "that request does not stand any more")
	_, handedOver, err = e.handOver(token, stronger, 3)
	require.NoError(t, err)
	require.True(t, handedOver)
	require.True(t, e.leaderIs(d))
}

func rule12AChallengerWithdraws(t *testing.T, e *testElection) {
	a, b, _, _ := e.challenged()
	b.Priority = 1
	e.acts(election.Withdrew, b, at(2))
	require.Equal(t, election.NoRequest, e.acts(election.Renewed, a, at(3)).Request.Kind)
	e.acts(election.Followed, b, at(4))

	b.Priority = 2
	e.acts(election.RequestedPreemption, b, at(5))
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, b.Identity, at(6)) })
	require.Equal(t, election.NoRequest, e.acts(election.Renewed, a, at(7)).Request.Kind, "leaving removes the request")
}

func rule12AMinimumTenureProtects(t *testing.T, e *testElection) {
	tenure := func(c *fdbelection.Config) { c.MinimumTenure = 5 * time.Second }
	e.initialized(tenure)
	e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	e.acts(election.Followed, b, at(4.9))
	e.acts(election.Claimed, b, at(5))
	e.configure(withGrace)
	c := e.join("c", 3, at(5))
	e.acts(election.Followed, c, at(9.9))
	request := e.acts(election.RequestedPreemption, c, at(10)).Request
	_, handedOver, err := e.handOver(e.currentToken(), request, 9.9) // the clock of the holder is behind
	require.NoError(t, err)
	require.False(t, handedOver)
	_, handedOver, err = e.handOver(e.currentToken(), request, 10)
	require.NoError(t, err)
	require.True(t, handedOver)
}

func rule12AHandOverRunAgainIsDone(t *testing.T, e *testElection) {
	_, b, token, request := e.challenged()
	for range 2 {
		_, handedOver, err := e.handOver(token, request, 2)
		require.NoError(t, err)
		require.True(t, handedOver)
	}
	require.True(t, e.leaderIs(b))
	require.EqualValues(t, 2, e.leader().Term)
	request.Nonce = newNonce()
	_, _, err := e.handOver(token, request, 2)
	require.ErrorIs(t, err, fdbelection.ErrNotLeader)
}

func rule12AnOperatorsRequestIsNotReplacedByAPreemptionRequest(t *testing.T, e *testElection) {
	a, b, token, _ := e.challenged()
	e.Do(func(tr kv.Transaction) error { return e.RequestResign(tr, token.Term, newNonce()) })
	e.acts(election.Followed, b, at(2))
	require.Equal(t, election.ResignRequest, e.acts(election.Renewed, a, at(3)).Request.Kind)
}

// A challenger passes a trace context for one term. Each request that it writes has it, and
// the leader sees it. A request without one, or with an invalid one, is stored as before.
func rule12ATraceContextTravelsInAPreemptionRequest(t *testing.T, e *testElection) {
	a, b, token, plain := e.challenged()
	require.Empty(t, plain.TraceParent)
	const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var terms []uint64
	traced := func(text string) election.CycleOption {
		return election.WithTraceParent(func(term uint64) string {
			terms = append(terms, term)
			return text
		})
	}
	for i, text := range []string{valid, valid, "", valid + "0", "\x1b[31m", valid} {
		request := e.acts(election.RequestedPreemption, b, at(2+float64(i)/2), traced(text)).Request
		want := plain
		want.Counter = uint64(i + 2)
		if text == valid {
			want.TraceParent = valid
		}
		require.Equal(t, want, request)
		require.Equal(t, want, e.request())
		require.Equal(t, want, e.acts(election.Renewed, a, at(2+float64(i)/2), traced(valid)).Request, "a renewal asks for none")
	}
	require.Equal(t, []uint64{1, 1, 1, 1, 1, 1}, terms, "called once for each request")
	_, handedOver, err := e.handOver(token, e.request(), 5)
	require.NoError(t, err)
	require.True(t, handedOver)
}
