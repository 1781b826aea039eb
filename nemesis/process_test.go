package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startTestProcess starts a process, and ends it with the test.
func startTestProcess(t *testing.T, argv ...string) *process {
	t.Helper()
	dir := t.TempDir()
	d, err := openDiary(dir, "test")
	require.NoError(t, err)
	p, err := startProcess(d, nothing, filepath.Join(dir, "log"), argv)
	require.NoError(t, err)
	t.Cleanup(func() { p.end(time.Second) })
	return p
}

// stopped reports whether a process is stopped.
func stopped(p *process) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	return err == nil && strings.Contains(string(text), ") T ")
}

func TestSlowServer(t *testing.T) {
	s := &server{process: startTestProcess(t, "sleep", "100")}
	require.NoError(t, s.falter())
	require.Eventually(t, func() bool { return stopped(s.process) }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return !stopped(s.process) }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.settle())
	require.False(t, stopped(s.process))
}

// TestChildOf finds the processes below a worker.
func TestChildOf(t *testing.T) {
	p := startTestProcess(t, "sh", "-c", "sh -c 'sleep 100; true'; true")
	var child, grandchild int
	require.Eventually(t, func() bool {
		if child = childOf(p.cmd.Process.Pid); child == 0 {
			return false
		}
		grandchild = childOf(child)
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", grandchild))
		return err == nil && string(name) == "sleep\n"
	}, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, childOf(grandchild))
	t.Cleanup(func() {
		for _, pid := range []int{child, grandchild} {
			if process, err := os.FindProcess(pid); err == nil {
				_ = process.Kill()
			}
		}
	})
}
