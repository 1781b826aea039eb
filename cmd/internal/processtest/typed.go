package processtest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
)

// outcome is how a command ended.
type Outcome struct {
	Code           int
	Stdout, Stderr string
}

// typed runs a command line in this process.
func Typed(t *testing.T, line string, more ...string) Outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := cli.Exec(t.Context(), append(strings.Fields(line), more...), strings.NewReader(""), &stdout, &stderr)
	return Outcome{exit.Code(err), stdout.String(), stderr.String()}
}
