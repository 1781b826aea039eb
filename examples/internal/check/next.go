package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Next returns the next value of a channel. It fails the test if none comes within ten seconds.
func Next[T any](tb testing.TB, values <-chan T) T {
	tb.Helper()
	select {
	case value := <-values:
		return value
	case <-time.After(10 * time.Second):
		require.FailNow(tb, "nothing has come within ten seconds")
		panic("not reached")
	}
}
