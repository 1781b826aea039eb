package electiontest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var dependencyTests = []test{
	{"Rule05_every_write_depends_on_exactly_what_it_must", writesDependOnExactly},
}

// writesDependOnExactly is the table of docs/format.md, in both directions:
// each act conflicts with a change of every key that it must depend on, and of
// none besides. In it "holder" leads term 1, "me" is of higher priority, and
// "other" is a third.
func writesDependOnExactly(t *testing.T, w *world) {
	keys := map[string]subspace.Tuple{"own": nil, "other's": nil}
	for _, name := range []string{"config", "leader", "term", "intent"} {
		keys[name] = tupleOf(name)
	}
	for _, grace := range []bool{true, false} {
		for _, act := range acts(grace) {
			candidate := func(id string) subspace.Tuple { return append(tupleOf("candidates"), subspace.String(id)) }
			keys["own"], keys["other's"] = candidate(act.actor), candidate("other")
			for name, tuple := range keys {
				w := newWorld(t, w.engine)
				scene := w.scene(grace)
				tr := w.open()
				require.NoError(t, act.run(w, tr, scene), act.name)
				key, err := w.Subspace().Pack(tuple)
				require.NoError(t, err)
				w.do(func(tr kv.Transaction) error { return tr.AddWriteConflictKey(key) })
				want := 0
				if slices.Contains(act.dependsOn, name) {
					want = kv.CodeNotCommitted
				}
				require.Equal(t, want, kv.CodeOf(tr.Commit()), "%s, when the %s key was written meanwhile", act.name, name)
			}
		}
	}
}

// scene is what the acts play in.
type scene struct {
	holder, me, other election.Registration
	token             election.Token
}

func (w *world) scene(grace bool) (s scene) {
	w.t.Helper()
	if grace {
		w.initialized(withGrace)
	} else {
		w.initialized()
	}
	s.holder, s.token = w.leads("holder", 1, at(0))
	s.me, s.other = w.join("me", 5, at(0)), w.join("other", 1, at(0))
	return s
}

type act struct {
	name, actor string
	dependsOn   []string
	run         func(w *world, tr kv.Transaction, s scene) error
}

func acts(grace bool) []act {
	if !grace {
		return []act{
			{"a preemption", "me", []string{"own", "config", "leader", "intent"}, cycleOf(election.Claimed, 1)},
		}
	}
	return []act{
		{"a take-over", "me", []string{"own", "config", "leader", "intent"}, cycleOf(election.Claimed, 50)},
		{"a challenge", "me", []string{"own", "config", "term", "intent"}, cycleOf(election.RequestedPreemption, 1)},
		{"a follower's cycle", "other", []string{"own", "other's"}, func(w *world, tr kv.Transaction, s scene) error {
			_, err := w.RunElectionCycle(tr, s.other, at(1))
			return err
		}},
		{"a renewal", "holder", []string{"own", "config", "leader"}, func(w *world, tr kv.Transaction, s scene) error {
			_, err := w.RunElectionCycle(tr, s.holder, at(1))
			return err
		}},
		{"a refresh", "holder", []string{"own", "config", "leader"}, func(w *world, tr kv.Transaction, s scene) error {
			_, err := w.RefreshLease(tr, s.token, at(1))
			return err
		}},
		{"a resignation", "holder", []string{"own", "leader", "intent"}, func(w *world, tr kv.Transaction, s scene) error {
			return w.ResignLeadership(tr, s.token, at(1))
		}},
		{"a transfer", "holder", []string{"own", "other's", "config", "leader", "intent"}, func(w *world, tr kv.Transaction, s scene) error {
			_, err := w.TransferLeadership(tr, s.token, "other", newNonce(), at(1))
			return err
		}},
		{"a request to resign", "holder", []string{"term", "intent"}, func(w *world, tr kv.Transaction, _ scene) error {
			return w.RequestResign(tr, 1, newNonce())
		}},
		{"a request to transfer", "me", []string{"other's", "term", "intent"}, func(w *world, tr kv.Transaction, _ scene) error {
			return w.RequestTransfer(tr, 1, "other", newNonce())
		}},
		{"a heartbeat", "me", []string{"own"}, func(w *world, tr kv.Transaction, s scene) error {
			return w.HeartbeatCandidate(tr, s.me, at(1))
		}},
		{"a registration", "me", []string{"own"}, func(w *world, tr kv.Transaction, _ scene) error {
			return w.RegisterCandidate(tr, newProcess("me", 1), at(1))
		}},
		{"a demotion", "me", []string{"own", "term"}, func(w *world, tr kv.Transaction, s scene) error {
			s.me.Role = election.Observer
			return w.HeartbeatCandidate(tr, s.me, at(1))
		}},
		{"leaving", "me", []string{"own", "term", "intent"}, func(w *world, tr kv.Transaction, s scene) error {
			return w.UnregisterCandidate(tr, s.me.Identity, at(1))
		}},
		{"leaving the seat", "holder", []string{"own", "leader", "term", "intent"}, func(w *world, tr kv.Transaction, s scene) error {
			return w.UnregisterCandidate(tr, s.holder.Identity, at(1))
		}},
		{"an eviction", "me", []string{"own", "other's", "term"}, func(w *world, tr kv.Transaction, _ scene) error {
			_, err := w.EvictDeadCandidates(tr, at(99))
			return err
		}},
		{"settling", "me", []string{"leader"}, func(w *world, tr kv.Transaction, _ scene) error {
			_, err := w.Settle(tr)
			return err
		}},
		{"a config", "me", []string{"config"}, func(w *world, tr kv.Transaction, _ scene) error {
			_, err := w.WriteConfig(tr, fdbelection.ConfigWithLease(at(99).Sub(epoch)))
			return err
		}},
		{"fenced work", "me", []string{"term"}, func(w *world, tr kv.Transaction, s scene) error {
			tr.Set(append(w.Subspace().Bytes(), "application"...), []byte("work"))
			return w.RequireLeadership(tr, s.token)
		}},
	}
}

func cycleOf(want election.Action, now float64) func(w *world, tr kv.Transaction, s scene) error {
	return func(w *world, tr kv.Transaction, s scene) error {
		result, err := w.RunElectionCycle(tr, s.me, at(now))
		require.Equal(w.t, want, result.Action)
		return err
	}
}
