package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// BenchmarkFileStore is what many processes cost that run candidates on one file
// store with the default lease. One round is one second, so -benchtime 600x
// measures for ten minutes. It reports the processor time of a process, in
// milliseconds for each second, that of all as a share of one core, and how many
// tenures began while it measured, which should be none.
func BenchmarkFileStore(b *testing.B) {
	for _, n := range []int{10, 25, 50} {
		b.Run(fmt.Sprintf("processes=%d", n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "election.db")
			db, err := filekv.Open(path, filekv.Options{})
			require.NoError(b, err)
			defer func() { require.NoError(b, db.Close()) }()
			e := election.New(subspace.New("fdbelection", "default"))
			processes := startCandidates(b, path, n)
			awaitCandidates(b, db, e, n)

			second := time.NewTicker(time.Second)
			defer second.Stop()
			term, used, begin := leaderTerm(b, db, e), processorTime(b, processes), time.Now()
			for b.Loop() {
				<-second.C
			}
			spent, passed := processorTime(b, processes)-used, time.Since(begin)
			share := spent.Seconds() / passed.Seconds()
			b.ReportMetric(1000*share/float64(n), "cpu-ms/s/process")
			b.ReportMetric(100*share, "%core")
			b.ReportMetric(float64(leaderTerm(b, db, e)-term), "tenures")
		})
	}
}

// startCandidates starts n processes, which are killed at the end.
func startCandidates(b *testing.B, path string, n int) []*exec.Cmd {
	b.Helper()
	processes := make([]*exec.Cmd, n)
	for i := range processes {
		processes[i] = exec.Command("fdbelect", "run", "--store", "file:"+path, "--id", "c"+strconv.Itoa(i), "--", "sleep", "1000000")
		require.NoError(b, processes[i].Start())
	}
	b.Cleanup(func() {
		for _, p := range processes {
			_ = p.Process.Signal(syscall.SIGTERM)
		}
		for _, p := range processes {
			_ = p.Wait()
		}
	})
	return processes
}

// awaitCandidates waits until all take part and one leads.
func awaitCandidates(b *testing.B, db kv.Database, e *election.LeaderElection, n int) {
	b.Helper()
	require.Eventually(b, func() bool {
		candidates, err := kv.ReadTransact(b.Context(), db, e.ListCandidates)
		return err == nil && len(candidates) == n && leaderTerm(b, db, e) > 0
	}, time.Minute, 100*time.Millisecond)
}

// leaderTerm returns the term of the leader, 0 if there is none.
func leaderTerm(b *testing.B, db kv.Database, e *election.LeaderElection) uint64 {
	b.Helper()
	leader, err := kv.ReadTransact(b.Context(), db, e.GetLeaderRaw)
	if err != nil || leader.Vacant() {
		return 0
	}
	return leader.Term
}

// processorTime returns the processor time of processes so far.
func processorTime(b *testing.B, processes []*exec.Cmd) time.Duration {
	b.Helper()
	const tick = time.Second / 100 // USER_HZ, which is part of Linux's interface
	var sum time.Duration
	for _, p := range processes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
		require.NoError(b, err)
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		for _, field := range fields[11:13] { // user and system time
			ticks, err := strconv.Atoi(string(field))
			require.NoError(b, err)
			sum += time.Duration(ticks) * tick
		}
	}
	return sum
}
