package electiontest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

// epoch is the start of the clocks of the tests. at(n) is n seconds after it.
var epoch, at = suite.Epoch, suite.At

// observing is the option of a caller that keeps its own observation, and has not seen
// anything yet.
var observing = election.WithObservation(election.Observation{}, epoch)

// testElection is one election on one database, with a clock that the test sets and helpers
// for all processes that take part. The lease is 10 s, the heartbeat interval 3 s, and the
// candidate timeout 15 s.
type testElection struct {
	*suite.Store
	*election.LeaderElection
	now time.Time // what the clock that dates observations returns
}

func newTestElection(t *testing.T, engine suite.Engine) *testElection {
	t.Helper()
	e := &testElection{Store: suite.Open(t, engine, "electiontest"), now: epoch}
	clock := election.Clock{Run: uuid.New(), Now: func() time.Time { return e.now }}
	e.LeaderElection = election.New(e.Space, election.WithClock(clock))
	return e
}

// initialized creates the election with fdbelection.RecipeConfig, changed by edits.
func (e *testElection) initialized(edits ...func(*fdbelection.Config)) *testElection {
	e.T.Helper()
	config := fdbelection.RecipeConfig()
	for _, edit := range edits {
		edit(&config)
	}
	e.Do(func(tr kv.Transaction) error {
		_, err := e.InitializeWithConfig(tr, config)
		return err
	})
	return e
}

func byObservation(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation }

func withGrace(c *fdbelection.Config) { c.PreemptionGrace = 10 * time.Second }

// newProcess returns a voter with a new incarnation.
func newProcess(id string, priority int32) election.Registration {
	return election.Registration{
		Identity: election.Identity{ID: id, Incarnation: uuid.New()}, Priority: priority,
	}
}

// join registers a new voter.
func (e *testElection) join(id string, priority int32, now time.Time) election.Registration {
	e.T.Helper()
	me := newProcess(id, priority)
	e.register(me, now)
	return me
}

func (e *testElection) register(me election.Registration, now time.Time) {
	e.T.Helper()
	e.Do(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, now) })
}

// cycle runs an election cycle that must succeed.
func (e *testElection) cycle(me election.Registration, now time.Time, opts ...election.CycleOption) election.CycleResult {
	e.T.Helper()
	result, err := e.tryCycle(me, now, opts...)
	require.NoError(e.T, err)
	return result
}

func (e *testElection) tryCycle(me election.Registration, now time.Time, opts ...election.CycleOption) (result election.CycleResult, err error) {
	e.now = now
	err = e.Try(func(tr kv.Transaction) (err error) {
		result, err = e.RunElectionCycle(tr, me, now, opts...)
		return err
	})
	return result, err
}

// acts runs a cycle and requires its action.
func (e *testElection) acts(want election.Action, me election.Registration, now time.Time, opts ...election.CycleOption) election.CycleResult {
	e.T.Helper()
	result := e.cycle(me, now, opts...)
	require.Equal(e.T, want.String(), result.Action.String(), "%s; leader %s", me.Identity, result.Leader)
	return result
}

// leads registers a new voter and lets it claim a vacant leadership.
func (e *testElection) leads(id string, priority int32, now time.Time) (election.Registration, election.Token) {
	e.T.Helper()
	me := e.join(id, priority, now)
	result := e.acts(election.Claimed, me, now, election.WithObservation(election.Observation{}, epoch))
	return me, result.Leader.Token()
}

// leader returns the leader record.
func (e *testElection) leader() election.LeaderRecord {
	e.T.Helper()
	leader, err := suite.Read(e.Store, e.GetLeaderRaw)
	require.NoError(e.T, err)
	return leader
}

func (e *testElection) currentToken() election.Token {
	e.T.Helper()
	return e.leader().Token()
}

// fenced writes application data on the authority of a token.
func (e *testElection) fenced(token election.Token) error {
	return e.Try(func(tr kv.Transaction) error {
		tr.Set(append(e.Subspace().Bytes(), "application"...), []byte("work"))
		return e.RequireLeadership(tr, token)
	})
}

func (e *testElection) events() []string {
	e.T.Helper()
	events, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.Event, error) { return e.History(tr, 0) })
	require.NoError(e.T, err)
	lines := make([]string, len(events))
	for i, e := range events {
		lines[len(events)-1-i] = fmt.Sprintf("%d %s: %s -> %s (%s) ballot %d", e.Term, e.Kind, e.From.ID, e.To.ID, e.Reason, e.Ballot)
	}
	return lines
}

func (e *testElection) ids() []string {
	e.T.Helper()
	candidates, err := suite.Read(e.Store, e.ListCandidates)
	require.NoError(e.T, err)
	ids := make([]string, len(candidates))
	for i := range candidates {
		ids[i] = candidates[i].ID
	}
	return ids
}

func (e *testElection) candidate(id string) election.Candidate {
	e.T.Helper()
	c, err := suite.Read(e.Store, func(tr kv.ReadTransaction) (election.Candidate, error) { return e.GetCandidate(tr, id) })
	require.NoError(e.T, err)
	return c
}

func (e *testElection) configure(edit func(*fdbelection.Config)) fdbelection.Config {
	e.T.Helper()
	var config fdbelection.Config
	e.Do(func(tr kv.Transaction) (err error) {
		if config, err = e.ReadConfig(tr); err != nil {
			return err
		}
		edit(&config)
		config, err = e.WriteConfig(tr, config)
		return err
	})
	return config
}

// request returns what is asked of the leader.
func (e *testElection) request() election.Request {
	e.T.Helper()
	request, err := suite.Read(e.Store, e.ReadRequest)
	require.NoError(e.T, err)
	return request
}
