package electiontest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// epoch is the start of the clocks of the tests. at(n) is n seconds after it.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// observing is the option of a caller that keeps its own observation, and has not seen
// anything yet.
var observing = election.WithObservation(election.Observation{}, epoch)

// testElection is one election on one database, with a clock that the test sets and helpers
// for all processes that take part. The lease is 10 s, the heartbeat interval 3 s, and the
// candidate timeout 15 s.
type testElection struct {
	*election.LeaderElection
	t  *testing.T
	db kv.Database

	engine Engine
	now    time.Time // what the clock that dates observations returns
}

// newTestElection opens the database. It clears the subspace of the election after the test.
func newTestElection(t *testing.T, engine Engine) *testElection {
	t.Helper()
	e := &testElection{t: t, db: engine.Open(t), engine: engine, now: epoch}
	clock := election.Clock{Run: uuid.New(), Now: func() time.Time { return e.now }}
	space := subspace.FromBytes(engine.Prefix).Sub("electiontest", uuid.NewString())
	e.LeaderElection = election.New(space, election.WithClock(clock))
	t.Cleanup(func() {
		e.do(func(tr kv.Transaction) error {
			tr.ClearRange(space.Bytes(), append(space.Bytes(), 0xff))
			return nil
		})
	})
	return e
}

// initialized creates the election with fdbelection.RecipeConfig, changed by edits.
func (e *testElection) initialized(edits ...func(*fdbelection.Config)) *testElection {
	e.t.Helper()
	config := fdbelection.RecipeConfig()
	for _, edit := range edits {
		edit(&config)
	}
	e.do(func(tr kv.Transaction) error {
		_, err := e.InitializeWithConfig(tr, config)
		return err
	})
	return e
}

func byObservation(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation }

func withGrace(c *fdbelection.Config) { c.PreemptionGrace = 10 * time.Second }

// try runs fn in a transaction and returns its error.
func (e *testElection) try(fn func(tr kv.Transaction) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return e.db.Transact(ctx, fn)
}

func (e *testElection) do(fn func(tr kv.Transaction) error) {
	e.t.Helper()
	require.NoError(e.t, e.try(fn))
}

// open begins a transaction and takes its read version. The test commits it or not.
func (e *testElection) open() kv.OwnedTransaction {
	e.t.Helper()
	tr, err := e.db.CreateTransaction(context.Background())
	require.NoError(e.t, err)
	e.t.Cleanup(tr.Cancel)
	_, err = tr.GetReadVersion().Get()
	require.NoError(e.t, err)
	return tr
}

// newProcess returns a voter with a new incarnation.
func newProcess(id string, priority int32) election.Registration {
	return election.Registration{
		Identity: election.Identity{ID: id, Incarnation: uuid.New()}, Priority: priority,
	}
}

// join registers a new voter.
func (e *testElection) join(id string, priority int32, now time.Time) election.Registration {
	e.t.Helper()
	me := newProcess(id, priority)
	e.register(me, now)
	return me
}

func (e *testElection) register(me election.Registration, now time.Time) {
	e.t.Helper()
	e.do(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, now) })
}

// cycle runs an election cycle that must succeed.
func (e *testElection) cycle(me election.Registration, now time.Time, opts ...election.CycleOption) election.CycleResult {
	e.t.Helper()
	result, err := e.tryCycle(me, now, opts...)
	require.NoError(e.t, err)
	return result
}

func (e *testElection) tryCycle(me election.Registration, now time.Time, opts ...election.CycleOption) (result election.CycleResult, err error) {
	e.now = now
	err = e.try(func(tr kv.Transaction) (err error) {
		result, err = e.RunElectionCycle(tr, me, now, opts...)
		return err
	})
	return result, err
}

// acts runs a cycle and requires its action.
func (e *testElection) acts(want election.Action, me election.Registration, now time.Time, opts ...election.CycleOption) election.CycleResult {
	e.t.Helper()
	result := e.cycle(me, now, opts...)
	require.Equal(e.t, want.String(), result.Action.String(), "%s; leader %s", me.Identity, result.Leader)
	return result
}

// leads registers a new voter and lets it claim a vacant leadership.
func (e *testElection) leads(id string, priority int32, now time.Time) (election.Registration, election.Token) {
	e.t.Helper()
	me := e.join(id, priority, now)
	result := e.acts(election.Claimed, me, now, election.WithObservation(election.Observation{}, epoch))
	return me, result.Leader.Token()
}

// leader returns the leader record.
func (e *testElection) leader() election.LeaderRecord {
	e.t.Helper()
	leader, err := read(e, e.GetLeaderRaw)
	require.NoError(e.t, err)
	return leader
}

func (e *testElection) currentToken() election.Token {
	e.t.Helper()
	return e.leader().Token()
}

// fenced writes application data on the authority of a token.
func (e *testElection) fenced(token election.Token) error {
	return e.try(func(tr kv.Transaction) error {
		tr.Set(append(e.Subspace().Bytes(), "application"...), []byte("work"))
		return e.RequireLeadership(tr, token)
	})
}

func (e *testElection) events() []string {
	e.t.Helper()
	events, err := read(e, func(tr kv.ReadTransaction) ([]election.Event, error) { return e.History(tr, 0) })
	require.NoError(e.t, err)
	lines := make([]string, len(events))
	for i, e := range events {
		lines[len(events)-1-i] = fmt.Sprintf("%d %s: %s -> %s (%s) ballot %d", e.Term, e.Kind, e.From.ID, e.To.ID, e.Reason, e.Ballot)
	}
	return lines
}

func (e *testElection) ids() []string {
	e.t.Helper()
	candidates, err := read(e, e.ListCandidates)
	require.NoError(e.t, err)
	ids := make([]string, len(candidates))
	for i := range candidates {
		ids[i] = candidates[i].ID
	}
	return ids
}

func (e *testElection) candidate(id string) election.Candidate {
	e.t.Helper()
	c, err := read(e, func(tr kv.ReadTransaction) (election.Candidate, error) { return e.GetCandidate(tr, id) })
	require.NoError(e.t, err)
	return c
}

func (e *testElection) configure(edit func(*fdbelection.Config)) fdbelection.Config {
	e.t.Helper()
	var config fdbelection.Config
	e.do(func(tr kv.Transaction) (err error) {
		if config, err = e.ReadConfig(tr); err != nil {
			return err
		}
		edit(&config)
		config, err = e.WriteConfig(tr, config)
		return err
	})
	return config
}

func read[T any](e *testElection, fn func(tr kv.ReadTransaction) (T, error)) (T, error) {
	return kv.ReadTransact(context.Background(), e.db, fn)
}

// requireConflict requires that the commit of tr conflicts.
func (e *testElection) requireConflict(tr kv.OwnedTransaction) {
	e.t.Helper()
	require.Equal(e.t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "the commit must conflict")
}

// key returns the key of a record.
func (e *testElection) key(path ...string) []byte {
	e.t.Helper()
	var tuple subspace.Tuple
	for _, name := range path {
		tuple = append(tuple, subspace.String(name))
	}
	key, err := e.Subspace().Pack(tuple)
	require.NoError(e.t, err)
	return key
}

// request returns what is asked of the leader.
func (e *testElection) request() election.Request {
	e.t.Helper()
	request, err := read(e, e.ReadRequest)
	require.NoError(e.t, err)
	return request
}

// dependsOn requires that tr conflicts with a write of a record.
func (e *testElection) dependsOn(tr kv.OwnedTransaction, path ...string) {
	e.t.Helper()
	key := e.key(path...)
	e.do(func(tr kv.Transaction) error { return tr.AddWriteConflictKey(key) })
	require.Equal(e.t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), path)
}

// raw returns the stored value of a record.
func (e *testElection) raw(path ...string) []byte {
	e.t.Helper()
	key := e.key(path...)
	value, err := read(e, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })
	require.NoError(e.t, err)
	return value
}
