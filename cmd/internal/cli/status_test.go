package cli

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestStatusCheck: one read says by the exit code whether there is a leader now.
func TestStatusCheck(t *testing.T) {
	for name, test := range map[string]struct {
		does func(m *clitest.Manual)
		code int
		says string
	}{
		"none yet":      {func(*clitest.Manual) {}, exit.CodeNotLeader, "no candidate leads"},
		"a leader":      {func(m *clitest.Manual) { m.Claims(m.One, time.Now()) }, exit.CodeDone, ""},
		"a late leader": {func(m *clitest.Manual) { m.Claims(m.One, time.Now().Add(-9*time.Second)) }, exit.CodeDone, ""},
		"a dead leader": {func(m *clitest.Manual) { m.Claims(m.One, time.Now().Add(-10*time.Second)) }, exit.CodeNotLeader, "the lease of one#01000000 expired 0s ago"},
		"a vacancy": {func(m *clitest.Manual) {
			m.Claims(m.One, time.Now())
			m.Does(func(tr kv.Transaction) error { return m.UnregisterCandidate(tr, m.One.Identity, time.Now()) })
		}, exit.CodeNotLeader, "no candidate leads"},
		"a candidate that has not taken it": {func(m *clitest.Manual) {
			m.Claims(m.One, time.Now())
			m.HandsOver(time.Now())
		}, exit.CodeNotLeader, "two#02000000 was handed leadership, and has not accepted it yet"},
		"a candidate that has": {func(m *clitest.Manual) {
			m.Claims(m.One, time.Now())
			m.HandsOver(time.Now())
			m.Claims(m.Two, time.Now())
		}, exit.CodeDone, ""},
		"a clock that is a little ahead": {func(m *clitest.Manual) { m.Claims(m.One, time.Now().Add(time.Second)) }, exit.CodeDone, ""},
		"a clock that is ahead": {
			func(m *clitest.Manual) { m.Claims(m.One, time.Now().Add(time.Hour)) }, exit.CodeFailure,
			`the clock of one#01000000 is at least 1h0m0s ahead of the local clock, so one read cannot tell`,
		},
		"a lost record": {func(m *clitest.Manual) {
			m.Claims(m.One, time.Now())
			m.Does(func(tr kv.Transaction) error { tr.Clear(m.Subspace().Sub("leader").Bytes()); return nil })
		}, exit.CodeFailure, "is missing although a term record stands"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := clitest.NewManual(t)
				test.does(m)
				begin := time.Now()
				stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, m, "status", "--check")
				require.Equal(t, test.code, exit.Code(err), "%s%s", stdout, stderr)
				require.Contains(t, stderr, test.says)
				require.Contains(t, stdout, "leader ")
				require.Zero(t, time.Since(begin), "it does not wait")
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		_, _, err := execOn(t.Context(), clitest.Virtual{}, memkv.New(memkv.Options{}), "status", "--check")
		require.Equal(t, exit.CodeFailure, exit.Code(err))
		require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	})
}

// TestStatusAndHistoryAgree: a tenure began when the history says so, even if its leader
// accepted later, by another clock, or wrote its lost record again.
func TestStatusAndHistoryAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		m.Claims(m.One, time.Now())
		m.HandsOver(time.Now().Add(-time.Hour))
		agree := func() {
			t.Helper()
			var s struct{ Tenure struct{ Since time.Time } }
			var h []struct{ Time time.Time }
			for command, into := range map[string]any{"status": &s, "history": &h} {
				stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, m, command, "-o", "json")
				require.NoError(t, err, stderr)
				require.NoError(t, json.Unmarshal([]byte(stdout), into))
			}
			require.NotZero(t, s.Tenure.Since)
			require.Equal(t, h[0].Time, s.Tenure.Since)
			status, _, err := execOn(t.Context(), clitest.Virtual{}, m, "status")
			require.NoError(t, err)
			require.Contains(t, status, "\nsince     "+s.Tenure.Since.Format(output.TimeLayout))
		}
		agree()
		m.Claims(m.Two, time.Now().Add(time.Minute))
		agree()
		m.Does(func(tr kv.Transaction) error { tr.Clear(m.Subspace().Sub("leader").Bytes()); return nil })
		m.Claims(m.Two, time.Now())
		agree()
	})
}
