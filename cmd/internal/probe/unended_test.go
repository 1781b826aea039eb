package probe

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A check whose time is over before it has started does not leave a process behind.
func TestCommandThatStartsLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		c := command{args: []string{"sleep", "1000"}}
		require.ErrorContains(t, c.check(ctx), "in time")
		<-c.unended
		require.True(t, c.ended())
	}
}

// A command that cannot be killed is not started a second time.
func TestCommandThatCannotBeKilled(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	c := command{args: Shell("exit 0"), unended: hangs}
	require.EqualError(t, c.check(t.Context()), "the last check was killed and has not ended")
	close(hangs)
	require.NoError(t, c.check(t.Context()))
}
