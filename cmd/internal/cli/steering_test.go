package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// desk is a store in the memory of the test, with an election whose candidates do what the
// test says.
type desk struct {
	t *testing.T
	kv.Database
	*election.LeaderElection
	// before runs before each transaction that may write, if it is not nil.
	before func()
	// beforeRead runs before each transaction that only reads.
	beforeRead func()
	// twice runs every such transaction again after it was committed, as after a lost
	// answer.
	twice bool
	// conflict runs once, after an attempt of such a transaction that was not committed.
	// The next attempt sees what it did.
	conflict func()
}

// errConflict keeps an attempt from being committed.
var errConflict = errors.New("conflict")

func newDesk(t *testing.T) *desk {
	t.Helper()
	return &desk{
		t: t, Database: memkv.New(memkv.Options{}),
		LeaderElection: election.New(subspace.New("fdbelection", "default")),
	}
}

func (d *desk) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if d.before != nil {
		d.before()
	}
	if conflict := d.conflict; conflict != nil {
		d.conflict = nil
		_ = d.Database.Transact(ctx, func(tr kv.Transaction) error { return errors.Join(fn(tr), errConflict) })
		conflict()
	}
	err := d.Database.Transact(ctx, fn)
	if err == nil && d.twice {
		err = d.Database.Transact(ctx, fn)
	}
	return err
}

func (d *desk) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if d.beforeRead != nil {
		d.beforeRead()
	}
	return d.Database.ReadTransact(ctx, fn)
}

// does runs fn in a transaction that must succeed, without the hooks of d.
func (d *desk) does(fn func(tr kv.Transaction) error) {
	d.t.Helper()
	require.NoError(d.t, d.Database.Transact(d.t.Context(), fn))
}

// made creates the election, with a leader in term 1 and another candidate.
func (d *desk) made() (leader, other election.Registration) {
	d.t.Helper()
	leader, other = d.member("leader"), d.member("other")
	d.does(func(tr kv.Transaction) error { _, err := d.Initialize(tr); return err })
	for _, me := range []election.Registration{leader, other} {
		d.does(func(tr kv.Transaction) error { return d.RegisterCandidate(tr, me, time.Now()) })
	}
	d.does(func(tr kv.Transaction) error {
		_, err := d.TryClaimLeadership(tr, leader.Identity, time.Now())
		return err
	})
	return leader, other
}

// hurries shortens the candidate timeout, so that a candidate times out soon.
func (d *desk) hurries() {
	d.t.Helper()
	d.does(func(tr kv.Transaction) error {
		c, err := d.ReadConfig(tr)
		c.HeartbeatInterval, c.CandidateTimeout = time.Millisecond, 50*time.Millisecond
		if err == nil {
			_, err = d.WriteConfig(tr, c)
		}
		return err
	})
}

func (*desk) member(id string) election.Registration {
	return election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
}

func (d *desk) state() election.Status {
	d.t.Helper()
	state, err := kv.ReadTransact(d.t.Context(), d.Database, d.ReadStatus)
	require.NoError(d.t, err)
	return state
}

// runs runs a command on the desk's store.
func (d *desk) runs(args ...string) processtest.Outcome {
	return d.runsUntil(d.t.Context(), args...)
}

func (d *desk) runsUntil(ctx context.Context, args ...string) processtest.Outcome {
	var stdout, stderr bytes.Buffer
	err := cli.Exec(ctx, append(args, "--store", "desk:"), strings.NewReader(""), &stdout, &stderr, session.Store{
		Scheme: "desk",
		Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
			return d, io.NopCloser(nil), nil
		},
	})
	return processtest.Outcome{Code: exit.Code(err), Stdout: stdout.String(), Stderr: stderr.String()}
}

// atOnce runs several commands at the same time, and returns how each ended as soon as it
// has.
func (d *desk) atOnce(commands ...[]string) <-chan processtest.Outcome {
	ended := make(chan processtest.Outcome, len(commands))
	begin := make(chan struct{})
	for _, args := range commands {
		go func() {
			<-begin
			ended <- d.runs(args...)
		}()
	}
	close(begin)
	return ended
}

const operators = 6

func each(args func(i int) []string) (commands [][]string) {
	for i := range operators {
		commands = append(commands, args(i))
	}
	return commands
}

// TestOneOperatorCreatesTheElection: if several operators run init with different leases,
// one of them creates the election.
func TestOneOperatorCreatesTheElection(t *testing.T) {
	d := newDesk(t)
	ended := d.atOnce(each(func(i int) []string { return []string{"init", "--lease", fmt.Sprintf("%ds", i+1)} })...)
	made := 0
	for range operators {
		switch o := <-ended; o.Code {
		case 0:
			made++
			require.Contains(t, o.Stdout, "created election default")
		default:
			require.Equal(t, 1, o.Code, o.Stderr)
			require.Contains(t, o.Stderr, "exists already, and differs: lease is")
		}
	}
	require.Equal(t, 1, made)
	require.EqualValues(t, 1, d.state().Config.Revision)
}

// TestOneOperatorChangesARevision: if several operators change the same revision, one of
// them succeeds.
func TestOneOperatorChangesARevision(t *testing.T) {
	d := newDesk(t)
	d.made()
	ended := d.atOnce(each(func(i int) []string {
		return []string{"config", "set", "--revision", "1", fmt.Sprintf("minimum_tenure=%ds", i+1)}
	})...)
	var won string
	for range operators {
		switch o := <-ended; o.Code {
		case 0:
			require.Empty(t, won)
			won = o.Stdout
		default:
			require.Equal(t, 1, o.Code, o.Stderr)
			require.Contains(t, o.Stderr, "config was changed in the meantime")
		}
	}
	require.Contains(t, won, "10s -> "+d.state().Config.MinimumTenure.String())
	require.EqualValues(t, 2, d.state().Config.Revision)
}

// TestOperatorsChangeDifferentSettings: if operators give no revision, no change is lost.
func TestOperatorsChangeDifferentSettings(t *testing.T) {
	d := newDesk(t)
	d.made()
	sets := []string{"lease=30s", "heartbeat=4s", "candidate_timeout=1m", "preemption=false", "history_limit=9", "enabled=false"}
	ended := d.atOnce(each(func(i int) []string { return []string{"config", "set", sets[i]} })...)
	for range operators {
		o := <-ended
		require.Zero(t, o.Code, o.Stderr)
	}
	c := d.state().Config
	require.EqualValues(t, 1+operators, c.Revision)
	want := fdbelection.DefaultConfig()
	want.LeaseDuration, want.HeartbeatInterval, want.CandidateTimeout = 30*time.Second, 4*time.Second, time.Minute
	want.AllowPreemption, want.HistoryLimit, want.ElectionEnabled = false, 9, false
	require.True(t, c.SameSettings(want), "%+v", c)
}

// TestOneOperatorMakesARequest: if several operators make a request to the leader of one
// term, one of them succeeds.
func TestOneOperatorMakesARequest(t *testing.T) {
	for name, command := range map[string][]string{
		"resign": {"resign", "--timeout", "1m"}, "transfer": {"transfer", "--to", "other", "--timeout", "1m"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			_, other := d.made()
			seat := d.state().Leader
			ended := d.atOnce(each(func(i int) []string {
				if i%2 == 1 {
					return []string{"resign", "--timeout", "1m"}
				}
				return command
			})...)
			for range operators - 1 {
				o := <-ended
				require.Equal(t, 1, o.Code, o.Stdout)
				require.Contains(t, o.Stderr, "another request for this term is pending")
				require.Contains(t, o.Stderr, "--replace")
			}
			intent := d.state().Request
			d.does(func(tr kv.Transaction) error {
				if intent.Kind == election.ResignRequest {
					return d.ResignLeadership(tr, seat.Token(), time.Now())
				}
				_, _, err := d.HandOver(tr, seat.Token(), intent, time.Now())
				return err
			})
			if intent.Kind == election.TransferRequest { // the successor accepts
				d.does(func(tr kv.Transaction) error { _, err := d.RunElectionCycle(tr, other, time.Now()); return err })
			}
			o := <-ended
			require.Zero(t, o.Code, o.Stderr)
			require.Contains(t, o.Stdout, either(intent.Kind == election.ResignRequest, "term 1 of leader#", "other#"))
		})
	}
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// TestSteeringIsSafeToRunAgain: a command whose transaction runs again after a lost answer
// does and reports the same.
func TestSteeringIsSafeToRunAgain(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
		then func(t *testing.T, d *desk)
	}{
		{[]string{"config", "set", "lease=20s"}, "10s -> 20s", func(t *testing.T, d *desk) {
			require.EqualValues(t, 2, d.state().Config.Revision)
		}},
		{[]string{"config", "set", "--revision", "1", "lease=20s"}, "revision 2 is written", nil},
		{[]string{"config", "disable"}, "true -> false", nil},
		{[]string{"init", "--election", "new"}, "created election new", nil},
		{[]string{"resign", "--force", "--yes"}, "was forced to resign", func(t *testing.T, d *desk) {
			require.EqualValues(t, 2, d.state().Leader.Ballot)
		}},
		{[]string{"raise-term", "--floor", "9", "--force"}, "the term went from 1 to 9, the ballot from 1 to 9", nil},
		{[]string{"unregister", "--force", "other"}, "removed other#", nil},
		{[]string{"unregister", "--force", "leader"}, "and forced it to resign", func(t *testing.T, d *desk) {
			require.EqualValues(t, 2, d.state().Leader.Ballot)
		}},
		{[]string{"evict", "other"}, "evicted other#", nil},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.made()
			if test.args[0] == "evict" {
				d.hurries()
			}
			d.twice = true
			o := d.runs(test.args...)
			require.Zero(t, o.Code, o.Stderr)
			require.Contains(t, o.Stdout, test.says)
			if test.then != nil {
				test.then(t, d)
			}
		})
	}
}

// TestUnregisterIsAboutOneIncarnation: a candidate that sends a heartbeat or restarts
// while it is removed stays.
func TestUnregisterIsAboutOneIncarnation(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	d.hurries()
	old := time.Now().Add(-time.Hour)
	d.does(func(tr kv.Transaction) error { return d.HeartbeatCandidate(tr, other, old) })
	d.before = func() {
		d.before = nil
		d.does(func(tr kv.Transaction) error { return d.HeartbeatCandidate(tr, other, old) })
	}
	o := d.runs("unregister", "other")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "is alive: its record changed while it was watched")

	again := d.member("other")
	for _, force := range []string{"--force=false", "--force"} {
		d.before = func() {
			d.before = nil
			again.Incarnation = uuid.New()
			d.does(func(tr kv.Transaction) error { return d.RegisterCandidate(tr, again, old) })
		}
		o = d.runs("unregister", "other", force)
		require.Equal(t, 1, o.Code, o.Stdout)
		require.Contains(t, o.Stderr, "has restarted as "+again.Identity.String())
	}
	_, err := kv.ReadTransact(t.Context(), d.Database, func(tr kv.ReadTransaction) (election.Candidate, error) {
		return d.GetCandidate(tr, "other")
	})
	require.NoError(t, err)
}
