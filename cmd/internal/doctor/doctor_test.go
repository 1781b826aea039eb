package doctor

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// examined returns what doctor finds in a database, and its exit code.
func examined(t *testing.T, db kv.Database, args ...string) (d diagnosis, code int) {
	t.Helper()
	stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, append([]string{"doctor", "--output", "json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(stdout), &d), "%s %s", stdout, stderr)
	for _, f := range d.Findings {
		t.Logf("%-5s %-10s %s", f.Level, f.Check, f.Found)
		require.Equal(t, f.Level != levelOK, f.Means != "", "%+v", f)
		if f.Level != levelOK {
			require.NotEmpty(t, f.Do, "%+v", f)
		}
	}
	return d, exit.Code(err)
}

// of returns the findings of a check, each after its level.
func (d *diagnosis) of(check string) (all []string) {
	for _, f := range d.Findings {
		if f.Check == check {
			all = append(all, string(f.Level)+" "+f.Found)
		}
	}
	return all
}

func TestDoctorOfAHealthyElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := clitest.NewCompany(t)
		_, leaveAsh := world.Enter("ash", 0)
		world.Pass(time.Second)
		_, leaveElm := world.Enter("elm", 0)
		world.Pass(5 * time.Second)
		for _, args := range [][]string{nil, {"--quick"}} {
			begin := time.Now()
			d, code := examined(t, world.DB, args...)
			require.Equal(t, exit.CodeDone, code)
			require.Zero(t, d.Failures)
			require.Contains(t, d.of("leader")[0], "ok ash#")
			require.Equal(t, []string{"ok 2 voters alive, of 2 candidates"}, d.of("candidates"))
			require.Equal(t, []string{"ok terms 1 to 1 without a gap"}, d.of("history"))
			require.Equal(t, []string{"ok there is no request"}, d.of("request"))
			if args == nil {
				require.Contains(t, d.of("leader")[0], "renews: term 1")
				require.Contains(t, strings.Join(d.of("clock"), "\n"), "fresh timestamps of others are within")
				require.Less(t, time.Since(begin), 3*time.Second, "a second for the versions, one for the heartbeat")
			} else {
				require.Zero(t, time.Since(begin), "it does not wait")
			}
		}
		leaveElm()
		leaveAsh()
	})
}

// TestDoctorOfADeadLeader: doctor distinguishes a dead leader from one that renews, and names
// the other candidates that died.
func TestDoctorOfADeadLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := clitest.NewCompany(t)
		ash, _ := world.Enter("ash", 0)
		world.Pass(time.Second)
		elm, _ := world.Enter("elm", 0)
		world.Pass(5 * time.Second)
		ash.Abandon()
		elm.Abandon()
		d, code := examined(t, world.DB)
		require.Equal(t, exit.CodeDone, code, "its lease has not expired yet")
		require.Contains(t, d.of("leader")[0], "warn ash#")
		world.Pass(10 * time.Second)
		d, code = examined(t, world.DB)
		require.Equal(t, exit.CodeFailure, code)
		require.Contains(t, d.of("leader")[0], "fail ash#")
		require.Len(t, d.of("candidates"), 2)
		require.Regexp(t, "^warn 2 candidates sent no heartbeat for 2.0s: ash#.*, elm#", d.of("candidates")[0])
		require.Equal(t, "warn 0 voters alive, of 2 candidates", d.of("candidates")[1])
		d, code = examined(t, world.DB, "--quick")
		require.Equal(t, exit.CodeDone, code, "a wall clock alone proves nothing")
		require.Contains(t, d.of("leader")[0], "warn the lease of ash#")
	})
}

// TestDoctorOfUnreadableRecords: each record that cannot be read is named and does not hide
// the others.
func TestDoctorOfUnreadableRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memkv.New(memkv.Options{})
		e := election.New(subspace.New("fdbelection", "default"))
		spoil := func(names ...string) {
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
				tr.Set(e.Subspace().Sub(names...).Bytes(), []byte("rubbish\x1b[2J"))
				return nil
			}))
		}
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			_, err := e.InitializeWithConfig(tr, fdbelection.DefaultConfig())
			return err
		}))
		spoil("candidates", "one")
		spoil("candidates", "two")
		d, code := examined(t, db, "--quick")
		require.Equal(t, exit.CodeFailure, code)
		require.Equal(t, 1, d.Failures)
		require.Regexp(t, "^fail 2 candidate records cannot be read: .*one.*, .*two", d.of("records")[0])
		for _, record := range []string{"config", "leader", "intent"} {
			spoil(record)
			d, code = examined(t, db, "--quick")
			require.Equal(t, exit.CodeFailure, code)
			require.Contains(t, strings.Join(d.of("records"), "\n"), record+" at key")
		}
		require.Equal(t, 4, d.Failures, "%v", d.of("records"))

		stdout, stderr, _ := execOn(t.Context(), clitest.Virtual{}, db, "doctor", "--quick")
		require.Equal(t, terminal.SafeLines(stdout+stderr), stdout+stderr)
		require.Contains(t, stdout, "means: ")
		require.Contains(t, stderr, "4 checks failed")
	})
}

// TestDoctorOfOddRecords: doctor finds what is unusual in records that can be read.
func TestDoctorOfOddRecords(t *testing.T) {
	ash := election.Registration{Identity: election.Identity{ID: "ash", Incarnation: uuid.UUID{1}}}
	observer := election.Registration{Identity: election.Identity{ID: "owl", Incarnation: uuid.UUID{2}}, Role: election.Observer}
	seen := func() election.CycleOption { return election.WithObservation(election.Observation{}, time.Now()) }
	claim := func(e *election.LeaderElection, tr kv.Transaction) error {
		_, err := e.TryClaimLeadership(tr, ash.Identity, time.Now(), seen())
		return err
	}
	clearKey := func(names ...string) func(e *election.LeaderElection, tr kv.Transaction) error {
		return func(e *election.LeaderElection, tr kv.Transaction) error {
			begin, end := e.Subspace().Sub(names...).Range()
			tr.ClearRange(begin, end)
			tr.Clear(e.Subspace().Sub(names...).Bytes())
			return nil
		}
	}
	var past []byte
	keepTerm := func(e *election.LeaderElection, tr kv.Transaction) (err error) {
		past, err = tr.Get(e.Subspace().Sub("term").Bytes()).Get()
		return err
	}
	restoreTerm := func(e *election.LeaderElection, tr kv.Transaction) error {
		tr.Set(e.Subspace().Sub("term").Bytes(), past)
		return nil
	}
	for name, c := range map[string]struct {
		config func(c *fdbelection.Config)
		me     election.Registration
		ahead  time.Duration // of ash's clock
		do     []func(e *election.LeaderElection, tr kv.Transaction) error
		quick  bool
		check  string
		want   []string // parts of the findings, in order
		remedy string   // part of what to do about the last finding
		code   int
	}{
		"a config with every risk": {
			config: func(c *fdbelection.Config) {
				c.Expiry, c.PreemptionGrace, c.HistoryLimit = fdbelection.ExpiryByClock, 0, 0
				c.HeartbeatInterval, c.CandidateTimeout, c.Margin = 8*time.Second, 9*time.Second, time.Millisecond
			},
			me: ash, quick: true, check: "config",
			want: []string{"warn expiry by clock", "warn preemption without a grace", "warn heartbeat 8s", "warn margin 1ms", "warn candidate timeout 9s", "warn no history"},
		},
		"disabled":                 {config: func(c *fdbelection.Config) { c.ElectionEnabled = false }, me: ash, check: "config", want: []string{"warn the election is disabled"}},
		"no candidate":             {me: election.Registration{}, quick: true, check: "candidates", want: []string{"warn no candidate is registered"}},
		"observers only":           {me: observer, quick: true, check: "candidates", want: []string{"fail all candidates are observers"}, code: 1},
		"no successor":             {me: ash, quick: true, check: "candidates", want: []string{"warn 1 voter alive, of 1 candidate"}},
		"a vacancy without voters": {me: observer, check: "leader", want: []string{"warn leadership is vacant", "fail leadership stayed vacant for"}, code: 1},
		"a vacancy without a claim": {
			me: ash, check: "leader", want: []string{"fail leadership stayed vacant for "}, code: 1,
		},
		"a clock that is ahead": {
			me: ash, ahead: time.Hour, quick: true, check: "clock", want: []string{"warn the clock of ash is at least 1h0m0s ahead"},
		},
		"a clock that is ahead, with expiry by clock": {
			config: func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByClock },
			me:     ash, ahead: time.Hour, quick: true, check: "clock", want: []string{"fail the clock of ash is at least 1h0m0s ahead"}, code: 1,
		},
		"an old timestamp does not show a clock that is behind": {
			me: ash, ahead: -time.Hour, quick: true, check: "clock", want: []string{"ok no timestamp is in the future"},
		},
		"a rank that is missing": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{clearKey("rank")}, quick: true,
			check: "records", want: []string{"ok config", "warn the rank of ash#"},
		},
		"a rank without a candidate": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{clearKey("candidates", "ash")}, quick: true,
			check: "records", want: []string{"ok config", "warn there is a rank of ash"},
		},
		"a leader that was evicted": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, clearKey("candidates", "ash"), clearKey("rank")}, quick: true,
			check: "records", want: []string{"ok config", "warn the leader ash#"},
		},
		"a term record that was removed": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, clearKey("term")}, quick: true,
			check: "records", want: []string{"ok config", "fail the leader record says ash#01000000 in term 1"}, remedy: `"fdbelect repair" writes the term record`, code: 1,
		},
		"a term record of the past": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, keepTerm, resign, restoreTerm}, quick: true,
			check: "records", want: []string{"ok config", "fail the leader record says vacant in term 1"}, remedy: `"fdbelect raise-term --floor 2 --force"`, code: 1,
		},
		"a history that was removed": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, clearKey("history")}, quick: true,
			check: "history", want: []string{"warn the newest event is of term 0, and the leader record is of term 1"},
		},
		"a gap": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, resign, claim, resign, claim, resign, dropTerm(2)}, quick: true,
			check: "history", want: []string{"warn terms 2 to 2 are missing"},
		},
		"a term that was raised": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, resign, raise, claim}, quick: true,
			check: "history", want: []string{"ok terms 1 to 101 without a gap"},
		},
		"a request on which the leader does not act": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, askToResign},
			check: "request", want: []string{"warn resign in term 1 did not change"},
		},
		"a request that was not observed": {
			me: ash, do: []func(*election.LeaderElection, kv.Transaction) error{claim, askToResign}, quick: true,
			check: "request", want: []string{"ok resign in term 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := memkv.New(memkv.Options{})
				e := election.New(subspace.New("fdbelection", "default"))
				config := fdbelection.DefaultConfig()
				if c.config != nil {
					c.config(&config)
				}
				require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
					if _, err := e.InitializeWithConfig(tr, config); err != nil || c.me.ID == "" {
						return err
					}
					return e.RegisterCandidate(tr, c.me, time.Now().Add(c.ahead))
				}))
				for _, do := range c.do {
					require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { return do(e, tr) }))
				}
				var args []string
				if c.quick {
					args = []string{"--quick"}
				}
				d, code := examined(t, db, args...)
				require.Equal(t, c.code, code)
				var remedy string
				for _, f := range d.Findings {
					if f.Check == c.check {
						remedy = f.Do
					}
				}
				require.Contains(t, remedy, c.remedy)
				got := d.of(c.check)
				require.Len(t, got, len(c.want), "%v", got)
				for i, want := range c.want {
					require.True(t, strings.HasPrefix(got[i], want), "%s: %v", want, got)
				}
			})
		})
	}
}

func resign(e *election.LeaderElection, tr kv.Transaction) error {
	l, err := e.GetLeaderRaw(tr)
	if err != nil {
		return err
	}
	return e.ResignLeadership(tr, l.Token(), time.Now())
}

func raise(e *election.LeaderElection, tr kv.Transaction) error {
	_, err := e.RaiseTerm(tr, 100, time.Now())
	return err
}

func askToResign(e *election.LeaderElection, tr kv.Transaction) error {
	return e.RequestResign(tr, 1, uuid.UUID{7})
}

func dropTerm(term uint64) func(*election.LeaderElection, kv.Transaction) error {
	return func(e *election.LeaderElection, tr kv.Transaction) error {
		of, err := e.Subspace().Sub("history").SubTuple(subspace.Tuple{subspace.Uint(term)})
		if err != nil {
			return err
		}
		begin, end := of.Range()
		tr.ClearRange(begin, end)
		return nil
	}
}
