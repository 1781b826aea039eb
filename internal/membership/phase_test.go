package membership_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
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

// If two members join at a time, each shard moves at most once.
func TestTwoJoinAtATime(t *testing.T) {
	c := newCluster(t, testConfig(), 60)
	for _, name := range []string{"a", "b", "c"} {
		c.start(name)
	}
	c.pass(30 * time.Second)
	terms := map[string]uint64{}
	for name, row := range c.rows()[group.KindShard] {
		terms[name] = row.Shard.Term
	}
	c.start("d")
	c.pass(50 * time.Millisecond)
	c.start("e")
	c.pass(30 * time.Second)
	require.Equal(t, map[string]int{"a": 12, "b": 12, "c": 12, "d": 12, "e": 12}, c.shares())
	for name, row := range c.rows()[group.KindShard] {
		require.LessOrEqual(t, row.Shard.Term, terms[name]+1, name)
	}
}

// If all members start at about the same time, each shard is claimed by the member that should lead
// it, and none moves.
func TestAColdStart(t *testing.T) {
	for _, gap := range []time.Duration{0, 10 * time.Millisecond, 40 * time.Millisecond} {
		t.Run(gap.String(), func(t *testing.T) {
			c := newCluster(t, testConfig(), 1000)
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				c.start(name)
				c.pass(gap)
			}
			c.pass(10 * time.Second)
			require.Equal(t, map[string]int{"a": 200, "b": 200, "c": 200, "d": 200, "e": 200}, c.shares())
			moved := 0
			for _, row := range c.rows()[group.KindShard] {
				moved += int(row.Shard.Term) - 1
			}
			require.Zero(t, moved)
		})
	}
}
