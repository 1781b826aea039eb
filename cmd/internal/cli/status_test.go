package cli

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

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
