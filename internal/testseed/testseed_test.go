package testseed_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
)

// The command that a failure prints repeats it.
func TestReplay(t *testing.T) {
	t.Run("part", func(t *testing.T) {
		if _, given := testseed.Given(t); given {
			fmt.Println("drew", testseed.Draw(t), testseed.Random(t).IntN(1000))
			return
		}
		_, command, _ := strings.Cut(testseed.Replay(t, 77), ": ")
		require.Contains(t, command, "SEED=77 go test -run '^TestReplay$/^part$'")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command+" -v")
		cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, string(output))
		require.Contains(t, string(output), "drew 77 ")
		require.Contains(t, string(output), command)
	})
}

// Without a seed, each run has its own.
func TestDraw(t *testing.T) {
	t.Setenv(testseed.Variable, "")
	first, second := testseed.Draw(t), testseed.Draw(t)
	require.NotEqual(t, first, second)
	t.Setenv(testseed.Variable, "12")
	require.Equal(t, uint64(12), testseed.Draw(t))
}
