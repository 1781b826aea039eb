package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var registrationTests = []test{
	{"Rule08_a_registration_is_pending_until_its_commit", registrationIsPending},
	{"Rule08_registrations_of_one_transaction_differ_by_user_version", userVersionsOrder},
	{"Rule08_registrations_that_share_a_stamp_are_ordered_by_id", sharedStamps},
	{"Rule08_heartbeats_carry_a_counter_and_keep_the_stamp", heartbeatsCount},
	{"Rule12_candidates_are_ranked_by_priority_then_age", candidatesAreRanked},
	{"Rule12_the_first_by_rank_are_listed_with_their_records", preferredAreListed},
	{"Rule09_a_holder_that_becomes_an_observer_vacates", demotedHolderVacates},
	{"Rule09_a_holder_that_leaves_vacates", leavingHolderVacates},
}

func registrationIsPending(t *testing.T, w *world) {
	w.initialized()
	me := newProcess("me", 1)
	reads := map[string]func(tr kv.Transaction) error{
		"heartbeat":      func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, me, at(0)) },
		"cycle":          func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, me, at(0)); return err },
		"register":       func(tr kv.Transaction) error { return w.RegisterCandidate(tr, me, at(0)) },
		"get":            func(tr kv.Transaction) error { _, err := w.GetCandidate(tr, "me"); return err },
		"list":           func(tr kv.Transaction) error { _, err := w.ListCandidates(tr); return err },
		"preferred":      func(tr kv.Transaction) error { _, err := w.Preferred(tr, 1); return err },
		"list preferred": func(tr kv.Transaction) error { _, _, err := w.ListPreferred(tr, 1); return err },
		"list one":       func(tr kv.Transaction) error { _, _, err := w.ListPreferred(tr, 1, "me"); return err },
		"evict":          func(tr kv.Transaction) error { _, err := w.EvictDeadCandidates(tr, at(0)); return err },
		"leave":          func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, me.Identity, at(0)) },
	}
	for name, fn := range reads {
		tr := w.open()
		require.NoError(t, w.RegisterCandidate(tr, me, at(0)))
		require.ErrorIs(t, fn(tr), fdbelection.ErrRegistrationPending, name)
	}
	require.Empty(t, w.ids())
}

func userVersionsOrder(t *testing.T, w *world) {
	w.initialized()
	w.do(func(tr kv.Transaction) error {
		for i, id := range []string{"third", "first", "second"} {
			me := newProcess(id, 1)
			me.UserVersion = uint16([]int{2, 0, 1}[i])
			if err := w.RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(t, []string{"first", "second", "third"}, w.ids())
	first, second := w.candidate("first").Versionstamp, w.candidate("second").Versionstamp
	require.Equal(t, first.Transaction, second.Transaction, "one commit")
	require.Negative(t, first.Compare(second))
}

// Two registrations of one transaction without user versions share a stamp. They are two
// candidates all the same: both lists have them in one order, and each can be removed
// alone.
func sharedStamps(t *testing.T, w *world) {
	w.initialized()
	second, first := newProcess("b", 1), newProcess("a", 1)
	w.do(func(tr kv.Transaction) error {
		if err := w.RegisterCandidate(tr, second, at(0)); err != nil {
			return err
		}
		return w.RegisterCandidate(tr, first, at(0))
	})
	w.join("c", 1, at(0))
	require.Equal(t, w.candidate("a").Versionstamp, w.candidate("b").Versionstamp)
	require.Equal(t, []string{"a", "b", "c"}, w.ids())
	require.Equal(t, []string{"a", "b", "c"}, w.preferred(9))
	seen := w.candidate("b")
	w.do(func(tr kv.Transaction) error {
		evicted, err := w.EvictUnchanged(tr, []election.Candidate{seen})
		require.Equal(t, []string{"b"}, evicted)
		return err
	})
	require.Equal(t, []string{"a", "c"}, w.ids())
	require.Equal(t, []string{"a", "c"}, w.preferred(9))
}

func heartbeatsCount(t *testing.T, w *world) {
	w.initialized()
	me := w.join("me", 1, at(0))
	before := w.candidate("me")
	for i := 2; i <= 4; i++ {
		w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, me, at(0)) }) // the same instant each time
		now := w.candidate("me")
		require.EqualValues(t, i, now.Heartbeats)
		require.Equal(t, before.Versionstamp, now.Versionstamp)
	}
	require.Zero(t, w.leader(), "a heartbeat claims nothing")
}

func candidatesAreRanked(t *testing.T, w *world) {
	w.initialized()
	w.join("low", -5, at(0))
	high := w.join("high", 9, at(0))
	w.join("older", 1, at(0))
	w.join("younger", 1, at(0))
	watcher := newProcess("watcher", 99)
	watcher.Role = election.Observer
	w.register(watcher, at(0))
	require.Equal(t, []string{"high", "older", "younger", "low", "watcher"}, w.ids())
	require.Equal(t, []string{"high", "older"}, w.preferred(2))
	high.Priority = 0
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, high, at(1)) })
	require.Equal(t, []string{"older", "younger", "high", "low"}, w.preferred(10), "observers are not ranked")
	watcher.Role = election.Voter
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, watcher, at(1)) })
	require.Equal(t, []string{"watcher"}, w.preferred(1))
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, watcher.Identity, at(1)) })
	require.Equal(t, []string{"older"}, w.preferred(1))
	require.Empty(t, w.preferred(0))
}

func (w *world) preferred(k int) []string {
	w.t.Helper()
	ranked, err := read(w, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return w.Preferred(tr, k) })
	require.NoError(w.t, err)
	ids := make([]string, len(ranked))
	for i, r := range ranked {
		ids[i] = r.ID
	}
	return ids
}

func preferredAreListed(t *testing.T, w *world) {
	w.initialized()
	for i, id := range []string{"low", "high", "middle"} {
		w.join(id, []int32{-5, 9, 1}[i], at(0))
	}
	watcher := newProcess("watcher", 99)
	watcher.Role = election.Observer
	w.register(watcher, at(0))
	list := func(k int, also ...string) (ranked, listed []string, err error) {
		err = w.db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) error {
			entries, candidates, err := w.ListPreferred(tr, k, also...)
			for _, r := range entries {
				ranked = append(ranked, r.ID)
			}
			for i := range candidates {
				require.Equal(t, w.candidate(candidates[i].ID), candidates[i])
				listed = append(listed, candidates[i].ID)
			}
			return err
		})
		return ranked, listed, err
	}
	for _, c := range []struct {
		k              int
		also           []string
		ranked, listed []string
	}{
		{2, nil, []string{"high", "middle"}, []string{"high", "middle"}},
		{1, []string{"high", "high"}, []string{"high"}, []string{"high"}},
		{1, []string{"watcher", "low", "absent", ""}, []string{"high"}, []string{"high", "low", "watcher"}},
		{9, nil, []string{"high", "middle", "low"}, []string{"high", "middle", "low"}},
	} {
		ranked, listed, err := list(c.k, c.also...)
		require.NoError(t, err)
		require.Equal(t, c.ranked, ranked)
		require.Equal(t, c.listed, listed)
	}

	record, _ := w.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("high")})
	w.do(func(tr kv.Transaction) error { tr.Set(record, []byte("rubbish")); return nil })
	ranked, listed, err := list(2)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Equal(t, []string{"high", "middle"}, ranked)
	require.Equal(t, []string{"middle"}, listed, "a damaged record costs itself only")
	w.do(func(tr kv.Transaction) error { tr.Clear(record); return nil })
	ranked, listed, err = list(2)
	require.NoError(t, err)
	require.Equal(t, []string{"high", "middle"}, ranked, "an entry without a candidate")
	require.Equal(t, []string{"middle"}, listed)
}

func demotedHolderVacates(t *testing.T, w *world) {
	w.initialized()
	for name, demote := range map[string]func(tr kv.Transaction, me election.Registration) error{
		"register":  func(tr kv.Transaction, me election.Registration) error { return w.RegisterCandidate(tr, me, at(1)) },
		"heartbeat": func(tr kv.Transaction, me election.Registration) error { return w.HeartbeatCandidate(tr, me, at(1)) },
		"cycle": func(tr kv.Transaction, me election.Registration) error {
			result, err := w.RunElectionCycle(tr, me, at(1))
			require.Equal(t, election.Vacated, result.Action)
			return err
		},
	} {
		me, token := w.leads("a", 1, at(0))
		ballot := w.leader().Ballot
		me.Role = election.Observer
		w.do(func(tr kv.Transaction) error { return demote(tr, me) })
		vacant := w.leader()
		require.True(t, vacant.Vacant(), name)
		require.Equal(t, ballot+1, vacant.Ballot, name)
		require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced, name)
		w.acts(election.Followed, me, at(2))
	}
}

func leavingHolderVacates(t *testing.T, w *world) {
	w.initialized()
	me, token := w.leads("a", 1, at(0))
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, me.Identity, at(1)) })
	vacant := w.leader()
	require.True(t, vacant.Vacant())
	require.EqualValues(t, 2, vacant.Ballot)
	require.Equal(t, token.Term, vacant.Term)
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	require.Empty(t, w.ids())
	require.Empty(t, w.preferred(9))
	require.Equal(t, "1 ended: a ->  (left) ballot 2", w.events()[1])
}
