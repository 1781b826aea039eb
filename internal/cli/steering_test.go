package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// desk is where operators sit: a store in the memory of the test, an election
// in it, and members of it who do what the test says.
type desk struct {
	t *testing.T
	kv.Database
	*election.LeaderElection
	// before runs before each transaction that may write, if it is not nil.
	before func()
	// beforeRead runs before each transaction that only reads.
	beforeRead func()
	// twice runs every such transaction again after it has committed, as after an
	// answer that was lost.
	twice bool
}

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

// does runs fn in a transaction that must succeed, past all that d adds.
func (d *desk) does(fn func(tr kv.Transaction) error) {
	d.t.Helper()
	require.NoError(d.t, d.Database.Transact(d.t.Context(), fn))
}

// made makes the election, with a leader in term 1 and another candidate.
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

// hurries lets a candidate be seen to be dead within a moment.
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

func (d *desk) state() election.State {
	d.t.Helper()
	state, err := kv.ReadTransact(d.t.Context(), d.Database, d.ReadState)
	require.NoError(d.t, err)
	return state
}

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// runs a command on the desk's store.
func (d *desk) runs(args ...string) outcome {
	return d.runsUntil(d.t.Context(), args...)
}

func (d *desk) runsUntil(ctx context.Context, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	err := cli.Exec(ctx, append(args, "--store", "desk:"), strings.NewReader(""), &stdout, &stderr, cli.Store{
		Scheme: "desk",
		Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
			return d, io.NopCloser(nil), nil
		},
	})
	return outcome{cli.ExitCode(err), stdout.String(), stderr.String()}
}

// atOnce runs several commands at the same time, and returns how each ended as
// soon as it has.
func (d *desk) atOnce(commands ...[]string) <-chan outcome {
	ended := make(chan outcome, len(commands))
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

func TestOneOperatorMakesTheElection(t *testing.T) {
	d := newDesk(t)
	ended := d.atOnce(each(func(i int) []string { return []string{"init", "--lease", fmt.Sprintf("%ds", i+1)} })...)
	made := 0
	for range operators {
		switch o := <-ended; o.code {
		case 0:
			made++
			require.Contains(t, o.stdout, "made election default")
		default:
			require.Equal(t, 1, o.code, o.stderr)
			require.Contains(t, o.stderr, "is there already, and differs: lease is")
		}
	}
	require.Equal(t, 1, made)
	require.EqualValues(t, 1, d.state().Config.Revision)
}

func TestOneOperatorChangesARevision(t *testing.T) {
	d := newDesk(t)
	d.made()
	ended := d.atOnce(each(func(i int) []string {
		return []string{"config", "set", "--revision", "1", fmt.Sprintf("minimum_tenure=%ds", i+1)}
	})...)
	var won string
	for range operators {
		switch o := <-ended; o.code {
		case 0:
			require.Empty(t, won)
			won = o.stdout
		default:
			require.Equal(t, 1, o.code, o.stderr)
			require.Contains(t, o.stderr, "config was changed by somebody else")
		}
	}
	require.Contains(t, won, "10s -> "+d.state().Config.MinimumTenure.String())
	require.EqualValues(t, 2, d.state().Config.Revision)
}

// Without a revision nobody's change is lost.
func TestOperatorsChangeDifferentSettings(t *testing.T) {
	d := newDesk(t)
	d.made()
	sets := []string{"lease=30s", "heartbeat=4s", "candidate_timeout=1m", "preemption=false", "history_limit=9", "enabled=false"}
	ended := d.atOnce(each(func(i int) []string { return []string{"config", "set", sets[i]} })...)
	for range operators {
		o := <-ended
		require.Zero(t, o.code, o.stderr)
	}
	c := d.state().Config
	require.EqualValues(t, 1+operators, c.Revision)
	want := fdbelection.DefaultConfig()
	want.LeaseDuration, want.HeartbeatInterval, want.CandidateTimeout = 30*time.Second, 4*time.Second, time.Minute
	want.AllowPreemption, want.HistoryLimit, want.ElectionEnabled = false, 9, false
	require.True(t, c.SameSettings(want), "%+v", c)
}

// Of those who ask something of the leader of one term, one has its way.
func TestOneOperatorAsksTheLeader(t *testing.T) {
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
				require.Equal(t, 1, o.code, o.stdout)
				require.Contains(t, o.stderr, "another request about this term stands")
				require.Contains(t, o.stderr, "--replace")
			}
			intent := d.state().Intent
			d.does(func(tr kv.Transaction) error {
				if intent.Kind == election.IntentResign {
					return d.ResignLeadership(tr, seat.Token(), time.Now())
				}
				_, _, err := d.Yield(tr, seat.Token(), intent, time.Now())
				return err
			})
			if intent.Kind == election.IntentTransfer { // the successor accepts
				d.does(func(tr kv.Transaction) error { _, err := d.RunElectionCycle(tr, other, time.Now()); return err })
			}
			o := <-ended
			require.Zero(t, o.code, o.stderr)
			require.Contains(t, o.stdout, either(intent.Kind == election.IntentResign, "term 1 of leader#", "other#"))
		})
	}
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// What is run again after an answer was lost does and says the same.
func TestSteeringIsSafeToRunAgain(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
		then func(t *testing.T, d *desk)
	}{
		{[]string{"config", "set", "lease=20s"}, "10s -> 20s", func(t *testing.T, d *desk) {
			require.EqualValues(t, 2, d.state().Config.Revision)
		}},
		{[]string{"config", "set", "--revision", "1", "lease=20s"}, "revision 2 stands now", nil},
		{[]string{"config", "disable"}, "true -> false", nil},
		{[]string{"init", "--election", "new"}, "made election new", nil},
		{[]string{"resign", "--force", "--yes"}, "was given up in its stead", func(t *testing.T, d *desk) {
			require.EqualValues(t, 2, d.state().Leader.Ballot)
		}},
		{[]string{"raise-term", "--floor", "9", "--force"}, "the term went from 1 to 9, the ballot from 1 to 9", nil},
		{[]string{"unregister", "--force", "other"}, "removed other#", nil},
		{[]string{"unregister", "--force", "leader"}, "and gave up its seat", func(t *testing.T, d *desk) {
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
			require.Zero(t, o.code, o.stderr)
			require.Contains(t, o.stdout, test.says)
			if test.then != nil {
				test.then(t, d)
			}
		})
	}
}

// A candidate that comes back while it is removed stays.
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
	require.Equal(t, 1, o.code, o.stdout)
	require.Contains(t, o.stderr, "is alive: its record changed while it was watched")

	again := d.member("other")
	for _, force := range []string{"--force=false", "--force"} {
		d.before = func() {
			d.before = nil
			again.Incarnation = uuid.New()
			d.does(func(tr kv.Transaction) error { return d.RegisterCandidate(tr, again, old) })
		}
		o = d.runs("unregister", "other", force)
		require.Equal(t, 1, o.code, o.stdout)
		require.Contains(t, o.stderr, "has restarted meanwhile as "+again.Identity.String())
	}
	_, err := kv.ReadTransact(t.Context(), d.Database, func(tr kv.ReadTransaction) (election.Candidate, error) {
		return d.GetCandidate(tr, "other")
	})
	require.NoError(t, err)
}

// A request is withdrawn when its author is interrupted.
func TestInterruptedRequestIsWithdrawn(t *testing.T) {
	for _, args := range [][]string{{"resign"}, {"transfer", "--to", "other"}} {
		d := newDesk(t)
		d.made()
		ctx, interrupt := context.WithCancel(t.Context())
		var sent atomic.Int32
		d.before = func() {
			if sent.Add(1) == 2 { // after the request
				interrupt()
			}
		}
		o := d.runsUntil(ctx, args...)
		require.Equal(t, 1, o.code, o.stdout)
		require.Contains(t, o.stderr, "interrupted before")
		require.Contains(t, o.stderr, "the request is withdrawn")
		require.Equal(t, election.NoIntent, d.state().Intent.Kind)
	}
}

// A request that another operator takes back is not waited for.
func TestRequestThatIsTakenBack(t *testing.T) {
	d := newDesk(t)
	d.made()
	var sent atomic.Int32
	d.before = func() {
		if sent.Add(1) == 2 {
			nonce := d.state().Intent.Nonce
			d.does(func(tr kv.Transaction) error { return d.CancelRequest(tr, nonce) })
		}
	}
	o := d.runs("resign")
	require.Equal(t, 1, o.code, o.stdout)
	require.Contains(t, o.stderr, "another operator has withdrawn or replaced it, or the leader found it void")
}

// A transfer that ends with somebody else in the seat has failed.
func TestTransferToWhoDoesNotCome(t *testing.T) {
	d := newDesk(t)
	leader, _ := d.made()
	seat := d.state().Leader
	var sent atomic.Int32
	d.before = func() {
		if sent.Add(1) == 2 {
			d.does(func(tr kv.Transaction) error { return d.ResignLeadership(tr, seat.Token(), time.Now()) })
			d.does(func(tr kv.Transaction) error {
				_, err := d.TryClaimLeadership(tr, leader.Identity, time.Now())
				return err
			})
		}
	}
	o := d.runs("transfer", "--to", "other")
	require.Equal(t, 3, o.code, o.stdout)
	require.Contains(t, o.stderr, " does not lead by this request, term 1 ended otherwise; leader#")

	// One that was handed the seat, and does not accept it.
	d = newDesk(t)
	_, other := d.made()
	seat = d.state().Leader
	sent.Store(0)
	d.before = func() {
		if sent.Add(1) == 2 {
			intent := d.state().Intent
			d.does(func(tr kv.Transaction) error { _, _, err := d.Yield(tr, seat.Token(), intent, time.Now()); return err })
		}
	}
	o = d.runs("transfer", "--to", "other", "--timeout", "300ms")
	require.Equal(t, 5, o.code, o.stdout)
	require.Contains(t, o.stderr, "was handed the leadership in term 2, and has not taken it within 300ms")

	// The same command again waits for it as well, and asks nothing.
	for _, args := range [][]string{{"--term", "1"}, nil} {
		d.before = nil
		o = d.runs(append([]string{"transfer", "--to", "other", "--timeout", "300ms"}, args...)...)
		require.Equal(t, 5, o.code, o.stdout)
		require.Contains(t, o.stderr, "was handed the leadership in term 2, and has not taken it within 300ms")
	}
	d.before = func() {
		d.before = nil
		d.does(func(tr kv.Transaction) error { _, err := d.RunElectionCycle(tr, other, time.Now()); return err })
	}
	o = d.runs("transfer", "--to", "other", "--term", "1")
	require.Zero(t, o.code, o.stderr)
	require.Regexp(t, "^other#[0-9a-f]+ leads in term 2, after ", o.stdout)
}

// One that was handed the leadership and did not take it: another leads in the end, and
// the command says what has happened, also if it has seen only the end of it.
func TestTransferToWhoDoesNotTakeIt(t *testing.T) {
	for _, looks := range []bool{true, false} {
		d := newDesk(t)
		leader, _ := d.made()
		seat := d.state().Leader
		yields := func(tr kv.Transaction) error {
			_, _, err := d.Yield(tr, seat.Token(), d.state().Intent, time.Now())
			return err
		}
		var sent atomic.Int32
		d.before = func() {
			switch n := sent.Add(1); {
			case n == 2:
				d.does(yields)
				if looks {
					return
				}
				fallthrough
			case n == 3:
				later := time.Now().Add(time.Hour)
				d.does(func(tr kv.Transaction) error {
					_, err := d.TryClaimLeadership(tr, leader.Identity, later, election.Observed(election.Observation{}.Next(d.state().Leader, time.Now()), later))
					return err
				})
			}
		}
		o := d.runs("transfer", "--to", "other")
		require.Equal(t, 3, o.code, "%s %s", o.stdout, o.stderr)
		require.Regexp(t, "other#[0-9a-f]+ was handed the leadership in term 2,? and (did not take it|that term is over); leader#[0-9a-f]+ leads in term 3", o.stderr)
		require.Equal(t, looks, strings.Contains(o.stderr, "did not take it"))
		o = d.runs("transfer", "--to", "other", "--term", "1")
		require.Zero(t, o.code, o.stderr)
		require.Regexp(t, "^term 1 was handed to other#[0-9a-f]+ already; leader#[0-9a-f]+ leads in term 3", o.stdout)
	}
}

// A candidate that takes over while resign looks for the last time is named.
func TestResignSaysWhoFollowed(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	seat := d.state().Leader
	var sent, reads atomic.Int32
	d.before = func() {
		if sent.Add(1) == 2 {
			d.does(func(tr kv.Transaction) error { return d.ResignLeadership(tr, seat.Token(), time.Now()) })
		}
	}
	d.beforeRead = func() {
		if reads.Add(1) == 2 {
			d.does(func(tr kv.Transaction) error {
				_, err := d.TryClaimLeadership(tr, other.Identity, time.Now())
				return err
			})
		}
	}
	o := d.runs("resign")
	require.Zero(t, o.code, o.stderr)
	require.Regexp(t, `^term 1 of leader#[0-9a-f]+ is over after \S+ \(resigned\); other#[0-9a-f]+ leads in term 2\n$`, o.stdout)
}

// A term that ended by itself was not resigned.
func TestResignSaysHowATermEnded(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	var sent atomic.Int32
	d.before = func() {
		if sent.Add(1) == 2 {
			later := time.Now().Add(time.Hour)
			d.does(func(tr kv.Transaction) error {
				_, err := d.TryClaimLeadership(tr, other.Identity, later, election.Observed(election.Observation{}.Next(d.state().Leader, time.Now()), later))
				return err
			})
		}
	}
	o := d.runs("resign")
	require.Zero(t, o.code, o.stderr)
	require.Regexp(t, `^term 1 of leader#[0-9a-f]+ is over after \S+ \(expiry\); other#[0-9a-f]+ leads in term 2\n$`, o.stdout)
}

func TestTransferToWhoCannotLead(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	other.Role = election.Observer
	d.does(func(tr kv.Transaction) error { return d.HeartbeatCandidate(tr, other, time.Now()) })
	o := d.runs("transfer", "--to", "other")
	require.Equal(t, 1, o.code, o.stdout)
	require.Contains(t, o.stderr, "other cannot be handed the leadership: candidate is an observer and never leads")
	require.Equal(t, election.NoIntent, d.state().Intent.Kind)
	other.Role = election.Voter
	d.does(func(tr kv.Transaction) error { return d.HeartbeatCandidate(tr, other, time.Now()) })
	require.Zero(t, d.runs("config", "disable").code)
	o = d.runs("transfer", "--to", "other")
	require.Equal(t, 1, o.code, o.stdout)
	require.Contains(t, o.stderr, `enable it first with "fdbelect config enable"`)
}
