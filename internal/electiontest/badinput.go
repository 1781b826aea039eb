package electiontest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var badInputTests = []test{
	{"Rule10_bad_candidates_are_refused", badCandidates},
	{"Rule10_bad_configs_are_refused_with_all_faults", badConfigs},
	{"Rule10_one_bad_candidate_does_not_hide_the_others", badCandidateHidesNobody},
	{"Records_elements_of_a_later_version_are_ignored", trailingElements},
	{"Records_extreme_clocks_do_not_overflow", extremeClocks},
}

func badCandidates(t *testing.T, w *world) {
	w.initialized()
	tags := func(key, value string) election.Registration {
		me := newProcess("a", 1)
		me.Metadata = map[string]string{key: value}
		return me
	}
	role := newProcess("a", 1)
	role.Role = 7
	for what, me := range map[string]election.Registration{
		"is empty":                         newProcess("", 1),
		"has 256 bytes; use at most 255":   newProcess(strings.Repeat("x", 256), 1),
		"is not valid UTF-8":               newProcess("a\xff", 1),
		"contains a control character":     newProcess("a\x1b[2J", 1),
		"has an empty key":                 tags("", "x"),
		`at key "k" is not valid UTF-8`:    tags("k", "\xff"),
		"has 8193 bytes; use at most 8192": tags("k", strings.Repeat("x", 8192)),
		"use Voter or Observer":            role,
	} {
		for _, call := range []func(tr kv.Transaction) error{
			func(tr kv.Transaction) error { return w.RegisterCandidate(tr, me, at(0)) },
			func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, me, at(0)) },
			func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, me, at(0)); return err },
		} {
			err := w.try(call)
			require.ErrorIs(t, err, fdbelection.ErrInvalidCandidate)
			require.ErrorContains(t, err, what)
			require.NotContains(t, err.Error(), "\x1b")
		}
	}
	require.Empty(t, w.ids())
	longest := newProcess(strings.Repeat("ü", 127)+"x", math.MinInt32)
	longest.Metadata = map[string]string{"k": strings.Repeat("x", election.MaxMetadataBytes-1)}
	w.register(longest, at(0))
	lowest := w.candidate(longest.ID)
	require.Equal(t, longest, lowest.Registration)
	w.join("top", math.MaxInt32, at(0))
	require.Equal(t, []string{"top", longest.ID}, w.preferred(9))
}

func badConfigs(t *testing.T, w *world) {
	w.initialized()
	bad := fdbelection.DefaultConfig()
	bad.HeartbeatInterval, bad.MinimumTenure, bad.HistoryLimit = bad.LeaseDuration, -1, -1
	_, err := w.writeConfig(bad)
	var invalid *fdbelection.InvalidConfigError
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Faults, 3)
	err = w.try(func(tr kv.Transaction) error { _, err := w.InitializeWithConfig(tr, bad); return err })
	require.ErrorIs(t, err, fdbelection.ErrInvalidConfig)
}

// spoil writes bytes at the key of a record.
func (w *world) spoil(value []byte, path ...string) []byte {
	w.t.Helper()
	key := w.key(path...)
	w.do(func(tr kv.Transaction) error {
		tr.Set(key, value)
		return nil
	})
	return key
}

// dump returns all rows of the election, restore puts them back.
func (w *world) dump() []kv.KeyValue {
	w.t.Helper()
	begin, end := w.Subspace().Range()
	rows, err := read(w, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})
	require.NoError(w.t, err)
	return rows
}

// remove clears a record.
func (w *world) remove(path ...string) {
	w.t.Helper()
	key := w.key(path...)
	w.do(func(tr kv.Transaction) error { tr.Clear(key); return nil })
}

func (w *world) restore(rows []kv.KeyValue) {
	w.t.Helper()
	w.do(func(tr kv.Transaction) error {
		begin, end := w.Subspace().Range()
		tr.ClearRange(begin, end)
		for _, row := range rows {
			tr.Set(row.Key, row.Value)
		}
		return nil
	})
}

func badCandidateHidesNobody(t *testing.T, w *world) {
	w.initialized()
	w.join("good", 1, at(0))
	w.spoil([]byte("rubbish"), "candidates", "bad")
	w.spoil([]byte("rubbish"), "candidates", "too", "deep")
	candidates, err := read(w, w.ListCandidates)
	require.Len(t, candidates, 1)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	var joined interface{ Unwrap() []error }
	require.ErrorAs(t, err, &joined)
	require.Len(t, joined.Unwrap(), 1, "the deeper key belongs to something else")
	_, err = read(w, func(tr kv.ReadTransaction) (election.Candidate, error) { return w.GetCandidate(tr, "bad") })
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Equal(t, []string{"good"}, w.evict(100), "what cannot be read is not evicted")
}

func trailingElements(t *testing.T, w *world) {
	w.initialized(withGrace)
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 2, at(0))
	w.acts(election.RequestedPreemption, b, at(1))
	w.do(func(tr kv.Transaction) error {
		begin, end := w.Subspace().Range()
		rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
		for _, row := range rows {
			if len(row.Value) > 0 {
				tr.Set(row.Key, subspace.AppendString(append([]byte(nil), row.Value...), "from the future"))
			}
		}
		return err
	})
	require.NoError(t, w.fenced(token))
	require.Equal(t, election.PreemptionRequest, w.acts(election.Renewed, a, at(2)).Request.Kind)
	require.Equal(t, []string{"b", "a"}, w.ids())
	require.Len(t, w.events(), 1)
}

func extremeClocks(t *testing.T, w *world) {
	w.initialized()
	a := w.join("a", 1, at(0))
	for _, year := range []int{-200_000, 1, 1800, 2200, 9999, 200_000} {
		now := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		result := w.acts(election.Claimed, a, now)
		require.Equal(t, result.Leader, w.leader())
		require.True(t, result.Leader.LeaseExpiry.After(result.Leader.AcquiredAt))
		require.NoError(t, w.try(func(tr kv.Transaction) error { return w.ResignLeadership(tr, result.Leader.Token(), now) }))
	}
}
