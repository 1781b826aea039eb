package membership_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// In calm, a member that dies is evicted within a hundredth of a heartbeat after its lease, and the
// latency of three operations, whatever the phase of its heartbeats: the others look for them just
// when they are due.
func TestADeathIsNoticedAtOnce(t *testing.T) {
	for offset := range 8 {
		t.Run(fmt.Sprint(offset), func(t *testing.T) {
			config := testConfig()
			c := newCluster(t, config, 20)
			names := []string{"a", "b", "c", "d", "e"}
			for i, name := range names {
				c.start(name)
				c.pass(time.Duration(1+(offset*7+i*5)%11) * 137 * time.Millisecond)
			}
			var late []time.Duration
			for _, name := range names[:4] {
				c.pass(5 * config.HeartbeatInterval)
				dead := c.all[name]
				beat := dead.machine.Beat()
				dead.kill()
				at := func() bool {
					return slices.ContainsFunc(c.alive, func(p *process) bool { return slices.Contains(p.evicted, name) })
				}
				for !at() {
					c.pass(time.Millisecond)
					require.Less(t, c.now.Sub(beat), 3*config.LeaseDuration)
				}
				late = append(late, c.now.Sub(beat.Add(config.LeaseDuration)))
			}
			t.Log(late)
			require.Less(t, slices.Max(late), config.HeartbeatInterval/100+3*c.latency)
		})
	}
}
