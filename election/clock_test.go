package election

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/subspace"
)

// Readings without a run would be taken for those of the next process under the same
// id, if that has no incarnation either.
func TestAClockWithoutARun(t *testing.T) {
	now := time.Unix(7, 0)
	e := New(subspace.New("clock"), WithClock(Clock{Now: func() time.Time { return now }}))
	require.NotEqual(t, uuid.Nil, e.clock.Run)
	require.Equal(t, now, e.clock.Now())
	again := New(subspace.New("clock"), WithClock(Clock{Now: e.clock.Now}))
	require.Equal(t, e.clock.Run, again.clock.Run, "it is the same in the whole process")
}
