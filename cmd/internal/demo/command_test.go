package demo

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
)

// The demo runs all chapters, in virtual time.
func TestDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		start := time.Now()
		p := clitest.NewProgram(clitest.Virtual{}, &stdout, &stderr)
		err := clitest.Exec(t.Context(), p, Command(p), "demo")
		t.Logf("\n%s%s", &stdout, &stderr)
		require.NoError(t, err)
		require.Empty(t, stderr.String())
		require.InDelta(t, 15*time.Second, time.Since(start), float64(3*time.Second))
		for _, line := range []string{
			"ash, birch, cedar and elm register", "renews its lease: ballot 4.", "oak accepts", "takes over.",
			"Refused with a conflict", "Refused with ErrFenced", "resigns and leaves.", "payments without a gap", "Done.",
		} {
			require.Contains(t, stdout.String(), line)
		}
		require.NotContains(t, stdout.String(), "\x1b", "colours are for terminals")
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
		p := clitest.NewProgram(clitest.Virtual{}, &stdout, &stderr)
		err := clitest.Exec(ctx, p, Command(p), "demo")
		require.Equal(t, 1, exit.Code(err))
		require.Equal(t, "fdbelect: the demo was interrupted\n", stderr.String())
	})
}
