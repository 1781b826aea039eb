package election

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMayClaim: after a leader record was lost, the longer of its lease and the lease of the
// config has to pass.
func TestMayClaim(t *testing.T) {
	seen := Observation{}.Next(LeaderRecord{Ballot: 3, Term: 1, Identity: meA, LeaseDuration: 10 * time.Second}, second(0))
	lost := seen.NextLost(second(1))
	for _, c := range []struct {
		seen  Observation
		lease time.Duration
		now   float64
		want  bool
	}{
		{Observation{}, 10 * time.Second, 0, true},
		{seen, 10 * time.Second, 0, true}, // the record is not lost
		{lost, 5 * time.Second, 10.9, false},
		{lost, 5 * time.Second, 11, true},
		{lost, 20 * time.Second, 20.9, false},
		{lost, 20 * time.Second, 21, true},
	} {
		require.Equal(t, c.want, c.seen.MayClaim(c.lease, second(c.now)), "%+v", c)
	}
}
