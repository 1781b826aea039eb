//go:build unix && !aix && !netbsd

package clock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSharedClocksCount(t *testing.T) {
	for name, now := range map[string]func() time.Duration{"Boot": Boot, "Monotonic": Monotonic} {
		t.Run(name, func(t *testing.T) {
			require.Positive(t, now(), "it counts from the start of the machine")
			requireCounts(t, func() func() time.Duration {
				begin := now()
				return func() time.Duration { return now() - begin }
			})
		})
	}
}
