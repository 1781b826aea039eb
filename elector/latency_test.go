package elector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// What a cycle counts allocates nothing, whether or not Stats is called.
func TestCountingAllocatesNothing(t *testing.T) {
	var c counts
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		c.renewals.Add(3 * time.Millisecond)
		c.watchEnded(machine.WatchTerm, nil)
		c.fenced.Add(1)
	}))
}
