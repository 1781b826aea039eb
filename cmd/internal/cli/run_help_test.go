//go:build unix

package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
)

// The examples in the help of run work as they stand, but for the place of the
// store.
func TestRunExamples(t *testing.T) {
	var help, stderr bytes.Buffer
	require.NoError(t, cli.Exec(t.Context(), []string{"run", "--help"}, strings.NewReader(""), &help, &stderr))
	examples := 0
	for line := range strings.Lines(help.String()) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "fdbelect run ")
		if !ok || !strings.Contains(command, "file:/tmp/demo.db") {
			continue
		}
		examples++
		t.Run(command, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"worker", "migrate-the-database"} {
				script := "#!/bin/sh\n: > " + filepath.Join(dir, "ran") + "\n"
				if name == "worker" {
					script += "trap exit TERM; while :; do sleep 0.02; done\n"
				}
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
			}
			file := filepath.Join(dir, "demo.db")
			observes := strings.Contains(command, "--observe")
			if observes {
				start(t, file, "a")
			}
			p := shellProcess(t, dir, "exec fdbelect run "+strings.ReplaceAll(command, "/tmp/demo.db", file))
			out := &p.stderr
			switch {
			case !strings.Contains(command, " -- "):
				says(t, out, "role=leader")
			case observes:
				out = &p.stdout
				says(t, out, "a leads\n")
			default:
				says(t, out, "role=leader")
				eventually(t, "the command runs", func() bool { _, err := os.Stat(filepath.Join(dir, "ran")); return err == nil })
			}
			if !strings.Contains(command, "--once") {
				p.signal(syscall.SIGTERM)
			}
			require.Zero(t, p.wait(t))
		})
	}
	require.GreaterOrEqual(t, examples, 5)
}
