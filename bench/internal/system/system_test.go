package system

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/procfs"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

const (
	testLease = 2 * time.Second
	// atOnce is less than what is left of a lease after a renewal at a third of it.
	atOnce = time.Second
	// detection is how long a system may take to see that a lease has ended.
	detection = 3 * time.Second
	patience  = 20 * time.Second
)

// world is one system that runs, with its clients.
type world struct {
	t       *testing.T
	system  System
	server  Server
	setting Settings
}

func newWorld(t *testing.T, s System, durable bool) *world {
	if why := s.Absent(); why != "" {
		t.Skip(s.Name + ": " + why)
	}
	w := &world{t: t, system: s, setting: Settings{Dir: t.TempDir(), Lease: testLease, Heartbeat: testLease / 3, Durable: durable}}
	var err error
	w.server, err = s.Start(t.Context(), w.setting)
	require.NoError(t, err)
	t.Cleanup(func() {
		pids := w.server.PIDs()
		assert.NoError(t, w.server.Close())
		for _, pid := range pids {
			assert.Eventually(t, func() bool { return ended(pid) }, patience, 10*time.Millisecond, "process %d outlives its server", pid)
		}
	})
	assert.NotEmpty(t, w.server.Version())
	return w
}

// ended says whether a process has ended. Its parent may not have noticed yet.
func ended(pid int) bool {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return true
	}
	stat, err := process.Stat()
	return err != nil || stat.State == "Z"
}

func (w *world) client() Client {
	c, err := w.system.Connect(w.t.Context(), w.server.Address(), w.setting)
	require.NoError(w.t, err)
	w.t.Cleanup(c.Close)
	return c
}

// runner is a candidate whose events arrive on channels.
type runner struct {
	t          *testing.T
	candidate  Candidate
	led, lost  chan time.Time
	renewals   chan time.Time
	lastBefore time.Time
}

func (w *world) campaign(c Client, id string) *runner {
	r := &runner{t: w.t, led: make(chan time.Time, 8), lost: make(chan time.Time, 8), renewals: make(chan time.Time, 1024)}
	var err error
	r.candidate, err = c.Campaign(w.t.Context(), "one", id, Candidacy{
		Lead:    func() { r.led <- time.Now() },
		Lose:    func() { r.lost <- time.Now() },
		Renewed: func(before time.Time) { r.renewals <- before },
	})
	require.NoError(w.t, err)
	return r
}

func (r *runner) leads(within time.Duration) time.Time {
	r.t.Helper()
	select {
	case at := <-r.led:
		return at
	case <-time.After(within):
		require.FailNow(r.t, "the candidate does not lead", "within %s", within)
		return time.Time{}
	}
}

func (r *runner) waits(d time.Duration) {
	r.t.Helper()
	select {
	case <-r.led:
		require.FailNow(r.t, "two candidates lead")
	case <-time.After(d):
	}
}

// renewed waits for a number of renewals.
func (r *runner) renewed(times int) {
	r.t.Helper()
	for range times {
		select {
		case r.lastBefore = <-r.renewals:
		case <-time.After(patience):
			require.FailNow(r.t, "the leader does not renew")
		}
	}
}

// last returns the begin of the last renewal. No other follows.
func (r *runner) last() time.Time {
	for {
		select {
		case r.lastBefore = <-r.renewals:
		default:
			return r.lastBefore
		}
	}
}

func TestLeadershipGoesFromCandidateToCandidate(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s, false)
			firstClient, secondClient := w.client(), w.client()
			first := w.campaign(firstClient, "first")
			first.leads(patience)
			second := w.campaign(secondClient, "second")
			second.waits(testLease + testLease/2) // longer than a lease that is not renewed

			resigned := time.Now()
			require.NoError(t, first.candidate.Resign(t.Context()))
			assert.Less(t, second.leads(patience).Sub(resigned), atOnce, "after a resignation")
			assert.Len(t, first.lost, 1)
			assert.Empty(t, first.led)

			third := w.campaign(w.client(), "third")
			if s.Lease > 0 {
				second.renewed(3)
			}
			third.waits(testLease / 4)
			crashed := time.Now()
			second.candidate.Crash()
			at := third.leads(patience)
			if s.Lease == 0 {
				assert.Less(t, at.Sub(crashed), atOnce, "after a crash")
			} else {
				assert.Less(t, at.Sub(crashed), testLease+detection, "after a crash")
				assert.GreaterOrEqual(t, at.Sub(second.last()), testLease, "the lease of the crashed leader")
			}
			require.NoError(t, third.candidate.Resign(t.Context()))
			if !s.InProcess && s.Name != Filekv().Name {
				counts := firstClient.Traffic().Counts()
				assert.Positive(t, counts.Bytes)
				assert.Positive(t, counts.Requests)
			}
		})
	}
}

func TestRenewalsAndFences(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s, true)
			c := w.client()
			if renewer, can := c.(Renewer); can {
				renew, err := renewer.Hold(t.Context(), "held", "first")
				require.NoError(t, err)
				before := c.Traffic().Counts()
				require.NoError(t, renew(t.Context()))
				assert.Positive(t, c.Traffic().Counts().Minus(before).Requests)
			} else {
				assert.Contains(t, s.Cannot, "renew")
			}
			fencer, can := c.(Fencer)
			if !can {
				assert.Contains(t, s.Cannot, "fence")
				return
			}
			fenced, plain, err := fencer.Fence(t.Context(), "fenced", "first")
			require.NoError(t, err)
			require.NoError(t, fenced(t.Context()))
			require.NoError(t, plain(t.Context()))

			next := w.client()
			short, cancel := context.WithTimeout(t.Context(), testLease/4) // some wait, some refuse
			defer cancel()
			_, _, err = next.(Fencer).Fence(short, "fenced", "second")
			require.Error(t, err, "two lead")
			depose(t, next, "fenced")
			fencedNext, _, err := next.(Fencer).Fence(t.Context(), "fenced", "second")
			require.NoError(t, err)
			require.NoError(t, fencedNext(t.Context()))
			require.Error(t, fenced(t.Context()), "a write of the old leader")
			require.NoError(t, plain(t.Context()))
		})
	}
}

// TestASuccessorHearsOfAResignation has a lease and intervals that are too long to be what wakes the
// successor.
func TestASuccessorHearsOfAResignation(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s, false)
			w.setting.Lease, w.setting.Heartbeat = 6*patience, 2*patience
			first := w.campaign(w.client(), "first")
			first.leads(patience)
			second := w.campaign(w.client(), "second")
			second.waits(testLease / 2)
			require.NoError(t, first.candidate.Resign(t.Context()))
			second.leads(patience)
			require.NoError(t, second.candidate.Resign(t.Context()))
		})
	}
}

// depose ends leadership, as the store does when a lease ends.
func depose(t *testing.T, c Client, election string) {
	ctx := t.Context()
	switch c := c.(type) {
	case *engineClient:
		require.NoError(t, c.db.Transact(ctx, func(tr kv.Transaction) error {
			e := c.election(election)
			leader, err := e.GetLeaderRaw(tr)
			if err != nil {
				return err
			}
			_, err = e.RaiseTerm(tr, leader.Term, clock.Wall())
			return err
		}))
	case *etcdClient:
		_, err := c.client.Delete(ctx, "/bench/"+election, clientv3.WithPrefix())
		require.NoError(t, err)
	case *redisClient:
		require.NoError(t, c.client.Do(ctx, c.client.B().Del().Key("bench:"+election).Build()).Error())
	case *lockClient:
		conn, err := connectPostgres(ctx, c.address, new(Traffic))
		require.NoError(t, err)
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted")
		require.NoError(t, err)
	case *rowClient:
		require.NoError(t, pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM bench_leader WHERE name = $1", election)
			return err
		}))
	case *zooClient:
		names, _, err := c.conn.Children("/bench/" + election)
		require.NoError(t, err)
		for _, name := range names {
			require.NoError(t, c.conn.Delete("/bench/"+election+"/"+name, -1))
		}
	}
}

// serverOf names the system whose server a child process of the test starts.
const serverOf = "BENCH_SERVER_OF"

func TestServersEndWithTheBenchmark(t *testing.T) {
	if name := os.Getenv(serverOf); name != "" {
		startAndHang(t, name)
	}
	for _, s := range []System{Redis(), PostgresRow(), ZooKeeper()} {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if why := s.Absent(); why != "" {
				t.Skip(s.Name + ": " + why)
			}
			child := exec.Command(os.Args[0], "-test.run", "^TestServersEndWithTheBenchmark$")
			child.Env, child.Stderr = append(os.Environ(), serverOf+"="+s.Name, "TMPDIR="+t.TempDir()), os.Stderr
			child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // if this test is killed
			out, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())
			var pids []int
			require.NoError(t, json.NewDecoder(out).Decode(&pids))
			require.NotEmpty(t, pids)
			for _, pid := range pids {
				require.False(t, ended(pid))
			}
			require.NoError(t, child.Process.Kill())
			_ = child.Wait() // it was killed
			for _, pid := range pids {
				assert.Eventually(t, func() bool { return ended(pid) }, patience, 10*time.Millisecond, "process %d", pid)
			}
		})
	}
}

// startAndHang prints the processes of a server and waits to be killed.
func startAndHang(t *testing.T, name string) {
	all := All()
	s := all[slices.IndexFunc(all, func(s System) bool { return s.Name == name })]
	server, err := s.Start(t.Context(), Settings{Dir: t.TempDir(), Lease: testLease})
	require.NoError(t, err)
	require.NoError(t, json.NewEncoder(os.Stdout).Encode(server.PIDs()))
	<-t.Context().Done()
}
