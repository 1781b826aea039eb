package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
)

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// typed runs a command line in this process.
func typed(t *testing.T, line string, more ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := cli.Exec(t.Context(), append(strings.Fields(line), more...), strings.NewReader(""), &stdout, &stderr)
	return outcome{cli.ExitCode(err), stdout.String(), stderr.String()}
}
