package cli_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
)

// The demo tells all of its story, in virtual time.
func TestDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		start := time.Now()
		err := cli.ExecOn(t.Context(), cli.Virtual{}, []string{"demo"}, &stdout, &stderr)
		t.Logf("\n%s%s", &stdout, &stderr)
		require.NoError(t, err)
		require.Empty(t, stderr.String())
		require.InDelta(t, 15*time.Second, time.Since(start), float64(3*time.Second))
		for _, line := range []string{
			"ash, birch, cedar and elm register", "renews its lease: ballot 4.", "oak accepts", "takes over.",
			"Refused as a conflict", "Refused with ErrFenced", "leaves;", "payments without a gap", "Done.",
		} {
			require.Contains(t, stdout.String(), line)
		}
		require.NotContains(t, stdout.String(), "\x1b", "no colour but on a terminal")
		for line := range strings.Lines(stdout.String()) {
			require.LessOrEqual(t, len(line), 101, line)
		}
	})
}

func TestDemoInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		var stdout, stderr bytes.Buffer
		err := cli.ExecOn(ctx, cli.Virtual{}, []string{"demo"}, &stdout, &stderr)
		require.Equal(t, 1, cli.ExitCode(err))
		require.Equal(t, "fdbelect: the demo was interrupted\n", stderr.String())
	})
}
