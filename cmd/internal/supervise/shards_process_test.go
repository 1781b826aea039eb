//go:build unix

package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

// shardWorkers are the commands of the shards of a group. Each shard has a journal and a lock.
type shardWorkers struct {
	*processtest.Group
	t      *testing.T
	dir    string
	shards map[string]workers
}

func newShardWorkers(t *testing.T, lease time.Duration, shards ...string) shardWorkers {
	t.Helper()
	w := shardWorkers{processtest.NewGroup(t, lease, shards...), t, t.TempDir(), make(map[string]workers)}
	for _, name := range shards {
		one := workers{filepath.Join(w.dir, name)}
		w.shards[name] = one
		require.NoError(t, os.Mkdir(one.dir, 0o700))
		t.Cleanup(func() { one.kill(t) })
	}
	return w
}

// start starts a member whose commands ignore SIGTERM.
func (w shardWorkers) start(id string) *processtest.Process {
	w.t.Helper()
	return processtest.StartArgs(w.t, nil, id, "group", "run", "--store", "file:"+w.File, "--id", id, "--pre-stop", "100ms",
		"--", workerName, workAlone, w.dir+"/{}")
}

// settled waits until the leader of each shard has a command, which has its lock, and each member
// leads a shard. It returns the newest lives.
func (w shardWorkers) settled(members int) map[string]life {
	w.t.Helper()
	newest := make(map[string]life)
	processtest.Eventually(w.t, "the leader of each shard has a command", func() bool {
		ids := make(map[string]bool)
		for name, one := range w.shards {
			record, lives := w.Shard(w.t, name), one.lives(w.t)
			if len(lives) == 0 {
				return false
			}
			last := lives[len(lives)-1]
			if last.id != record.Leader.ID || last.term != record.Term || processtest.Gone(last.pid) {
				return false
			}
			newest[name], ids[last.id] = last, true
		}
		return len(ids) == members
	})
	return newest
}

// checkOverlaps checks that no command began while another one of its shard ran.
func (w shardWorkers) checkOverlaps() (lives int) {
	w.t.Helper()
	for name, one := range w.shards {
		for _, l := range one.lives(w.t) {
			lives++
			require.Zero(w.t, l.overlap, "the command of %s for %s in term %d waited for another one", l.id, name, l.term)
		}
	}
	return lives
}

// Members are killed, or stopped past their lease. Their commands ignore SIGTERM and go on. The
// guard ends them before the commands of the next leader begin, and so do moves for balance.
func TestNoTwoShardCommandsAtOnce(t *testing.T) {
	t.Parallel()
	w := newShardWorkers(t, 3*time.Second, "x", "y", "z")
	processes := map[string]*processtest.Process{"a": w.start("a"), "b": w.start("b")}
	for round := range longtest.Pick(2, 10) {
		newest := w.settled(2)
		victim := processes[newest["x"].id]
		pid := victim.Cmd.Process.Pid
		stopped := round%2 == 1
		if stopped {
			require.True(t, freeze(t, w.DB, pid))
		} else {
			victim.Signal(syscall.SIGKILL)
			<-victim.Exited
		}
		for name, last := range newest {
			if last.id == victim.ID {
				processtest.Eventually(t, "the command of "+name+" has ended", func() bool { return processtest.Gone(last.pid) })
			}
		}
		w.settled(1)
		w.checkOverlaps()
		if stopped {
			thaw(pid)
		} else {
			processes[victim.ID] = w.start(victim.ID)
		}
	}
	w.settled(2)
	t.Logf("%d commands", w.checkOverlaps())
}

// If the guard of a member is killed, all of its commands end. Another guard starts them again.
func TestGuardOfShardsIsKilled(t *testing.T) {
	t.Parallel()
	w := newShardWorkers(t, 900*time.Millisecond, "x", "y")
	p := w.start("a")
	first := w.settled(1)
	require.Equal(t, first["x"].guard, first["y"].guard, "there is one guard")
	require.NoError(t, syscall.Kill(first["x"].guard, syscall.SIGKILL))
	processtest.Eventually(t, "the commands run again", func() bool {
		again := w.settled(1)
		return again["x"].pid != first["x"].pid && again["y"].pid != first["y"].pid
	})
	w.checkOverlaps()
	require.Contains(t, p.Stderr.String(), `cause="its guard was killed"`)
	p.Signal(syscall.SIGTERM)
	require.Equal(t, 137, p.Wait(t))
}

// If the guard of a member is stopped, the member kills its commands itself.
func TestGuardOfShardsIsStopped(t *testing.T) {
	t.Parallel()
	w := newShardWorkers(t, time.Minute, "x", "y")
	p := w.start("a")
	newest := w.settled(1)
	require.NoError(t, syscall.Kill(newest["x"].guard, syscall.SIGSTOP))
	p.Signal(syscall.SIGTERM)
	require.Equal(t, 137, p.Wait(t))
	for _, last := range newest {
		processtest.Eventually(t, "the command is gone", func() bool { return processtest.Gone(last.pid) })
	}
	processtest.Eventually(t, "the guard is gone", func() bool { return processtest.Gone(newest["x"].guard) })
}

// If the store hangs, the commands end before the lease of the session can end. They are started
// again afterwards.
func TestShardCommandsEndWhenTheStoreHangs(t *testing.T) {
	const lease = 2 * time.Second
	w := newShardWorkers(t, lease, "x", "y")
	p := w.start("a")
	newest := w.settled(1)
	release := processtest.HoldStore(t, w.File)
	held := time.Now() // the last lease began before
	for _, last := range newest {
		processtest.Eventually(t, "the command was killed", func() bool { return processtest.Gone(last.pid) })
	}
	require.Less(t, time.Since(held), lease)
	release()
	again := w.settled(1)
	require.Equal(t, newest["x"].term, again["x"].term, "the session has survived, and so have the tenures")
	require.NotEqual(t, newest["x"].pid, again["x"].pid)
	w.checkOverlaps()
	require.Contains(t, p.Stderr.String(), "no heartbeat was acknowledged in time")
}

// One guard watches the commands of many shards. All of them end if the member is killed, long
// before its lease can end.
func TestOneGuardForManyShards(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("shard-%d", i))
	}
	g, file := processtest.NewGroup(t, time.Minute, names...), filepath.Join(t.TempDir(), "pids")
	p := processtest.StartArgs(t, nil, "a", "group", "run", "--store", "file:"+g.File, "--id", "a",
		"--", "sh", "-c", `echo $$ $PPID "$FDBELECT_SHARD" >> "$0"; exec sleep 1000`, file)
	var lines []string
	processtest.Eventually(t, "all commands run", func() bool {
		text, _ := os.ReadFile(file)
		lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		return len(lines) == len(names)
	})
	guards, shards := make(map[int]bool), make(map[string]bool)
	pids := make([]int, len(lines))
	for i, line := range lines {
		var guard int
		var shard string
		_, err := fmt.Sscan(line, &pids[i], &guard, &shard)
		require.NoError(t, err)
		guards[guard], shards[shard] = true, true
	}
	require.Len(t, guards, 1)
	require.Len(t, shards, len(names))
	p.Signal(syscall.SIGKILL)
	for _, pid := range pids {
		processtest.Eventually(t, "the command has ended", func() bool { return processtest.Gone(pid) })
	}
	processtest.Says(t, &p.Stderr, `msg="commands ended" group=default id=a count=100 killed=0 cause="the guard ended it, because run ended without stopping it"`)
	require.Less(t, strings.Count(p.Stderr.String(), "command started"), 30, "a burst is one line")
}
