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

// epoch is where the tests' clocks begin. Seconds after it are written at(n).
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// observing is the option of a caller that keeps its own observation, and has seen
// nothing yet.
var observing = election.WithObservation(election.Observation{}, epoch)

// world is one election on one database, and a hand for working it. The lease
// is 10 s, the heartbeat 3 s, the candidate timeout 15 s.
type world struct {
	*election.LeaderElection
	t  *testing.T
	db kv.Database

	engine Engine
	now    time.Time // of the clock that dates observations
}

// newWorld opens the database. What the test writes is removed after it.
func newWorld(t *testing.T, engine Engine) *world {
	t.Helper()
	w := &world{t: t, db: engine.Open(t), engine: engine, now: epoch}
	clock := election.Clock{Run: uuid.New(), Now: func() time.Time { return w.now }}
	space := subspace.FromBytes(engine.Prefix).Sub("electiontest", uuid.NewString())
	w.LeaderElection = election.New(space, election.WithClock(clock))
	t.Cleanup(func() {
		w.do(func(tr kv.Transaction) error {
			tr.ClearRange(space.Bytes(), append(space.Bytes(), 0xff))
			return nil
		})
	})
	return w
}

// initialized makes the election with the config of the recipe, changed by edit.
func (w *world) initialized(edits ...func(*fdbelection.Config)) *world {
	w.t.Helper()
	config := fdbelection.RecipeConfig()
	for _, edit := range edits {
		edit(&config)
	}
	w.do(func(tr kv.Transaction) error {
		_, err := w.InitializeWithConfig(tr, config)
		return err
	})
	return w
}

func byObservation(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation }

func withGrace(c *fdbelection.Config) { c.PreemptionGrace = 10 * time.Second }

// try runs fn in a transaction and returns its error.
func (w *world) try(fn func(tr kv.Transaction) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return w.db.Transact(ctx, fn)
}

func (w *world) do(fn func(tr kv.Transaction) error) {
	w.t.Helper()
	require.NoError(w.t, w.try(fn))
}

// open begins a transaction whose commit the test decides on, with its read
// version taken now.
func (w *world) open() kv.OwnedTransaction {
	w.t.Helper()
	tr, err := w.db.CreateTransaction(context.Background())
	require.NoError(w.t, err)
	w.t.Cleanup(tr.Cancel)
	_, err = tr.GetReadVersion().Get()
	require.NoError(w.t, err)
	return tr
}

// newProcess returns a voter of a fresh incarnation.
func newProcess(id string, priority int32) election.Registration {
	return election.Registration{
		Identity: election.Identity{ID: id, Incarnation: uuid.New()}, Priority: priority,
	}
}

// join registers a fresh voter at a time.
func (w *world) join(id string, priority int32, now time.Time) election.Registration {
	w.t.Helper()
	me := newProcess(id, priority)
	w.register(me, now)
	return me
}

func (w *world) register(me election.Registration, now time.Time) {
	w.t.Helper()
	w.do(func(tr kv.Transaction) error { return w.RegisterCandidate(tr, me, now) })
}

// cycle runs an election cycle that must succeed.
func (w *world) cycle(me election.Registration, now time.Time, opts ...election.CycleOption) election.CycleResult {
	w.t.Helper()
	result, err := w.tryCycle(me, now, opts...)
	require.NoError(w.t, err)
	return result
}

func (w *world) tryCycle(me election.Registration, now time.Time, opts ...election.CycleOption) (result election.CycleResult, err error) {
	w.now = now
	err = w.try(func(tr kv.Transaction) (err error) {
		result, err = w.RunElectionCycle(tr, me, now, opts...)
		return err
	})
	return result, err
}

// acts runs a cycle and requires what it does about the seat.
func (w *world) acts(want election.Action, me election.Registration, now time.Time, opts ...election.CycleOption) election.CycleResult {
	w.t.Helper()
	result := w.cycle(me, now, opts...)
	require.Equal(w.t, want.String(), result.Action.String(), "%s; leader %s", me.Identity, result.Leader)
	return result
}

// leads lets a fresh voter take a vacant seat.
func (w *world) leads(id string, priority int32, now time.Time) (election.Registration, election.Token) {
	w.t.Helper()
	me := w.join(id, priority, now)
	result := w.acts(election.Claimed, me, now, election.WithObservation(election.Observation{}, epoch))
	return me, result.Leader.Token()
}

// leader returns the leader record.
func (w *world) leader() election.LeaderRecord {
	w.t.Helper()
	leader, err := read(w, w.GetLeaderRaw)
	require.NoError(w.t, err)
	return leader
}

func (w *world) currentToken() election.Token {
	w.t.Helper()
	return w.leader().Token()
}

// fenced writes application data on the authority of a token.
func (w *world) fenced(token election.Token) error {
	return w.try(func(tr kv.Transaction) error {
		tr.Set(append(w.Subspace().Bytes(), "application"...), []byte("work"))
		return w.RequireLeadership(tr, token)
	})
}

func (w *world) events() []string {
	w.t.Helper()
	events, err := read(w, func(tr kv.ReadTransaction) ([]election.Event, error) { return w.History(tr, 0) })
	require.NoError(w.t, err)
	lines := make([]string, len(events))
	for i, e := range events {
		lines[len(events)-1-i] = fmt.Sprintf("%d %s: %s -> %s (%s) ballot %d", e.Term, e.Kind, e.From.ID, e.To.ID, e.Reason, e.Ballot)
	}
	return lines
}

func (w *world) ids() []string {
	w.t.Helper()
	candidates, err := read(w, w.ListCandidates)
	require.NoError(w.t, err)
	ids := make([]string, len(candidates))
	for i := range candidates {
		ids[i] = candidates[i].ID
	}
	return ids
}

func (w *world) candidate(id string) election.Candidate {
	w.t.Helper()
	c, err := read(w, func(tr kv.ReadTransaction) (election.Candidate, error) { return w.GetCandidate(tr, id) })
	require.NoError(w.t, err)
	return c
}

func (w *world) configure(edit func(*fdbelection.Config)) fdbelection.Config {
	w.t.Helper()
	var config fdbelection.Config
	w.do(func(tr kv.Transaction) (err error) {
		if config, err = w.ReadConfig(tr); err != nil {
			return err
		}
		edit(&config)
		config, err = w.WriteConfig(tr, config)
		return err
	})
	return config
}

func read[T any](w *world, fn func(tr kv.ReadTransaction) (T, error)) (T, error) {
	return kv.ReadTransact(context.Background(), w.db, fn)
}

// requireConflict requires that the commit of tr loses to what came before.
func (w *world) requireConflict(tr kv.OwnedTransaction) {
	w.t.Helper()
	require.Equal(w.t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "the commit must conflict")
}

// key returns the key of a record.
func (w *world) key(path ...string) []byte {
	w.t.Helper()
	var tuple subspace.Tuple
	for _, name := range path {
		tuple = append(tuple, subspace.String(name))
	}
	key, err := w.Subspace().Pack(tuple)
	require.NoError(w.t, err)
	return key
}

// intent returns what is asked of the leader.
func (w *world) intent() election.Request {
	w.t.Helper()
	intent, err := read(w, w.ReadRequest)
	require.NoError(w.t, err)
	return intent
}

// dependsOn requires that tr conflicts with a write of a record.
func (w *world) dependsOn(tr kv.OwnedTransaction, path ...string) {
	w.t.Helper()
	key := w.key(path...)
	w.do(func(tr kv.Transaction) error { return tr.AddWriteConflictKey(key) })
	require.Equal(w.t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), path)
}

// raw returns the value of a record as it is stored.
func (w *world) raw(path ...string) []byte {
	w.t.Helper()
	key := w.key(path...)
	value, err := read(w, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })
	require.NoError(w.t, err)
	return value
}
