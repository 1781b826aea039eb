package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// hostClock is the wall clock of a candidate's host.
type hostClock func(now time.Time) time.Time

// electionWithClocks creates an election whose candidates only send heartbeats, each by a
// wall clock of its own. Dead candidates sent one at the start.
func electionWithClocks(t *testing.T, clocks map[string]hostClock, dead ...string) kv.Database {
	t.Helper()
	db := memkv.New(memkv.Options{})
	e := election.New(subspace.New("fdbelection", "default"))
	does := func(fn func(tr kv.Transaction) error) {
		require.NoError(t, db.Transact(t.Context(), fn))
	}
	does(func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err })
	for id, stands := range clocks {
		me := election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
		does(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, stands(time.Now())) })
		if strings.Contains(strings.Join(dead, " "), id) {
			continue
		}
		go func() {
			for clock.Sleep(t.Context(), clitest.Virtual{}, 5*time.Second) == nil { // a third of the candidate timeout
				_ = db.Transact(t.Context(), func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, stands(time.Now())) })
			}
		}()
	}
	return db
}

// wrongClocks returns the clocks of six candidates, two of which are dead.
func wrongClocks() (map[string]hostClock, []string) {
	stopped := time.Now()
	return map[string]hostClock{
		"right":   func(now time.Time) time.Time { return now },
		"behind":  func(now time.Time) time.Time { return now.Add(-time.Hour) },
		"ahead":   func(now time.Time) time.Time { return now.Add(time.Hour) },
		"stopped": func(time.Time) time.Time { return stopped },
		"late":    func(now time.Time) time.Time { return now },                       // dead
		"future":  func(now time.Time) time.Time { return now.Add(1000 * time.Hour) }, // dead
	}, []string{"late", "future"}
}

// TestClocksDoNotDecideWhoIsAlive: a candidate whose heartbeats change is alive, whatever
// its wall clock says. A candidate whose heartbeats do not change is not.
func TestClocksDoNotDecideWhoIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clocks, dead := wrongClocks()
		db := electionWithClocks(t, clocks, dead...)
		require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, time.Hour+time.Second))

		d, code := examined(t, db)
		require.Equal(t, exit.CodeFailure, code, "the leadership is vacant")
		require.Regexp(t, `^warn 2 candidates sent no heartbeat for 10\.\ds: (late|future)#.*, (late|future)#[0-9a-f]+$`, strings.Join(d.of("candidates"), "\n"))
		all := strings.Join(d.of("clock"), "\n")
		require.Regexp(t, "warn 4 clocks differ from the local clock: ", all)
		require.NotContains(t, all, "right")
		require.NotContains(t, all, "late")
		for _, want := range []string{"behind 1h0m0s behind", "ahead 1h0m0s ahead", "stopped 1h0m", "future at least 998h"} {
			require.Contains(t, all, want)
		}
		for _, f := range d.Findings {
			if f.Check == "candidates" {
				require.Equal(t, 2, f.Count)
				require.ElementsMatch(t, dead, f.Subjects)
			}
		}

		begin := time.Now()
		stdout, _, err := execOn(t.Context(), clitest.Virtual{}, db, "candidates", "-o", "json")
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Since(begin), "two thirds of the candidate timeout")
		var list []struct {
			ID       string
			TimedOut *bool `json:"timed_out"`
		}
		require.NoError(t, json.Unmarshal([]byte(stdout), &list))
		require.Len(t, list, len(clocks))
		for _, c := range list {
			require.NotNil(t, c.TimedOut, c.ID)
			require.Equal(t, c.ID == "late" || c.ID == "future", *c.TimedOut, c.ID)
		}
		stdout, _, err = execOn(t.Context(), clitest.Virtual{}, db, "candidates")
		require.NoError(t, err)
		require.Regexp(t, `behind#.* now, its clock is 1h0m0s behind\n`, stdout)
		require.Regexp(t, `ahead#.* now, its clock is 1h0m0s ahead\n`, stdout)
		require.Regexp(t, `late#.* 1h0m\S+ ago, timed out\n`, stdout)
		require.Regexp(t, `future#.* in 998h\S+, timed out\n`, stdout)

		begin = time.Now()
		stdout, _, err = execOn(t.Context(), clitest.Virtual{}, db, "candidates", "--quick", "-o", "json")
		require.NoError(t, err)
		require.Zero(t, time.Since(begin))
		require.NoError(t, json.Unmarshal([]byte(stdout), &list))
		for _, c := range list {
			require.Equal(t, c.ID == "right", c.TimedOut != nil, "%s: the others were not judged", c.ID)
		}

		for _, id := range []string{"right", "behind", "ahead", "stopped"} {
			_, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, "unregister", id)
			require.Equal(t, exit.CodeFailure, exit.Code(err), id)
			require.Contains(t, stderr, "is alive: its record changed while it was watched")
		}
		for _, id := range dead {
			begin = time.Now()
			stdout, _, err := execOn(t.Context(), clitest.Virtual{}, db, "unregister", id)
			require.NoError(t, err)
			require.Contains(t, stdout, "removed "+id)
			require.Equal(t, 15*time.Second, time.Since(begin), "a whole candidate timeout")
		}
	})
}

// TestClocksDoNotDecideWhoMayLead: the target of a transfer is judged in the same way.
func TestClocksDoNotDecideWhoMayLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clocks, dead := wrongClocks()
		db := electionWithClocks(t, clocks, dead...)
		e := election.New(subspace.New("fdbelection", "default"))
		right, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) (election.Candidate, error) { return e.GetCandidate(tr, "right") })
		require.NoError(t, err)
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			_, err := e.TryClaimLeadership(tr, right.Identity, time.Now(), election.WithObservation(election.Observation{}, time.Now()))
			return err
		}))
		require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, time.Hour))
		for id := range clocks {
			_, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, "transfer", "--to", id, "--timeout", "1s")
			switch id {
			case "right":
			case "late", "future":
				require.Equal(t, exit.CodeFailure, exit.Code(err), stderr)
				require.Contains(t, stderr, "looks dead: it sent no heartbeat for 10s")
			default:
				require.Equal(t, exit.CodeTimedOut, exit.Code(err), "the request was written, and no leader acts on it: %s", stderr)
			}
		}
	})
}

// TestSlowStoresJudgeNoCandidate: while the store is slow, no candidate is judged as timed
// out.
func TestSlowStoresJudgeNoCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clocks, dead := wrongClocks()
		db := clitest.Slow(electionWithClocks(t, clocks, dead...), 600*time.Millisecond)
		require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, time.Hour))
		stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, "candidates")
		require.NoError(t, err)
		require.Contains(t, stderr, "is slow: a read took 600ms; no candidate is judged as timed out")
		require.NotContains(t, stdout, ", timed out")
		for _, args := range [][]string{{"unregister", "late"}, {"evict"}} {
			_, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, args...)
			require.Equal(t, exit.CodeFailure, exit.Code(err))
			require.Contains(t, stderr, "is slow: a read took 600ms")
			require.Contains(t, stderr, "nothing was changed")
		}
	})
}

// TestClockThatIsAlmostRight: a clock that is ahead by less than the tolerance is not
// mentioned.
func TestClockThatIsAlmostRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := electionWithClocks(t, map[string]hostClock{
			"near": func(now time.Time) time.Time { return now.Add(900 * time.Millisecond) },
			"far":  func(now time.Time) time.Time { return now.Add(1100 * time.Millisecond) },
		})
		stdout, _, err := execOn(t.Context(), clitest.Virtual{}, db, "candidates", "--quick")
		require.NoError(t, err)
		require.Regexp(t, `near#.* 0s ago\n`, stdout)
		require.Regexp(t, `far#.* in 1\.1s by its clock\n`, stdout)
	})
}
