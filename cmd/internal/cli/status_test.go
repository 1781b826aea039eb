package cli

import (
	"context"
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

// TestStatusWait: the answer is a leader that a renewal has shown to be alive, and not one that a
// read has seen displaced. If there is none in time, the status that was read last is shown.
func TestStatusWait(t *testing.T) {
	renews := func(m *clitest.Manual) { m.Claims(m.One, time.Now()) }
	vacates := func(m *clitest.Manual) {
		m.Does(func(tr kv.Transaction) error { return m.ResignLeadership(tr, m.Leader().Token(), time.Now()) })
	}
	type act struct {
		after time.Duration
		does  func(m *clitest.Manual)
	}
	for name, test := range map[string]struct {
		does   func(m *clitest.Manual)
		acts   []act
		code   int
		leader string
		took   time.Duration // to within an interval between two reads
		says   string
	}{
		"a leader that renews":    {does: led, acts: []act{{time.Second, renews}}, leader: "one", took: time.Second},
		"a leader that does not":  {does: led, code: exit.CodeTimedOut, leader: "one", took: 4 * time.Second, says: "no settled leader within 4s: one#01000000 holds leadership in term 1 and may be dead"},
		"a vacancy":               {does: func(*clitest.Manual) {}, code: exit.CodeTimedOut, took: 4 * time.Second, says: "no settled leader within 4s: leadership is vacant"},
		"a claim":                 {does: func(*clitest.Manual) {}, acts: []act{{time.Second, renews}}, leader: "one", took: time.Second},
		"not accepted":            {does: handed, code: exit.CodeTimedOut, leader: "two", took: 4 * time.Second, says: "two#02000000 was handed leadership in term 2 and has not accepted it yet"},
		"accepted":                {does: handed, acts: []act{{time.Second, func(m *clitest.Manual) { m.Claims(m.Two, time.Now()) }}}, leader: "two", took: time.Second},
		"displaced before a read": {does: led, acts: []act{{1100 * time.Millisecond, func(m *clitest.Manual) { renews(m); vacates(m) }}, {2 * time.Second, func(m *clitest.Manual) { m.Claims(m.Two, time.Now()) }}}, leader: "two", took: 2 * time.Second},
		"by clock, a live leader": {does: func(m *clitest.Manual) { byClock(m); led(m) }, leader: "one"},
		"by clock, a dead leader": {does: func(m *clitest.Manual) { byClock(m); m.Claims(m.One, time.Now().Add(-10*time.Second)) }, code: exit.CodeTimedOut, leader: "one", took: 4 * time.Second, says: "the lease of one#01000000 has expired by the local clock"},
		"a damaged leader record": {does: damaged("leader"), code: exit.CodeFailure, says: "leader"},
		"a record that is missing": {does: func(m *clitest.Manual) {
			led(m)
			m.Does(func(tr kv.Transaction) error { tr.Clear(m.Subspace().Sub("leader").Bytes()); return nil })
		}, code: exit.CodeFailure, took: 4 * time.Second, says: "is missing although a term record stands"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := clitest.NewManual(t)
				test.does(m)
				for _, a := range test.acts {
					time.AfterFunc(a.after, func() { a.does(m) })
				}
				begin := time.Now()
				stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, m, "status", "--wait", "--timeout", "4s", "-o", "json")
				require.Equal(t, test.code, exit.Code(err), "%s%s", stdout, stderr)
				require.Contains(t, stderr, test.says)
				require.InDelta(t, test.took, time.Since(begin), float64(waitInterval))
				if stdout == "" {
					return
				}
				var s struct {
					Leader  *struct{ ID string }
					Settled bool
					Waited  float64 `json:"waited_seconds"`
				}
				require.NoError(t, json.Unmarshal([]byte(stdout), &s))
				require.Equal(t, test.code == exit.CodeDone, s.Settled)
				require.InDelta(t, time.Since(begin).Seconds(), s.Waited, 0.001)
				require.Equal(t, test.leader != "", s.Leader != nil)
				if s.Leader != nil {
					require.Equal(t, test.leader, s.Leader.ID)
				}
			})
		})
	}
}

func byClock(m *clitest.Manual) {
	m.Does(func(tr kv.Transaction) error {
		config, err := m.ReadConfig(tr)
		if err != nil {
			return err
		}
		config.Expiry = fdbelection.ExpiryByClock
		_, err = m.WriteConfig(tr, config)
		return err
	})
}

// TestStatusWaitReadsAgain: if the leader is displaced between the answer and the status that is
// shown, the wait goes on.
func TestStatusWaitReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		led(m)
		time.AfterFunc(time.Second, func() { m.Claims(m.One, time.Now()) })
		db := displacing{m.Database, func(reads int) {
			if reads == 1 {
				m.Does(func(tr kv.Transaction) error { return m.ResignLeadership(tr, m.Leader().Token(), time.Now()) })
				time.AfterFunc(time.Second, func() { m.Claims(m.Two, time.Now()) })
			}
		}, new(int)}
		stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, "status", "--wait", "--timeout", "10s")
		require.NoError(t, err, stderr)
		require.Contains(t, stdout, "leader    two#02000000")
	})
}

// displacing calls before each read of the status that is shown.
type displacing struct {
	kv.Database
	before func(reads int)
	reads  *int
}

func (d displacing) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	*d.reads++
	d.before(*d.reads)
	return d.Database.ReadTransact(ctx, fn)
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
