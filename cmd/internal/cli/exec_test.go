package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
)

// TestErrorsArePlain: errors do not control a terminal.
func TestErrorsArePlain(t *testing.T) {
	var stderr bytes.Buffer
	err := Exec(t.Context(), []string{"status", "--\x1b[2J\u202e"}, strings.NewReader(""), &stderr, &stderr)
	require.Error(t, err)
	require.Equal(t, exit.CodeUsage, exit.Code(err))
	require.Contains(t, stderr.String(), `\x1b[2J\u202e`)
	require.Equal(t, terminal.SafeLines(stderr.String()), stderr.String())
	require.Equal(t, exit.CodeTimedOut, exit.Code(exit.TimedOut(errors.New("late"))))
}
