package cli

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// TestSecondInterrupt: one interrupt may arrive twice, from a terminal and from a parent
// that forwards it. A person who sends a second one takes longer.
func TestSecondInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caught, forced := make(chan os.Signal), false
		go awaitSecond(clitest.Virtual{}, caught, func() { forced = true })
		interrupt := func(after time.Duration) {
			sent := make(chan struct{})
			clitest.Virtual{}.AfterFunc(after, func() {
				caught <- os.Interrupt
				close(sent)
			})
			<-sent
			synctest.Wait()
		}
		interrupt(0)
		interrupt(time.Millisecond)
		interrupt(sameInterrupt - 2*time.Millisecond)
		require.False(t, forced)
		interrupt(time.Millisecond)
		require.True(t, forced)
	})
}
