package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// stuck is a terminal that accepts nothing until the channel is closed.
type stuck chan struct{}

func (s stuck) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}

// A terminal that accepts nothing delays no Write, and delays Close by a second only.
func TestJournalNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal := make(stuck)
		start := time.Now()
		j := New(terminal)
		for range 1000 {
			n, err := j.Write([]byte("something\n"))
			require.NoError(t, err)
			require.Equal(t, 10, n)
		}
		require.Zero(t, time.Since(start))
		j.Close(clitest.Virtual{})
		require.Equal(t, time.Second, time.Since(start))
		close(terminal)
	})
}
