package electiontest

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var dependencyTests = []test{
	rule05EveryWriteHasExactlyItsReadConflicts,
}

// rule05EveryWriteHasExactlyItsReadConflicts checks the table of docs/format.md in both directions.
// Each act conflicts with a change of every key that it must depend on, and with a change of
// no other key. "holder" leads term 1, "me" has a higher priority, and "other" is a third
// candidate.
func rule05EveryWriteHasExactlyItsReadConflicts(t *testing.T, e *testElection) {
	keys := map[string]subspace.Tuple{"own": nil, "other's": nil}
	for _, name := range []string{"config", "leader", "term", "intent"} {
		keys[name] = tupleOf(name)
	}
	for kind := range int64(2) {
		keys["notice "+strconv.FormatInt(kind, 10)] = append(tupleOf("notice"), subspace.Int(kind))
	}
	for _, grace := range []bool{true, false} {
		for _, act := range acts(grace) {
			candidate := func(id string) subspace.Tuple { return append(tupleOf("candidates"), subspace.String(id)) }
			keys["own"], keys["other's"] = candidate(act.actor), candidate("other")
			for name, tuple := range keys {
				e := newTestElection(t, e.Engine)
				scene := e.scene(grace)
				tr := e.Begin()
				require.NoError(t, act.run(e, tr, scene), act.name)
				key, err := e.Subspace().Pack(tuple)
				require.NoError(t, err)
				e.Do(func(tr kv.Transaction) error { return tr.AddWriteConflictKey(key) })
				want := 0
				if slices.Contains(act.dependsOn, name) {
					want = kv.CodeNotCommitted
				}
				require.Equal(t, want, kv.CodeOf(tr.Commit()), "%s, after a write of the %s key", act.name, name)
			}
		}
	}
}

// scene is the candidates and the tenure before each act.
type scene struct {
	holder, me, other election.Registration
	token             election.Token
}

func (e *testElection) scene(grace bool) (s scene) {
	e.T.Helper()
	if grace {
		e.initialized(withGrace)
	} else {
		e.initialized()
	}
	s.holder, s.token = e.leads("holder", 1, at(0))
	s.me, s.other = e.join("me", 5, at(0)), e.join("other", 1, at(0))
	return s
}

type act struct {
	name, actor string
	dependsOn   []string
	run         func(e *testElection, tr kv.Transaction, s scene) error
}

func acts(grace bool) []act {
	if !grace {
		return []act{
			{"a preemption", "me", []string{"own", "config", "leader", "intent"}, cycleOf(election.Claimed, 1)},
		}
	}
	return []act{
		{"a claim", "me", []string{"own", "config", "leader", "intent"}, cycleOf(election.Claimed, 50)},
		{"a preemption request", "me", []string{"own", "config", "term", "intent"}, cycleOf(election.RequestedPreemption, 1)},
		{"a follower's cycle", "other", []string{"own", "other's"}, func(e *testElection, tr kv.Transaction, s scene) error {
			_, err := e.RunElectionCycle(tr, s.other, at(1))
			return err
		}},
		{"a renewal", "holder", []string{"own", "config", "leader"}, func(e *testElection, tr kv.Transaction, s scene) error {
			_, err := e.RunElectionCycle(tr, s.holder, at(1))
			return err
		}},
		{"a refresh", "holder", []string{"own", "config", "leader"}, func(e *testElection, tr kv.Transaction, s scene) error {
			_, err := e.RefreshLease(tr, s.token, at(1))
			return err
		}},
		{"a resignation", "holder", []string{"own", "leader", "intent"}, func(e *testElection, tr kv.Transaction, s scene) error {
			return e.ResignLeadership(tr, s.token, at(1))
		}},
		{"a transfer", "holder", []string{"own", "other's", "config", "leader", "intent"}, func(e *testElection, tr kv.Transaction, s scene) error {
			_, err := e.TransferLeadership(tr, s.token, "other", newNonce(), at(1))
			return err
		}},
		{"a resign request", "holder", []string{"term", "intent"}, func(e *testElection, tr kv.Transaction, _ scene) error {
			return e.RequestResign(tr, 1, newNonce())
		}},
		{"a transfer request", "me", []string{"other's", "term", "intent"}, func(e *testElection, tr kv.Transaction, _ scene) error {
			return e.RequestTransfer(tr, 1, "other", newNonce())
		}},
		{"a heartbeat", "me", []string{"own"}, func(e *testElection, tr kv.Transaction, s scene) error {
			return e.HeartbeatCandidate(tr, s.me, at(1))
		}},
		{"a heartbeat with other metadata", "holder", []string{"own"}, func(e *testElection, tr kv.Transaction, s scene) error {
			return e.HeartbeatCandidate(tr, withAddress(s.holder, "1"), at(1))
		}},
		{"a registration", "me", []string{"own"}, func(e *testElection, tr kv.Transaction, _ scene) error {
			return e.RegisterCandidate(tr, newProcess("me", 1), at(1))
		}},
		{"a demotion", "me", []string{"own", "term"}, func(e *testElection, tr kv.Transaction, s scene) error {
			s.me.Role = election.Observer
			return e.HeartbeatCandidate(tr, s.me, at(1))
		}},
		{"leaving", "me", []string{"own", "term", "intent"}, func(e *testElection, tr kv.Transaction, s scene) error {
			return e.UnregisterCandidate(tr, s.me.Identity, at(1))
		}},
		{"leaving as the holder", "holder", []string{"own", "leader", "term", "intent"}, func(e *testElection, tr kv.Transaction, s scene) error {
			return e.UnregisterCandidate(tr, s.holder.Identity, at(1))
		}},
		{"an eviction", "me", []string{"own", "other's", "term"}, func(e *testElection, tr kv.Transaction, _ scene) error {
			_, err := e.EvictDeadCandidates(tr, at(99))
			return err
		}},
		{"settling", "me", []string{"leader"}, func(e *testElection, tr kv.Transaction, _ scene) error {
			_, err := e.Settle(tr)
			return err
		}},
		{"a config", "me", []string{"config"}, func(e *testElection, tr kv.Transaction, _ scene) error {
			_, err := e.WriteConfig(tr, fdbelection.ConfigWithLease(at(99).Sub(epoch)))
			return err
		}},
		{"fenced work", "me", []string{"term"}, func(e *testElection, tr kv.Transaction, s scene) error {
			tr.Set(append(e.Subspace().Bytes(), "application"...), []byte("work"))
			return e.RequireLeadership(tr, s.token)
		}},
	}
}

func cycleOf(want election.Action, now float64) func(e *testElection, tr kv.Transaction, s scene) error {
	return func(e *testElection, tr kv.Transaction, s scene) error {
		result, err := e.RunElectionCycle(tr, s.me, at(now))
		require.Equal(e.T, want, result.Action)
		return err
	}
}
