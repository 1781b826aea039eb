// Package testseed draws the seeds of random tests, in one way for all of them.
package testseed

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

// Variable is the environment variable that gives a seed to a random test.
const Variable = "SEED"

// Draw returns a new seed, or the one that Variable gives. It logs the command that replays the
// test, for the folder of its package.
func Draw(t testing.TB) uint64 {
	t.Helper()
	seed, given := Given(t)
	if !given {
		seed = rand.Uint64()
	}
	t.Log(Replay(t, seed))
	return seed
}

// Given returns the seed that Variable gives, if it gives one.
func Given(t testing.TB) (seed uint64, given bool) {
	t.Helper()
	text := os.Getenv(Variable)
	if text == "" {
		return 0, false
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "the environment variable %s must be a whole number", Variable)
	return seed, true
}

// Random is a random source with a seed that Draw returns.
func Random(t testing.TB) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(Draw(t), 0)) //nolint:gosec // not for secrets
}

// Replay says with which command a test runs again with a seed.
func Replay(t testing.TB, seed uint64) string {
	var variables strings.Builder
	if longtest.Enabled() {
		variables.WriteString("LONG=1 ")
	}
	if os.Getenv("GOWORK") == "off" { // the module is not in the workspace
		variables.WriteString("GOWORK=off ")
	}
	return fmt.Sprintf("replay in the folder of this package: %s%s=%d go test -run '^%s$'",
		variables.String(), Variable, seed, strings.ReplaceAll(t.Name(), "/", "$/^"))
}
