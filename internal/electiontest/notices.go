package electiontest

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var noticeTests = []test{
	noticesAreWrittenByEveryChangeAndByNothingElse,
	noticesCauseNoConflicts,
	noticesWakeWatches,
	noticesThatAreUnreadableCostNothing,
}

// notices returns the values of the leader notice and the candidates notice.
func (e *testElection) notices() (leader, candidates []byte) {
	e.T.Helper()
	e.Do(func(tr kv.Transaction) (err error) {
		if leader, err = tr.Get(e.noticeKey(0)).Get(); err == nil {
			candidates, err = tr.Get(e.noticeKey(1)).Get()
		}
		return err
	})
	return leader, candidates
}

func (e *testElection) noticeKey(kind int64) []byte {
	e.T.Helper()
	key, err := e.Subspace().Pack(subspace.Tuple{subspace.String("notice"), subspace.Int(kind)})
	require.NoError(e.T, err)
	return key
}

func withAddress(me election.Registration, address string) election.Registration {
	me.Metadata = map[string]string{"addr": address}
	return me
}

func (e *testElection) beats(me election.Registration, now float64) {
	e.T.Helper()
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(now)) })
}

// noticesAreWrittenByEveryChangeAndByNothingElse runs one life of an election. No value of a
// notice comes twice.
func noticesAreWrittenByEveryChangeAndByNothingElse(t *testing.T, e *testElection) {
	const leaderOnly, candidatesOnly, both, none = "leader", "candidates", "both", "none"
	e.initialized(withGrace)
	var a, b election.Registration
	var token election.Token
	seen := map[string]bool{}
	leader, candidates := e.notices()
	for _, step := range []struct {
		name, writes string
		run          func()
	}{
		{"a registers", candidatesOnly, func() { a = e.join("a", 1, at(0)) }},
		{"a claims", leaderOnly, func() { token = e.acts(election.Claimed, a, at(0)).Leader.Token() }},
		{"b registers", candidatesOnly, func() { b = e.join("b", 1, at(0)) }},
		{"a renews", none, func() { e.acts(election.Renewed, a, at(1)) }},
		{"a refreshes", none, func() { _, err := e.refresh(token, 1); require.NoError(t, err) }},
		{"b follows", none, func() { e.acts(election.Followed, b, at(1)) }},
		{"b sends a heartbeat", none, func() { e.beats(b, 1) }},
		{"b registers again", none, func() { e.register(b, at(1)) }},
		{"b has other metadata", candidatesOnly, func() { e.acts(election.Followed, withAddress(b, "1"), at(1)) }},
		{"b has its old metadata", candidatesOnly, func() { e.beats(b, 1) }},
		{"a renews with other metadata", both, func() { e.acts(election.Renewed, withAddress(a, "1"), at(2)) }},
		{"a renews with the same metadata", none, func() { e.acts(election.Renewed, withAddress(a, "1"), at(2)) }},
		{"a sends a heartbeat with other metadata", both, func() { e.beats(withAddress(a, "2"), 2) }},
		{"a has another priority", both, func() { a.Priority = 2; e.acts(election.Renewed, withAddress(a, "2"), at(2)) }},
		{"a is not ready", candidatesOnly, func() { e.heartbeat(cold(withAddress(a, "2"))) }},
		{"a is not ready for another reason", candidatesOnly, func() {
			a.NotReady = "still cold"
			e.heartbeat(withAddress(a, "2"))
		}},
		{"a is ready and has other metadata", both, func() { a.NotReady = ""; e.acts(election.Renewed, withAddress(a, "3"), at(2)) }},
		{"b is not ready", candidatesOnly, func() { e.heartbeat(cold(b)) }},
		{"b is ready again", candidatesOnly, func() { e.heartbeat(b) }},
		{"a request", none, func() {
			e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, token.Term, "b", newNonce()) })
		}},
		{"a transfer", leaderOnly, func() { _, err := e.transfer(token, "b", newNonce(), 3); require.NoError(t, err) }},
		{"b accepts", leaderOnly, func() { token = e.acts(election.Renewed, b, at(3)).Leader.Token() }},
		{"b is removed and renews", both, func() { e.Remove("candidates", "b"); e.acts(election.Renewed, b, at(4)) }},
		{"b is removed and refreshes", both, func() {
			e.Remove("candidates", "b")
			_, err := e.refresh(token, 4.5)
			require.NoError(t, err)
		}},
		{"the leader record is lost and b renews", leaderOnly, func() { e.Remove("leader"); e.acts(election.Renewed, b, at(5)) }},
		{"the term record is repaired", leaderOnly, func() { e.Remove("term"); require.NotEmpty(t, e.repair(5)) }},
		{"a is evicted", candidatesOnly, func() { require.Equal(t, []string{"a"}, e.evict(17.5)) }},
		{"b resigns", leaderOnly, func() { require.NoError(t, e.resign(token, 17)) }},
		{"the term is raised", leaderOnly, func() { _, err := e.raise(50, 17); require.NoError(t, err) }},
		{"a config", none, func() { e.configure(func(c *fdbelection.Config) { c.HistoryLimit++ }) }},
		{"b claims", leaderOnly, func() { token = e.acts(election.Claimed, b, at(18)).Leader.Token() }},
		{"b becomes an observer", both, func() { b.Role = election.Observer; e.beats(b, 18) }},
		{"b leaves", candidatesOnly, func() {
			e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, b.Identity, at(18)) })
		}},
		{"b leaves again", none, func() {
			e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, b.Identity, at(18)) })
		}},
	} {
		step.run()
		nextLeader, nextCandidates := e.notices()
		changed := [2]bool{!bytes.Equal(leader, nextLeader), !bytes.Equal(candidates, nextCandidates)}
		want := [2]bool{step.writes == leaderOnly || step.writes == both, step.writes == candidatesOnly || step.writes == both}
		require.Equal(t, want, changed, step.name)
		for i, value := range [][]byte{nextLeader, nextCandidates} {
			if changed[i] {
				text := string(rune('0'+i)) + string(value)
				require.False(t, seen[text], "%s: the value of the notice is not new", step.name)
				seen[text] = true
			}
		}
		leader, candidates = nextLeader, nextCandidates
	}
}

// noticesCauseNoConflicts: a change of metadata does not conflict with fenced work, nor with
// another change, and nothing reads a notice with a read conflict.
func noticesCauseNoConflicts(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	fenced, other := e.Begin(), e.Begin()
	require.NoError(t, e.RequireLeadership(fenced, token))
	fenced.Set(append(e.Subspace().Bytes(), "application"...), nil)
	require.NoError(t, e.HeartbeatCandidate(other, withAddress(b, "1"), at(1)))
	_, err := e.RunElectionCycle(other, withAddress(a, "0"), at(1))
	require.NoError(t, err, "two changes in one transaction")
	e.beats(withAddress(e.join("c", 1, at(1)), "1"), 1)
	require.NoError(t, fenced.Commit())
	require.NoError(t, other.Commit())

	fenced = e.Begin()
	require.NoError(t, e.RequireLeadership(fenced, token))
	fenced.Set(append(e.Subspace().Bytes(), "application"...), nil)
	e.acts(election.Renewed, withAddress(a, "2"), at(2))
	e.beats(withAddress(a, "3"), 2)
	require.NoError(t, fenced.Commit())
}

// noticesWakeWatches: a cycle may set watches in its own transaction, even if it writes the
// notices. They fire at the next change.
func noticesWakeWatches(t *testing.T, e *testElection) {
	e.initialized()
	me := e.join("a", 1, at(0))
	var leader, candidates kv.Watch
	for _, address := range []string{"1", "2"} {
		if leader != nil {
			e.acts(election.Renewed, withAddress(me, address), at(1))
			fires(t, leader)
			fires(t, candidates)
		}
		e.Do(func(tr kv.Transaction) error {
			_, err := e.RunElectionCycle(tr, withAddress(me, "before "+address), at(1))
			leader, candidates = e.Watch(tr), e.WatchCandidates(tr)
			return err
		})
		t.Cleanup(leader.Cancel)
		t.Cleanup(candidates.Cancel)
	}
}

// noticesThatAreUnreadableCostNothing: nothing reads them, and the next change replaces them.
func noticesThatAreUnreadableCostNothing(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	e.Do(func(tr kv.Transaction) error {
		tr.Set(e.noticeKey(0), []byte("rubbish"))
		tr.Set(e.noticeKey(1), []byte("rubbish"))
		return nil
	})
	require.Empty(t, e.repair(1))
	e.acts(election.Renewed, a, at(1))
	status, err := suite.Read(e.Store, e.ReadStatus)
	require.NoError(t, err)
	require.NoError(t, status.Unreadable)
	e.acts(election.Renewed, withAddress(a, "1"), at(1))
	leader, candidates := e.notices()
	require.NotEqual(t, "rubbish", string(leader))
	require.NotEqual(t, "rubbish", string(candidates))
}
