package processtest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
)

// Outcome is the result of a command line.
type Outcome struct {
	Code           int
	Stdout, Stderr string
}

// Typed runs a command line in the process of the test. Words in line are separated by
// spaces. Arguments in more may contain spaces.
func Typed(t *testing.T, line string, more ...string) Outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := cli.Exec(t.Context(), append(strings.Fields(line), more...), strings.NewReader(""), &stdout, &stderr)
	return Outcome{exit.Code(err), stdout.String(), stderr.String()}
}
