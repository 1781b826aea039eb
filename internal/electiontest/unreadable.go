package electiontest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Tests of records that are damaged, or written by a newer program: each costs what
// it describes and nothing else. docs/format.md has the same table.
var unreadableTests = []test{
	{"Unreadable_each_record_costs_what_it_describes", unreadableCosts},
	{"Unreadable_an_intent_is_nothing_that_is_asked", unreadableIntent},
	{"Unreadable_candidates_cost_their_own_candidacy", unreadableCandidates},
	{"Unreadable_history_entries_are_passed_over", unreadableHistory},
	{"Unreadable_a_config_can_be_replaced_whole", unreadableConfig},
	{"Unreadable_leader_record_is_left_alone_by_its_holder_that_leaves", unreadableLeaderLeaving},
	{"Unreadable_records_are_repaired", unreadableRepair},
	{"Unreadable_candidates_take_what_they_asked_with_them", unreadableAuthor},
	{"Unreadable_records_of_a_newer_program_are_left_alone", unreadableNewer},
}

// damages are the ways in which a record may be unreadable.
func damages() map[string][]byte {
	return map[string][]byte{
		"truncated": subspace.AppendInt(nil, 1), "newer": subspace.AppendInt(nil, 2),
		"foreign": []byte("{\"json\": 1}"), "empty": {},
	}
}

func unreadableCosts(t *testing.T, w *world) {
	w.initialized(withGrace)
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	higher := w.join("c", 2, at(0))
	someone := election.Registration{Identity: election.Identity{ID: "d", Incarnation: uuid.New()}}
	calls := map[string]func(tr kv.Transaction) error{
		"lead":      func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, a, at(1)); return err },
		"refresh":   func(tr kv.Transaction) error { _, err := w.RefreshLease(tr, token, at(1)); return err },
		"fence":     func(tr kv.Transaction) error { return w.RequireLeadership(tr, token) },
		"follow":    func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, b, at(1)); return err },
		"challenge": func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, higher, at(1)); return err },
		"beat":      func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, b, at(1)) },
		"register":  func(tr kv.Transaction) error { return w.RegisterCandidate(tr, someone, at(1)) },
		"leave":     func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, b.Identity, at(1)) },
		"resign":    func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(1)) },
		"request":   func(tr kv.Transaction) error { return w.RequestResign(tr, 1, newNonce()) },
		"evict":     func(tr kv.Transaction) error { _, err := w.EvictDeadCandidates(tr, at(1)); return err },
		"configure": func(tr kv.Transaction) error {
			_, err := w.WriteConfig(tr, fdbelection.ConfigWithLease(1e9))
			return err
		},
		"state": func(tr kv.Transaction) error { _, err := w.ReadStatus(tr); return err },
	}
	costs := map[string][]string{
		"config":       {"lead", "refresh", "follow", "challenge", "register", "beat", "request", "evict", "state"},
		"leader":       {"lead", "refresh", "follow", "challenge", "resign", "request", "evict", "state"},
		"term":         {"fence"},
		"intent":       {"request"},
		"candidates b": {"follow", "beat"},
		"candidates a": {},
	}
	for record, lost := range costs {
		path := strings.Fields(record)
		for damage, value := range damages() {
			sound := w.dump()
			key := w.spoil(value, path...)
			for name, call := range calls {
				if name == "configure" && record == "config" {
					continue // that has a test of its own
				}
				before := w.dump()
				err := w.try(call)
				if !slices.Contains(lost, name) {
					require.NoError(t, err, "%s %s: %s", damage, record, name)
				} else {
					var invalid *fdbelection.InvalidStateError
					require.ErrorAs(t, err, &invalid, "%s %s: %s", damage, record, name)
					require.Equal(t, key, invalid.Key)
					require.Equal(t, damage == "newer", invalid.Newer)
					require.Equal(t, before, w.dump(), "nothing is written")
				}
				w.restore(before)
			}
			w.restore(sound)
		}
	}
}

func unreadableIntent(t *testing.T, w *world) {
	w.initialized(withGrace)
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 2, at(0))
	for damage, value := range damages() {
		w.spoil(value, "intent")
		renewed := w.acts(election.Renewed, a, at(1))
		require.Equal(t, election.NoRequest, renewed.Request.Kind, damage)
		require.ErrorIs(t, renewed.Unreadable, fdbelection.ErrInvalidState)
		w.acts(election.Followed, b, at(1)) // it does not challenge
		require.Equal(t, value, w.raw("intent"))
		state, err := read(w, w.ReadStatus)
		require.NoError(t, err)
		require.ErrorIs(t, state.Unreadable, fdbelection.ErrInvalidState)
		err = w.try(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, "b", uuid.New()) })
		require.ErrorContains(t, err, "cancel it first")
		var there bool
		w.do(func(tr kv.Transaction) (err error) { there, err = w.CancelAnyRequest(tr); return err })
		require.True(t, there)
		w.acts(election.RequestedPreemption, b, at(1))
		w.do(func(tr kv.Transaction) (err error) { there, err = w.CancelAnyRequest(tr); return err })
		require.True(t, there)
		w.do(func(tr kv.Transaction) (err error) { there, err = w.CancelAnyRequest(tr); return err })
		require.False(t, there)
	}
	w.spoil([]byte("rubbish"), "intent")
	w.do(func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(2)) })
	require.Nil(t, w.raw("intent"), "a change of tenure clears it")
}

func unreadableCandidates(t *testing.T, w *world) {
	w.initialized(withGrace)
	a, token := w.leads("a", 1, at(0))
	w.join("b", 1, at(0))
	w.spoil([]byte("rubbish"), "candidates", "a")
	w.acts(election.Renewed, a, at(9)) // the leader stays the leader
	w.acts(election.Renewed, a, at(18))
	require.Equal(t, "rubbish", string(w.raw("candidates", "a")))
	w.spoil([]byte("rubbish"), "candidates", "b")
	err := w.try(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, "b", uuid.New()) })
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	_, err = w.transfer(token, "b", uuid.New(), 18)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, a.Identity, at(18)) })
	require.True(t, w.leader().Vacant(), "a leader can leave beside a record that cannot be read")
}

func unreadableHistory(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	w.do(func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, at(1)) })
	w.acts(election.Claimed, a, at(2))
	key := w.eventKey(1, 1)
	w.do(func(tr kv.Transaction) error { tr.Set(key, []byte("rubbish")); return nil })
	events, err := read(w, func(tr kv.ReadTransaction) ([]election.Event, error) { return w.History(tr, 0) })
	require.Len(t, events, 2)
	var invalid *fdbelection.InvalidStateError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, key, invalid.Key)
	w.acts(election.Renewed, a, at(3))
}

// eventKey is the key of a history entry.
func (w *world) eventKey(term, kind int64) []byte {
	w.t.Helper()
	key, err := w.Subspace().Pack(subspace.Tuple{subspace.String("history"), subspace.Int(term), subspace.Int(kind)})
	require.NoError(w.t, err)
	return key
}

func unreadableConfig(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	whole := fdbelection.DefaultConfig()
	w.spoil(subspace.AppendInt(nil, 2), "config")
	write := func(config fdbelection.Config) (stored fdbelection.Config, err error) {
		err = w.try(func(tr kv.Transaction) (err error) { stored, err = w.WriteConfig(tr, config); return err })
		return stored, err
	}
	_, err := write(whole)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState, "a newer program has written it")
	w.spoil([]byte("rubbish"), "config")
	conditional := whole
	conditional.Revision = 1
	_, err = write(conditional)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	stored, err := write(whole)
	require.NoError(t, err)
	require.Greater(t, stored.Revision, uint64(1<<32), "above any revision that was reached")
	again, err := write(whole)
	require.NoError(t, err)
	require.Equal(t, stored, again)
	w.acts(election.Renewed, a, at(1))
}

// unreadableLeaderLeaving: the part of the record that can be read names its holder.
func unreadableLeaderLeaving(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	sound := w.raw("leader")
	for name, value := range map[string][]byte{
		"truncated": sound[:len(sound)-1],
		"newer":     append(subspace.AppendInt(nil, 2), sound[len(subspace.AppendInt(nil, 1)):]...),
	} {
		w.register(a, at(1))
		w.spoil(value, "leader")
		w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, a.Identity, at(1)) })
		require.Equal(t, value, w.raw("leader"), name)
		require.Empty(t, w.ids())
	}
}

func (w *world) repair(now float64) (done []election.Repair) {
	w.t.Helper()
	w.do(func(tr kv.Transaction) (err error) { done, err = w.Repair(tr, at(now)); return err })
	return done
}

func unreadableRepair(t *testing.T, w *world) {
	w.initialized(withGrace)
	a, token := w.leads("a", 1, at(0))
	b, c := w.join("b", 1, at(0)), w.join("c", 2, at(0))
	require.Empty(t, w.repair(0))
	ranked := w.dumpBelow("rank")
	w.spoil([]byte("rubbish"), "candidates", "a")
	w.spoil([]byte("rubbish"), "intent")
	w.spoil([]byte("rubbish"), "term")
	w.do(func(tr kv.Transaction) error {
		tr.Set(w.eventKey(1, 0), []byte("rubbish"))
		tr.Clear(ranked[0].Key) // that of "c"
		return nil
	})
	done := w.repair(1)
	var records []string
	for _, d := range done {
		require.NotEmpty(t, d.Done, d.Record)
		records = append(records, d.Record)
	}
	require.ElementsMatch(t, []string{"candidate", "intent", "term", "history", "rank", "rank"}, records)
	require.Empty(t, w.repair(2), "run again it finds nothing to do")
	require.NoError(t, w.fenced(token), "the term record is as it was")
	require.Equal(t, []string{"c", "b"}, w.ids())
	w.acts(election.Renewed, a, at(3))
	require.Equal(t, []string{"c", "b", "a"}, w.ids(), "the leader has registered again")
	require.Equal(t, ranked[0].Key, w.dumpBelow("rank")[0].Key)
	w.spoil([]byte("rubbish"), "leader")
	require.Equal(t, "leader", w.repair(4)[0].Record)
	require.True(t, w.leader().Vacant())
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	w.acts(election.Claimed, b, at(5))
	require.EqualValues(t, 2, w.leader().Term)
	w.acts(election.RequestedPreemption, c, at(5))
}

// unreadableAuthor: the record of a challenger that has died cannot be read, and is
// removed.
func unreadableAuthor(t *testing.T, w *world) {
	w.initialized(withGrace)
	w.leads("a", 1, at(0))
	b, c := w.join("b", 3, at(0)), w.join("c", 2, at(0))
	w.acts(election.RequestedPreemption, b, at(1))
	w.acts(election.Followed, c, at(1))
	w.spoil([]byte("rubbish"), "candidates", "b")
	require.Len(t, w.repair(2), 2, "the candidate and its rank")
	require.Nil(t, w.raw("intent"))
	w.acts(election.RequestedPreemption, c, at(3))
	w.spoil([]byte("rubbish"), "candidates", "a")
	w.repair(4)
	require.NotNil(t, w.raw("intent"), "that is another's")
}

// dumpBelow returns the rows whose keys begin with a name.
func (w *world) dumpBelow(name string) []kv.KeyValue {
	w.t.Helper()
	begin, end := subspace.FromBytes(w.key(name)).Range()
	rows, err := read(w, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})
	require.NoError(w.t, err)
	return rows
}

func unreadableNewer(t *testing.T, w *world) {
	w.initialized(withGrace)
	w.leads("a", 1, at(0))
	w.join("b", 1, at(0))
	newer := subspace.AppendInt(nil, 2)
	for _, path := range [][]string{{"config"}, {"leader"}, {"term"}, {"intent"}, {"candidates", "b"}} {
		w.spoil(newer, path...)
	}
	w.do(func(tr kv.Transaction) error { tr.Set(w.eventKey(1, 0), newer); return nil })
	before := w.dump()
	done := w.repair(1)
	require.Len(t, done, 6)
	for _, d := range done {
		require.Empty(t, d.Done, d.Record)
		require.Contains(t, d.Problem, "upgrade this program")
	}
	require.Equal(t, before, w.dump())
}
