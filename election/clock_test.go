package election

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/subspace"
)

// TestClockWithoutRun: New gives a clock without a Run a random one. Otherwise the next process
// with the same id could use the stored readings, if neither has an incarnation.
func TestClockWithoutRun(t *testing.T) {
	now := time.Unix(7, 0)
	e := New(subspace.New("clock"), WithClock(Clock{Now: func() time.Time { return now }}))
	require.NotEqual(t, uuid.Nil, e.clock.Run)
	require.Equal(t, now, e.clock.Now())
	again := New(subspace.New("clock"), WithClock(Clock{Now: e.clock.Now}))
	require.Equal(t, e.clock.Run, again.clock.Run, "the Run is the same in the whole process")
}
