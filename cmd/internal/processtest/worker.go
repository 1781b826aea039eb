//go:build unix

package processtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Worker returns the arguments that make run start a worker, which runs until SIGTERM, or
// until SIGKILL if it is stubborn. pids waits until a worker has started, and returns its
// process id and that of its child. Call pids once for each start.
func Worker(t *testing.T, stubborn bool) (args []string, pids func() []int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pids")
	trap := "trap exit TERM"
	if stubborn {
		trap = "trap '' TERM"
	}
	script := trap + `; sleep 1000 & echo $$ $! > ` + file + `.new; mv ` + file + `.new ` + file + `; while :; do sleep 0.05; done`
	return []string{"--", "sh", "-c", script}, func() []int {
		Eventually(t, "the worker runs", func() bool { _, err := os.Stat(file); return err == nil })
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.Remove(file))
		var ids []int
		for field := range strings.FieldsSeq(string(text)) {
			id, err := strconv.Atoi(field)
			require.NoError(t, err)
			ids = append(ids, id)
			t.Cleanup(func() { _ = syscall.Kill(id, syscall.SIGKILL) })
		}
		require.Len(t, ids, 2)
		return ids
	}
}

// Gone reports whether a process has ended. A zombie has ended.
func Gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// HoldStore locks a store file as another process would, until release is called.
func HoldStore(t *testing.T, file string) (release func()) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	return func() { require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_UN)) }
}
