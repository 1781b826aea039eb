package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// manual is an election whose candidates act when the test says so, by any clock.
type manual struct {
	t *testing.T
	kv.Database
	*election.LeaderElection
	one, two election.Registration
}

func newManual(t *testing.T) *manual {
	t.Helper()
	m := &manual{
		t: t, Database: memkv.New(memkv.Options{}), LeaderElection: election.New(subspace.New("fdbelection", "default")),
		one: election.Registration{Identity: election.Identity{ID: "one", Incarnation: uuid.UUID{1}}},
		two: election.Registration{Identity: election.Identity{ID: "two", Incarnation: uuid.UUID{2}}},
	}
	m.does(func(tr kv.Transaction) error { _, err := m.Initialize(tr); return err })
	for _, me := range []election.Registration{m.one, m.two} {
		m.does(func(tr kv.Transaction) error { return m.RegisterCandidate(tr, me, time.Now()) })
	}
	return m
}

func (m *manual) does(fn func(tr kv.Transaction) error) {
	m.t.Helper()
	require.NoError(m.t, m.Transact(m.t.Context(), fn))
}

// claims has a candidate claim, or renew, by a clock that says now.
func (m *manual) claims(me election.Registration, now time.Time) {
	m.t.Helper()
	m.does(func(tr kv.Transaction) error {
		_, err := m.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		return err
	})
}

func (m *manual) leader() election.LeaderRecord {
	m.t.Helper()
	l, err := kv.ReadTransact(m.t.Context(), m.Database, m.GetLeaderRaw)
	require.NoError(m.t, err)
	return l
}

// handsOver has the first hand over to the second, by a clock that says now.
func (m *manual) handsOver(now time.Time) {
	m.t.Helper()
	token := m.leader().Token()
	m.does(func(tr kv.Transaction) error {
		_, err := m.TransferLeadership(tr, token, "two", uuid.UUID{9}, now)
		return err
	})
}

// One read answers whether there is a leader now, by the exit code.
func TestStatusCheck(t *testing.T) {
	for name, test := range map[string]struct {
		does func(m *manual)
		code int
		says string
	}{
		"none yet":      {func(*manual) {}, exitNotLeader, "no candidate leads"},
		"a leader":      {func(m *manual) { m.claims(m.one, time.Now()) }, exitDone, ""},
		"a late leader": {func(m *manual) { m.claims(m.one, time.Now().Add(-9*time.Second)) }, exitDone, ""},
		"a dead leader": {func(m *manual) { m.claims(m.one, time.Now().Add(-10*time.Second)) }, exitNotLeader, "the lease of one#01000000 is over for 0s"},
		"a vacancy": {func(m *manual) {
			m.claims(m.one, time.Now())
			m.does(func(tr kv.Transaction) error { return m.UnregisterCandidate(tr, m.one.Identity, time.Now()) })
		}, exitNotLeader, "no candidate leads"},
		"a candidate that has not taken it": {func(m *manual) {
			m.claims(m.one, time.Now())
			m.handsOver(time.Now())
		}, exitNotLeader, "two#02000000 was handed the leadership, and has not taken it yet"},
		"a candidate that has": {func(m *manual) {
			m.claims(m.one, time.Now())
			m.handsOver(time.Now())
			m.claims(m.two, time.Now())
		}, exitDone, ""},
		"a clock that is a little ahead": {func(m *manual) { m.claims(m.one, time.Now().Add(time.Second)) }, exitDone, ""},
		"a clock that is ahead": {
			func(m *manual) { m.claims(m.one, time.Now().Add(time.Hour)) }, exitFailure,
			`the clock of one#01000000 is at least 1h0m0s ahead of the one here, so one read cannot tell`,
		},
		"a lost record": {func(m *manual) {
			m.claims(m.one, time.Now())
			m.does(func(tr kv.Transaction) error { tr.Clear(m.Subspace().Sub("leader").Bytes()); return nil })
		}, exitFailure, "is missing although a term record stands"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManual(t)
				test.does(m)
				begin := time.Now()
				stdout, stderr, err := execOn(t.Context(), Virtual{}, m, "status", "--check")
				require.Equal(t, test.code, ExitCode(err), "%s%s", stdout, stderr)
				require.Contains(t, stderr, test.says)
				require.Contains(t, stdout, "leader ")
				require.Zero(t, time.Since(begin), "it does not wait")
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		_, _, err := execOn(t.Context(), Virtual{}, memkv.New(memkv.Options{}), "status", "--check")
		require.Equal(t, exitFailure, ExitCode(err))
		require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	})
}

// A tenure began when the history says so, although its leader has accepted it later, by
// another clock, or has written its lost record again.
func TestStatusAndHistoryAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManual(t)
		m.claims(m.one, time.Now())
		m.handsOver(time.Now().Add(-time.Hour))
		agree := func() {
			t.Helper()
			var s struct{ Tenure struct{ Since time.Time } }
			var h []struct{ Time time.Time }
			for command, into := range map[string]any{"status": &s, "history": &h} {
				stdout, stderr, err := execOn(t.Context(), Virtual{}, m, command, "-o", "json")
				require.NoError(t, err, stderr)
				require.NoError(t, json.Unmarshal([]byte(stdout), into))
			}
			require.NotZero(t, s.Tenure.Since)
			require.Equal(t, h[0].Time, s.Tenure.Since)
			status, _, err := execOn(t.Context(), Virtual{}, m, "status")
			require.NoError(t, err)
			require.Contains(t, status, "\nsince     "+s.Tenure.Since.Format(timeLayout))
		}
		agree()
		m.claims(m.two, time.Now().Add(time.Minute))
		agree()
		m.does(func(tr kv.Transaction) error { tr.Clear(m.Subspace().Sub("leader").Bytes()); return nil })
		m.claims(m.two, time.Now())
		agree()
	})
}

// A watch ends with the line that matches, and prints none after it.
func TestUntilEndsWithTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManual(t)
		m.claims(m.one, time.Now())
		for until, last := range map[string]string{"event=looking": "event=looking", "candidate=one": "candidate=one", "candidate=": "candidate=one", "candidate=two": "candidate=two"} {
			stdout, _, err := execOn(t.Context(), Virtual{}, m, "watch", "--until", until, "--for", "1m")
			require.NoError(t, err)
			lines := strings.Split(strings.TrimSpace(stdout), "\n")
			require.Contains(t, lines[len(lines)-1], last)
			for _, line := range lines[:len(lines)-1] {
				require.NotContains(t, line, until)
			}
		}
	})
}

// The record of a leader that died is no leader, whatever it says of its lease.
func TestUntilLeaderNeedsOneThatWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManual(t)
		m.claims(m.one, time.Now().Add(time.Hour)) // by its clock the lease is good
		_, stderr, err := execOn(t.Context(), Virtual{}, m, "watch", "--until", "leader", "--for", "1m")
		require.Equal(t, exitTimedOut, ExitCode(err), stderr)

		begin, token := time.Now(), m.leader().Token()
		timer := time.AfterFunc(3*time.Second, func() {
			_ = m.Transact(t.Context(), func(tr kv.Transaction) error {
				_, err := m.RefreshLease(tr, token, time.Now().Add(time.Hour))
				return err
			})
		})
		defer timer.Stop()
		_, stderr, err = execOn(t.Context(), Virtual{}, m, "watch", "--until", "leader", "--for", "1m")
		require.NoError(t, err, stderr)
		require.InDelta(t, 3, time.Since(begin).Seconds(), 1.1, "with its first renewal that is seen")
	})
	// A renewal that came while the store was away may be older than the lease.
	var l life
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	seat := election.LeaderRecord{Identity: election.Identity{ID: "a"}, Ballot: 1, Accepted: true, LeaseDuration: 10 * time.Second}
	require.False(t, l.shown(seat, at(0)))
	seat.Ballot++
	require.False(t, l.shown(seat, at(10)))
	seat.Ballot++
	require.True(t, l.shown(seat, at(19)))
	seat.Ballot++
	seat.Accepted = false
	require.False(t, l.shown(seat, at(20)))
}
