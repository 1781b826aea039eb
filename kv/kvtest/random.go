package kvtest

import (
	"math/rand/v2"
	"os"
	"strconv"

	"github.com/stretchr/testify/require"
)

// seedVariable is the environment variable that replays a random case.
const seedVariable = "KVTEST_SEED"

// random returns a source of randomness, and logs how to replay it.
func (t *env) random() *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err, seedVariable)
	}
	t.Logf("seed %d; replay with: %s=%d go test -run '%s'", seed, seedVariable, seed, t.Name())
	return rand.New(rand.NewPCG(seed, 0))
}
