//go:build unix

package probe_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/probe"
	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

// script returns a check of a shell script. $0 is the path of a file that does not exist.
func script(t *testing.T, text string) (check probe.Check, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "pid")
	return probe.Command(append(probe.Shell(text), file), os.Environ()), file
}

// awaitPID waits until a script has written a process id to a file.
func awaitPID(t *testing.T, file string) (pid int) {
	t.Helper()
	processtest.Eventually(t, "the script runs", func() bool {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		return true
	})
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	return pid
}

// The exit code decides, and the last line of the output is part of the reason.
func TestCommandResult(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		"exit 0":                        "",
		"echo ready; echo really >&2":   "",
		"exit 3":                        "exit status 3",
		"echo one; echo two; exit 1":    "exit status 1: two",
		"echo why >&2; exit 1":          "exit status 1: why",
		`printf '\033[2Jclear'; exit 1`: `exit status 1: "\x1b[2Jclear"`,
		"kill -9 $$":                    "signal: killed",
		"yes | head -c 5000000; exit 1": "exit status 1: y",
		"tr '\\0' x < /dev/zero | head -c 5000000; exit 1": "exit status 1: " + strings.Repeat("x", 200) + "...",
		"cat; exit 4": "exit status 4", // it gets no input
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			check, _ := script(t, text)
			for range 2 {
				if err := check(t.Context()); reason == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, reason)
				}
			}
		})
	}
}

// A command that cannot be started is a failure.
func TestCommandThatDoesNotStart(t *testing.T) {
	t.Parallel()
	check := probe.Command([]string{filepath.Join(t.TempDir(), "missing")}, nil)
	for range 2 {
		require.ErrorIs(t, check(t.Context()), os.ErrNotExist)
	}
}

// A check returns when its time is over, and nothing of its process group runs on, even if
// it ignores SIGTERM and never stops to print.
func TestCommandIsKilledInTime(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"silent":   `trap '' TERM; echo $$ > $0; while :; do sleep 1000; done`,
		"children": `trap '' TERM; (trap '' TERM; sh -c 'echo $$ > '$0'; sleep 1000; sleep 1000') & wait`,
		"talks":    `trap '' TERM; echo $$ > $0; while :; do echo still waiting; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check, file := script(t, text)
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- check(ctx) }()
			pid := awaitPID(t, file)
			cancel()
			require.ErrorContains(t, <-result, "in time") // it may have written its pid before the check knew that it runs
			processtest.Eventually(t, "it was killed", func() bool { return processtest.Gone(pid) })
		})
	}
}

// A process that a check leaves behind in its group is killed. One that leaves the group
// does not delay the check by keeping the output open.
func TestCommandLeavesProcessesBehind(t *testing.T) {
	t.Parallel()
	check, file := script(t, `sleep 1000 & echo $! > $0`)
	require.NoError(t, check(t.Context()))
	pid := awaitPID(t, file)
	processtest.Eventually(t, "it was killed", func() bool { return processtest.Gone(pid) })

	check, file = script(t, `exec 3>&1; setsid sh -c 'echo $$ > '$0'; exec sleep 1000' & while [ ! -s $0 ]; do :; done; exit 5`)
	require.EqualError(t, check(t.Context()), "exit status 5")
	require.False(t, processtest.Gone(awaitPID(t, file)), "this test has to leave a process behind")
}
