package electiontest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// unreadableTests are about records that are damaged, or written by a newer program. Each
// affects only what it describes. docs/format.md has the same table.
var unreadableTests = []test{
	unreadableRecordAffectsOnlyWhatItDescribes,
	unreadableRequestAsksNothing,
	unreadableCandidateRecordAffectsOnlyItsCandidate,
	unreadableHistoryEntriesAreSkipped,
	unreadableConfigCanBeReplaced,
	unreadableLeaderRecordIsNotChangedWhenItsHolderLeaves,
	unreadableRecordsAreRepaired,
	unreadableCandidateRecordIsRemovedWithItsRequest,
	unreadableRecordsOfANewerProgramAreNotChanged,
}

// damages returns unreadable values of a record, by name.
func damages() map[string][]byte {
	return map[string][]byte{
		"truncated": subspace.AppendInt(nil, 1), "newer": subspace.AppendInt(nil, 2),
		"foreign": []byte("{\"json\": 1}"), "empty": {},
	}
}

func unreadableRecordAffectsOnlyWhatItDescribes(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	higher := e.join("c", 2, at(0))
	fresh := election.Registration{Identity: election.Identity{ID: "d", Incarnation: uuid.New()}}
	calls := map[string]func(tr kv.Transaction) error{
		"lead":      func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, a, at(1)); return err },
		"refresh":   func(tr kv.Transaction) error { _, err := e.RefreshLease(tr, token, at(1)); return err },
		"fence":     func(tr kv.Transaction) error { return e.RequireLeadership(tr, token) },
		"follow":    func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, b, at(1)); return err },
		"challenge": func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, higher, at(1)); return err },
		"heartbeat": func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(1)) },
		"register":  func(tr kv.Transaction) error { return e.RegisterCandidate(tr, fresh, at(1)) },
		"leave":     func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, b.Identity, at(1)) },
		"resign":    func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) },
		"request":   func(tr kv.Transaction) error { return e.RequestResign(tr, 1, newNonce()) },
		"evict":     func(tr kv.Transaction) error { _, err := e.EvictDeadCandidates(tr, at(1)); return err },
		"configure": func(tr kv.Transaction) error {
			_, err := e.WriteConfig(tr, fdbelection.ConfigWithLease(1e9))
			return err
		},
		"status": func(tr kv.Transaction) error { _, err := e.ReadStatus(tr); return err },
	}
	affected := map[string][]string{
		"config":       {"lead", "refresh", "follow", "challenge", "register", "heartbeat", "request", "evict", "status"},
		"leader":       {"lead", "refresh", "follow", "challenge", "resign", "request", "evict", "status"},
		"term":         {"fence"},
		"intent":       {"request"},
		"candidates b": {"follow", "heartbeat"},
		"candidates a": {},
	}
	for record, failing := range affected {
		path := strings.Fields(record)
		for damage, value := range damages() {
			sound := e.Dump()
			key := e.Spoil(value, path...)
			for name, call := range calls {
				if name == "configure" && record == "config" {
					continue // unreadableConfigCanBeReplaced tests it
				}
				before := e.Dump()
				err := e.Try(call)
				if !slices.Contains(failing, name) {
					require.NoError(t, err, "%s %s: %s", damage, record, name)
				} else {
					var invalid *fdbelection.InvalidStateError
					require.ErrorAs(t, err, &invalid, "%s %s: %s", damage, record, name)
					require.Equal(t, key, invalid.Key)
					require.Equal(t, damage == "newer", invalid.Newer)
					require.Equal(t, before, e.Dump(), "nothing is written")
				}
				e.Restore(before)
			}
			e.Restore(sound)
		}
	}
}

func unreadableRequestAsksNothing(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	for damage, value := range damages() {
		e.Spoil(value, "intent")
		renewed := e.acts(election.Renewed, a, at(1))
		require.Equal(t, election.NoRequest, renewed.Request.Kind, damage)
		require.ErrorIs(t, renewed.Unreadable, fdbelection.ErrInvalidState)
		e.acts(election.Followed, b, at(1)) // it does not request preemption
		require.Equal(t, value, e.Raw("intent"))
		status, err := suite.Read(e.Store, e.ReadStatus)
		require.NoError(t, err)
		require.ErrorIs(t, status.Unreadable, fdbelection.ErrInvalidState)
		err = e.Try(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", uuid.New()) })
		require.ErrorContains(t, err, "cancel it first")
		var there bool
		e.Do(func(tr kv.Transaction) (err error) { there, err = e.CancelAnyRequest(tr); return err })
		require.True(t, there)
		e.acts(election.RequestedPreemption, b, at(1))
		e.Do(func(tr kv.Transaction) (err error) { there, err = e.CancelAnyRequest(tr); return err })
		require.True(t, there)
		e.Do(func(tr kv.Transaction) (err error) { there, err = e.CancelAnyRequest(tr); return err })
		require.False(t, there)
	}
	e.Spoil([]byte("rubbish"), "intent")
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(2)) })
	require.Nil(t, e.Raw("intent"), "a change of tenure clears it")
}

func unreadableCandidateRecordAffectsOnlyItsCandidate(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a, token := e.leads("a", 1, at(0))
	e.join("b", 1, at(0))
	e.Spoil([]byte("rubbish"), "candidates", "a")
	e.acts(election.Renewed, a, at(9)) // it still leads
	e.acts(election.Renewed, a, at(18))
	require.Equal(t, "rubbish", string(e.Raw("candidates", "a")))
	e.Spoil([]byte("rubbish"), "candidates", "b")
	err := e.Try(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", uuid.New()) })
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	_, err = e.transfer(token, "b", uuid.New(), 18)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, a.Identity, at(18)) })
	require.True(t, e.leader().Vacant(), "a leader can leave although its record is unreadable")
}

func unreadableHistoryEntriesAreSkipped(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) })
	e.acts(election.Claimed, a, at(2))
	key := e.eventKey(1, 1)
	e.Do(func(tr kv.Transaction) error { tr.Set(key, []byte("rubbish")); return nil })
	events, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.Event, error) { return e.History(tr, 0) })
	require.Len(t, events, 2)
	var invalid *fdbelection.InvalidStateError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, key, invalid.Key)
	e.acts(election.Renewed, a, at(3))
}

// eventKey returns the key of a history entry.
func (e *testElection) eventKey(term, kind int64) []byte {
	e.T.Helper()
	key, err := e.Subspace().Pack(subspace.Tuple{subspace.String("history"), subspace.Int(term), subspace.Int(kind)})
	require.NoError(e.T, err)
	return key
}

func unreadableConfigCanBeReplaced(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	complete := fdbelection.DefaultConfig()
	e.Spoil(subspace.AppendInt(nil, 2), "config")
	write := func(config fdbelection.Config) (stored fdbelection.Config, err error) {
		err = e.Try(func(tr kv.Transaction) (err error) { stored, err = e.WriteConfig(tr, config); return err })
		return stored, err
	}
	_, err := write(complete)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState, "a newer program has written it")
	e.Spoil([]byte("rubbish"), "config")
	conditional := complete
	conditional.Revision = 1
	_, err = write(conditional)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	stored, err := write(complete)
	require.NoError(t, err)
	require.Greater(t, stored.Revision, uint64(1<<32), "above any revision that can have been reached")
	again, err := write(complete)
	require.NoError(t, err)
	require.Equal(t, stored, again)
	e.acts(election.Renewed, a, at(1))
}

// unreadableLeaderRecordIsNotChangedWhenItsHolderLeaves: the readable part of the leader record still names its holder.
func unreadableLeaderRecordIsNotChangedWhenItsHolderLeaves(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	sound := e.Raw("leader")
	for name, value := range map[string][]byte{
		"truncated": sound[:len(sound)-1],
		"newer":     append(subspace.AppendInt(nil, 2), sound[len(subspace.AppendInt(nil, 1)):]...),
	} {
		e.register(a, at(1))
		e.Spoil(value, "leader")
		e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, a.Identity, at(1)) })
		require.Equal(t, value, e.Raw("leader"), name)
		require.Empty(t, e.ids())
	}
}

func (e *testElection) repair(now float64) (done []election.RepairResult) {
	e.T.Helper()
	e.Do(func(tr kv.Transaction) (err error) { done, err = e.Repair(tr, at(now)); return err })
	return done
}

func unreadableRecordsAreRepaired(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a, token := e.leads("a", 1, at(0))
	b, c := e.join("b", 1, at(0)), e.join("c", 2, at(0))
	require.Empty(t, e.repair(0))
	ranked := e.dumpBelow("rank")
	e.Spoil([]byte("rubbish"), "candidates", "a")
	e.Spoil([]byte("rubbish"), "intent")
	e.Spoil([]byte("rubbish"), "term")
	e.Do(func(tr kv.Transaction) error {
		tr.Set(e.eventKey(1, 0), []byte("rubbish"))
		tr.Clear(ranked[0].Key) // the rank entry of "c"
		return nil
	})
	done := e.repair(1)
	var records []string
	for _, d := range done {
		require.NotEmpty(t, d.Done, d.Record)
		records = append(records, d.Record)
	}
	require.ElementsMatch(t, []string{"candidate", "intent", "term", "history", "rank", "rank"}, records)
	require.Empty(t, e.repair(2), "the second time there is nothing to repair")
	require.NoError(t, e.fenced(token), "the term record is as before")
	require.Equal(t, []string{"c", "b"}, e.ids())
	e.acts(election.Renewed, a, at(3))
	require.Equal(t, []string{"c", "b", "a"}, e.ids(), "the leader has registered again")
	require.Equal(t, ranked[0].Key, e.dumpBelow("rank")[0].Key)
	e.Spoil([]byte("rubbish"), "leader")
	require.Equal(t, "leader", e.repair(4)[0].Record)
	require.True(t, e.leader().Vacant())
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	e.acts(election.Claimed, b, at(5))
	require.EqualValues(t, 2, e.leader().Term)
	e.acts(election.RequestedPreemption, c, at(5))
}

// unreadableCandidateRecordIsRemovedWithItsRequest: the candidate record of a dead challenger is unreadable, and is removed.
func unreadableCandidateRecordIsRemovedWithItsRequest(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	e.leads("a", 1, at(0))
	b, c := e.join("b", 3, at(0)), e.join("c", 2, at(0))
	e.acts(election.RequestedPreemption, b, at(1))
	e.acts(election.Followed, c, at(1))
	e.Spoil([]byte("rubbish"), "candidates", "b")
	require.Len(t, e.repair(2), 2, "the candidate record and its rank entry")
	require.Nil(t, e.Raw("intent"))
	e.acts(election.RequestedPreemption, c, at(3))
	e.Spoil([]byte("rubbish"), "candidates", "a")
	e.repair(4)
	require.NotNil(t, e.Raw("intent"), "a request of another candidate stays")
}

// dumpBelow returns the rows whose keys begin with a name.
func (e *testElection) dumpBelow(name string) []kv.KeyValue {
	e.T.Helper()
	begin, end := subspace.FromBytes(e.Key(name)).Range()
	rows, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})

	require.NoError(e.T, err)
	return rows
}

func unreadableRecordsOfANewerProgramAreNotChanged(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	e.leads("a", 1, at(0))
	e.join("b", 1, at(0))
	newer := subspace.AppendInt(nil, 2)
	for _, path := range [][]string{{"config"}, {"leader"}, {"term"}, {"intent"}, {"candidates", "b"}} {
		e.Spoil(newer, path...)
	}
	e.Do(func(tr kv.Transaction) error { tr.Set(e.eventKey(1, 0), newer); return nil })
	before := e.Dump()
	done := e.repair(1)
	require.Len(t, done, 6)
	for _, d := range done {
		require.Empty(t, d.Done, d.Record)
		require.Contains(t, d.Problem, "upgrade this program")
	}
	require.Equal(t, before, e.Dump())
}
