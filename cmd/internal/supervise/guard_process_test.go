//go:build unix

package supervise_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
)

// TestNoTwoCommandsAtOnce kills some supervisors, and stops others past their lease. Their
// commands ignore SIGTERM and continue. The guard must end each before the command of the
// successor begins. Each command holds an exclusive lock until it ends, and measures how
// long it has to wait for it.
//
// A busy machine may delay a guard. So a command may wait for the lock for as long as the
// longest delay of the monitor's own reads, in fewer than one of ten rounds.
func TestNoTwoCommandsAtOnce(t *testing.T) {
	rounds := longtest.Pick(2, 25)
	const lease = time.Second
	file, w := processtest.StoreFile(t), newWorkers(t)
	m := processtest.WatchLeader(t, file)
	run := func(id string) *processtest.Process {
		return processtest.Start(t, file, id, append([]string{"--lease", lease.String()}, w.args(workAlone)...)...)
	}
	processes := map[string]*processtest.Process{"a": run("a"), "b": run("b")}
	for id := range processes {
		processtest.Eventually(t, id+" is registered", func() bool { _, ok := m.Candidate(id); return ok })
	}
	lives := w.lives(t)
	excused := 0
	check := func(round int) {
		stall := m.TakeStall()
		all := w.lives(t)
		for _, l := range all[len(lives):] {
			require.LessOrEqual(t, l.overlap, stall, "round %d: the command of %s in term %d waited for another one; the reads of the monitor were delayed by up to %s",
				round, l.id, l.term, stall)
			if l.overlap > 0 {
				excused++
			}
		}
		lives = all
	}
	for round := range rounds {
		processtest.Eventually(t, "a command runs", func() bool { return len(w.lives(t)) > 0 })
		check(round)
		victim := processes[lives[len(lives)-1].id]
		pid := victim.Cmd.Process.Pid
		stopped := round%2 == 1
		if stopped {
			require.True(t, freeze(t, m.DB, pid))
		} else {
			victim.Signal(syscall.SIGKILL)
			<-victim.Exited
		}
		w.next(t, len(lives), victim.ID)
		check(round)
		if stopped {
			thaw(pid)
		} else {
			before, _ := m.Candidate(victim.ID)
			processes[victim.ID] = run(victim.ID)
			processtest.Eventually(t, victim.ID+" is registered again", func() bool {
				c, ok := m.Candidate(victim.ID)
				return ok && c.Incarnation != before.Incarnation
			})
		}
	}
	m.End()
	m.Sound()
	t.Logf("%d rounds, %d commands, %d of them overlapped within a delay of the monitor", rounds, len(lives), excused)
	require.Less(t, excused, max(rounds/10, 1)+1)
}

// The deadline of a guard counts from the start of the renewal, and not from its answer. If
// the supervisor is stopped after a slow renewal, the command has no extra time.
func TestGuardCountsFromTheAttempt(t *testing.T) {
	longtest.Only(t)
	const lease = 2 * time.Second
	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, file, "a", append([]string{"--lease", lease.String()}, args...)...)
	for {
		ids := pids()
		first := m.Until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
		before := m.Until("a renews", func(l election.LeaderRecord) bool { return l.Ballot > first.Ballot })
		release := processtest.HoldStore(t, file)
		<-time.After(time.Until(before.LeaseExpiry.Add(-lease + 1200*time.Millisecond))) // long after the next attempt
		release()
		late := m.Until("the late renewal is written", func(l election.LeaderRecord) bool { return l.Ballot > before.Ballot })
		if late.Term != before.Term { // the machine was so busy that a lost leadership
			continue
		}
		<-time.After(50 * time.Millisecond) // the answer has arrived, and the next attempt has not begun
		m.TakeStall()
		require.True(t, freeze(t, m.DB, p.Cmd.Process.Pid))
		processtest.Eventually(t, "the command was killed", func() bool { return processtest.Gone(ids[0]) })
		ended, stall := time.Now(), m.TakeStall()
		thaw(p.Cmd.Process.Pid)
		last := m.LastRecord(late.Term)
		require.Less(t, ended, last.LeaseExpiry.Add(stall), "the reads of the monitor were delayed by up to %s", stall)
		processtest.Says(t, &p.Stderr, "msg=\"leadership lost\"")
		return
	}
}

// If the supervisor is killed, the guard asks the command to stop at once.
func TestGuardOfAKilledSupervisorTerminatesFirst(t *testing.T) {
	t.Parallel()
	args, pids := processtest.Worker(t, false)
	p := processtest.Start(t, processtest.StoreFile(t), "a", append([]string{"--lease", "1m"}, args...)...)
	ids := pids()
	p.Signal(syscall.SIGKILL)
	<-p.Exited
	for _, id := range ids {
		processtest.Eventually(t, "the process has ended, long before the deadline", func() bool { return processtest.Gone(id) })
	}
}

// If the guard is killed, the whole group of the command ends. run resigns only after
// that.
func TestGuardIsKilled(t *testing.T) {
	t.Parallel()
	file, w := processtest.StoreFile(t), newWorkers(t)
	args := append([]string{"--lease", "1m"}, w.args(workAlone)...)
	a := processtest.Start(t, file, "a", args...)
	first := w.next(t, 0, "")
	processtest.Start(t, file, "b", args...)
	require.NoError(t, syscall.Kill(first.guard, syscall.SIGKILL))
	require.Equal(t, 137, a.Wait(t))
	require.Contains(t, a.Stderr.String(), "its guard was killed")
	second := w.next(t, 1, "a")
	require.Equal(t, "b", second.id)
	require.Zero(t, second.overlap, "the first one had ended")
	require.True(t, processtest.Gone(first.pid))
}

// If the guard is killed, the processes that the command has started end too.
func TestGuardIsKilledAndTheGroupEnds(t *testing.T) {
	t.Parallel()
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, processtest.StoreFile(t), "a", append([]string{"--lease", "1m", "--restart", "on-failure"}, args...)...)
	ids := pids()
	require.NoError(t, syscall.Kill(parentOf(t, ids[0]), syscall.SIGKILL))
	again := pids()
	for _, id := range ids {
		require.True(t, processtest.Gone(id), "before the command was started again")
	}
	require.NotEqual(t, ids, again)
	p.Signal(syscall.SIGKILL)
}

// If the guard is killed while the supervisor is stopped, the kernel ends the command. The
// processes that the command has started end when the supervisor continues.
func TestGuardIsKilledBesideAStoppedSupervisor(t *testing.T) {
	t.Parallel()
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, processtest.StoreFile(t), "a", append([]string{"--lease", "1m"}, args...)...)
	ids := pids()
	guard := parentOf(t, ids[0])
	p.Signal(syscall.SIGSTOP)
	processtest.Eventually(t, "the supervisor is stopped", func() bool { return stopped(p.Cmd.Process.Pid) })
	require.NoError(t, syscall.Kill(guard, syscall.SIGKILL))
	processtest.Eventually(t, "the command has ended", func() bool { return processtest.Gone(ids[0]) })
	require.False(t, processtest.Gone(ids[1]), "only the supervisor can end what the command started")
	p.Signal(syscall.SIGCONT)
	require.Equal(t, 137, p.Wait(t))
	require.True(t, processtest.Gone(ids[1]))
	require.Contains(t, p.Stderr.String(), `cause="its guard was killed"`)
}

// The guard ignores interrupts, however many it receives. Some service managers signal
// every process of a service.
func TestGuardSurvivesInterrupts(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	args, pids := processtest.Worker(t, false)
	p := processtest.Start(t, file, "a", append([]string{"--lease", "900ms"}, args...)...)
	guard := parentOf(t, pids()[0])
	last := m.Until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
	for range 4 { // renewals are 300 ms apart
		require.NoError(t, syscall.Kill(guard, syscall.SIGTERM))
		before := last.Ballot
		last = m.Until("a renews", func(l election.LeaderRecord) bool { return l.Ballot > before })
	}
	m.End()
	p.Signal(syscall.SIGTERM)
	require.Zero(t, p.Wait(t))
	require.Contains(t, p.Stderr.String(), `cause="it was asked to stop"`)
}

// If the guard is stopped, run ends the command itself.
func TestGuardIsStopped(t *testing.T) {
	t.Parallel()
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, processtest.StoreFile(t), "a", append([]string{"--lease", "1m", "--pre-stop", "100ms"}, args...)...)
	ids := pids()
	guard := parentOf(t, ids[0])
	require.NoError(t, syscall.Kill(guard, syscall.SIGSTOP))
	p.Signal(syscall.SIGTERM)
	require.Equal(t, 137, p.Wait(t))
	for _, id := range append(ids, guard) { // all are killed by now, and a kill takes a moment
		processtest.Eventually(t, "it is gone", func() bool { return processtest.Gone(id) })
	}
}

// Supervisor, guard and command are stopped past the lease, as on a suspended machine. The
// command continues first. The fence refuses its write, because only the fence can.
func TestFenceAfterTheWholeGroupWasStopped(t *testing.T) {
	t.Parallel()
	const lease = time.Second
	file, w := processtest.StoreFile(t), newWorkers(t)
	m := processtest.WatchLeader(t, file)
	args := append([]string{"--lease", lease.String()}, w.args(workFenced)...)
	processes := map[string]*processtest.Process{"a": processtest.Start(t, file, "a", args...), "b": processtest.Start(t, file, "b", args...)}
	for id := range processes {
		processtest.Eventually(t, id+" is registered", func() bool { _, ok := m.Candidate(id); return ok })
	}
	var (
		id, other  string
		pid, guard int
	)
	for frozen := false; !frozen; { // on a busy machine the tenure may end before all are stopped
		processtest.Eventually(t, "a command writes", func() bool { return len(w.lines(t, "wrote")) > 0 })
		all := w.lines(t, "wrote")
		_, err := fmt.Sscan(all[len(all)-1], &id, &pid, &guard)
		require.NoError(t, err)
		frozen = freeze(t, m.DB, pid, guard, processes[id].Cmd.Process.Pid)
	}
	other = map[string]string{"a": "b", "b": "a"}[id]
	before := len(w.lines(t, "wrote "+other))
	processtest.Eventually(t, "the other command writes", func() bool { return len(w.lines(t, "wrote "+other)) > before })
	thaw(pid)
	processtest.Eventually(t, "the write is refused", func() bool { return slices.Contains(w.lines(t, "fenced "+id), strconv.Itoa(pid)) })

	value, err := kv.ReadTransact(t.Context(), m.DB, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(sink).Get() })
	require.NoError(t, err)
	newest, err := election.ParseToken(string(value))
	require.NoError(t, err)
	require.Equal(t, other, newest.ID)
	thaw(guard, processes[id].Cmd.Process.Pid)
	processtest.Says(t, &processes[id].Stderr, "leader="+other+" term=")
	processtest.Eventually(t, "the guard has ended", func() bool { return processtest.Gone(guard) })
	m.End()
	m.Sound()
}

// The command of a leader that leaves may drain for much longer than the lease, because the
// lease is renewed meanwhile. The successor begins after that.
func TestPreStop(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	const lease = time.Second
	file, w := processtest.StoreFile(t), newWorkers(t)
	args := append([]string{"--lease", lease.String(), "--pre-stop", "1m"}, w.args(workDraining)...)
	a := processtest.Start(t, file, "a", args...)
	w.next(t, 0, "")
	processtest.Start(t, file, "b", args...)
	a.Signal(syscall.SIGTERM)
	second := w.next(t, 1, "a")
	require.NotEmpty(t, w.lines(t, "drained"), "the command had enough time to drain")
	require.Zero(t, second.overlap)
	require.Zero(t, a.Wait(t))
	require.NotContains(t, a.Stderr.String(), "in time")
}

// parentOf returns the parent of a process.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), ") ") // the name comes before
	var state string
	var parent int
	_, err = fmt.Sscan(rest, &state, &parent)
	require.NoError(t, err)
	return parent
}
