//go:build unix

package run_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// record is a file that the commands of a test append lines to.
type record string

func newRecord(t *testing.T) record {
	t.Helper()
	return record(filepath.Join(t.TempDir(), "record"))
}

func (r record) lines(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(string(r))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return strings.Fields(string(text))
}

func (r record) wait(t *testing.T, want ...string) {
	t.Helper()
	processtest.Eventually(t, fmt.Sprintf("the command has recorded %q", want), func() bool {
		return strings.HasSuffix(strings.Join(r.lines(t), " "), strings.Join(want, " "))
	})
}

// shell returns a command that runs a script. $0 is the path of the record, and more follows as $1.
func (r record) shell(script string, more ...string) []string {
	return append([]string{"--", "sh", "-c", script, string(r)}, more...)
}

// Forwarded signals reach the command. If it does not run, they do not end run either.
func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	const script = `for s in HUP USR1 USR2 WINCH; do trap "echo $s >> $0" $s; done
		trap 'echo TERM >> $0; exit' TERM; echo began >> $0; while :; do sleep 0.02; done`
	file, r := processtest.StoreFile(t), newRecord(t)
	a := processtest.Start(t, file, "a", append([]string{"--lease", "1m"}, r.shell(script)...)...)
	r.wait(t, "began")
	b := processtest.Start(t, file, "b", r.shell(script)...)
	processtest.Says(t, &b.Stderr, "role=follower")
	signals := map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH,
	}
	if signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		delete(signals, "HUP")
	}
	for name, s := range signals {
		b.Signal(s)
		a.Signal(s)
		r.wait(t, name)
	}
	a.Signal(syscall.SIGINT)
	require.Zero(t, a.Wait(t))
	r.wait(t, "TERM", "began")
	require.Len(t, r.lines(t), 1+len(signals)+1+1, "signals from before the start were dropped")
	b.Signal(syscall.SIGTERM)
	require.Zero(t, b.Wait(t))
}

// A command is started again only if its tenure is still the newest. Here it is not, and
// run cannot know that: no watch fires, and the next renewal is far away.
func TestRestartIsFenced(t *testing.T) {
	t.Parallel()
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{Changed: func(*memkv.Watch) bool { return false }}})
	store := session.Store{Scheme: "test", Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
		return db, io.NopCloser(nil), nil
	}}
	r := newRecord(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr processtest.SafeBuffer
	ended := make(chan error, 1)
	args := append([]string{"run", "--store", "test:", "--id", "a", "--lease", "1m", "--restart", "on-failure"},
		r.shell(`echo began >> $0; while [ ! -e $0.go ]; do sleep 0.02; done; exit 1`)...)
	go func() { ended <- cli.Exec(ctx, args, strings.NewReader(""), &stdout, &stderr, store) }()
	r.wait(t, "began")

	e := election.New(subspace.New("fdbelection", "default"))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		leader, err := e.GetLeaderRaw(tr)
		if err != nil {
			return err
		}
		return e.ResignLeadership(tr, leader.Token(), time.Now())
	}))
	require.NoError(t, os.WriteFile(string(r)+".go", nil, 0o600))
	processtest.Says(t, &stderr, "msg=\"command is not started again\"")
	require.Equal(t, []string{"began"}, r.lines(t))
	cancel()
	require.NoError(t, <-ended)
}

// run --observe runs one command at a time. The next one gets the newest state. States in
// between may be skipped, but never the last one.
func TestRunObserveCatchesUp(t *testing.T) {
	t.Parallel()
	file, r := processtest.StoreFile(t), newRecord(t)
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	defer db.Close()
	e := election.New(subspace.New("fdbelection", "default"))
	change := func(fn func(tr kv.Transaction) error) { require.NoError(t, db.Transact(t.Context(), fn)) }
	change(func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err })
	hold := func(id string) election.Token {
		me := election.Registration{Identity: election.Identity{ID: id}}
		change(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, time.Now()) })
		var leader election.LeaderRecord
		change(func(tr kv.Transaction) error {
			result, err := e.TryClaimLeadership(tr, me.Identity, time.Now())
			leader = result.Leader
			return err
		})
		return leader.Token()
	}
	resign := func(token election.Token) {
		change(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, time.Now()) })
	}
	p := processtest.Observe(t, file, r.shell(`echo "began:$FDBELECT_LEADER:$FDBELECT_TERM" >> $0
		while [ ! -e $0.go ]; do sleep 0.02; done; echo "ended:$FDBELECT_LEADER" >> $0`)...)
	r.wait(t, "began::0")
	resign(hold("a"))
	token := hold("b")
	processtest.Says(t, &p.Stderr, "leader=b term=2")
	require.Equal(t, []string{"began::0"}, r.lines(t))
	require.NoError(t, os.WriteFile(string(r)+".go", nil, 0o600))
	r.wait(t, "began::0", "ended:", "began:b:2", "ended:b")
	resign(token)
	r.wait(t, "ended:b", "began::2", "ended:")
	candidates, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]election.Candidate, error) {
		return e.ListCandidates(tr)
	})
	require.NoError(t, err)
	for _, c := range candidates {
		require.Contains(t, []string{"a", "b"}, c.ID, "a subscriber is not listed")
	}
	p.Signal(syscall.SIGTERM)
	require.Zero(t, p.Wait(t))
}

// run --observe stops its command when it is asked to stop, and kills it after --pre-stop.
func TestRunObserveEndsItsCommand(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	processtest.Start(t, file, "a")
	args, pids := processtest.Worker(t, true)
	p := processtest.Observe(t, file, append([]string{"--pre-stop", "100ms"}, args...)...)
	ids := pids()
	p.Signal(syscall.SIGTERM)
	require.Equal(t, 137, p.Wait(t))
	for _, id := range ids {
		processtest.Eventually(t, "the command has ended", func() bool { return processtest.Gone(id) })
	}
}

// Twenty processes on one file have one leader. If it is killed, another process leads,
// the others follow it, and all continue their heartbeats.
func TestTwentyProcesses(t *testing.T) {
	longtest.Only(t)
	const lease = 2 * time.Second
	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	processes := make(map[string]*processtest.Process)
	for i := range 20 {
		id := fmt.Sprintf("p%02d", i)
		processes[id] = processtest.Start(t, file, id, "--lease", lease.String())
	}
	leader := m.Until("there is a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
	for range 3 {
		for id, p := range processes {
			processtest.Eventually(t, id+" follows", func() bool { return strings.Contains(p.Stderr.String(), "leader="+leader.ID+" ") })
		}
		dead := processes[leader.ID]
		dead.Signal(syscall.SIGKILL)
		<-dead.Exited
		delete(processes, leader.ID)
		leader = m.Until("another process leads", func(l election.LeaderRecord) bool { return !l.Vacant() && l.Identity != leader.Identity })
		require.Contains(t, processes, leader.ID)
	}
	before := make(map[string]uint64)
	for id := range processes {
		c, ok := m.Candidate(id)
		require.True(t, ok, "%s is listed", id)
		before[id] = c.Heartbeats
	}
	for id := range processes {
		processtest.Eventually(t, id+" sends heartbeats", func() bool {
			c, ok := m.Candidate(id)
			return ok && c.Heartbeats > before[id]
		})
	}
	m.End()
	m.Sound()
}

// A second process with the id of a live one ends with its own exit code, and its error
// says why. The first one continues.
func TestSameIDTwice(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	first := processtest.Start(t, file, "a", "--lease", "1s")
	processtest.Says(t, &first.Stderr, "role=leader")
	second := processtest.Start(t, file, "a", "--lease", "1s")
	require.Equal(t, 79, second.Wait(t))
	require.Contains(t, second.Stderr.String(), "another process is registered with the same id")
	require.Contains(t, second.Stderr.String(), "give each process its own id (--id); do not start")
	first.Signal(syscall.SIGTERM)
	require.Zero(t, first.Wait(t))
}

// A leader whose stdout is a closed pipe continues to lead.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	const lease = 600 * time.Millisecond
	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, read.Close())
	p := processtest.StartWith(t, write, file, "a", "--lease", lease.String())
	require.NoError(t, write.Close())
	first := m.Until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
	m.Until("a renews for two leases", func(l election.LeaderRecord) bool { return l.Ballot > first.Ballot+6 })
	p.Signal(syscall.SIGTERM)
	require.Zero(t, p.Wait(t))
}
