//go:build unix

package run_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

// The examples in the help of run work as printed, apart from the path of the store.
func TestRunExamples(t *testing.T) {
	t.Parallel()
	var help, stderr bytes.Buffer
	require.NoError(t, cli.Exec(t.Context(), []string{"run", "--help"}, strings.NewReader(""), &help, &stderr))
	examples := 0
	for line := range strings.Lines(help.String()) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "fdbelect run ")
		if !ok || !strings.Contains(command, "file:/tmp/demo.db") {
			continue
		}
		examples++
		t.Run(strconv.Itoa(examples), func(t *testing.T) { // a command has characters that the shell would expand in a path
			t.Parallel()
			t.Log(command)
			dir := t.TempDir()
			for _, name := range []string{"worker", "migrate-the-database"} {
				script := "#!/bin/sh\n: > " + filepath.Join(dir, "ran") + "\n"
				if name == "worker" {
					script += "trap exit TERM; while :; do sleep 0.02; done\n"
				}
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
			}
			file := filepath.Join(dir, "demo.db")
			subscribes := strings.Contains(command, "--observe")
			if subscribes {
				processtest.Start(t, file, "a")
			}
			p := processtest.ShellProcess(t, dir, "exec fdbelect run "+strings.NewReplacer("/tmp/demo.db", file, "9100", "0").Replace(command))
			out := &p.Stderr
			switch {
			case !strings.Contains(command, " -- "):
				processtest.Says(t, out, "role=leader")
			case subscribes:
				out = &p.Stdout
				processtest.Says(t, out, "a leads\n")
			default:
				processtest.Says(t, out, "role=leader")
				processtest.Eventually(t, "the command runs", func() bool { _, err := os.Stat(filepath.Join(dir, "ran")); return err == nil })
			}
			if !strings.Contains(command, "--once") {
				p.Signal(syscall.SIGTERM)
			}
			require.Zero(t, p.Wait(t))
		})
	}
	require.GreaterOrEqual(t, examples, 5)
}
