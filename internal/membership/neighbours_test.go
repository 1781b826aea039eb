package membership_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/membership"
)

// ledBy returns how many shard records name a member.
func (c *cluster) ledBy(name string) (n int) {
	for _, row := range c.rows()[group.KindShard] {
		if row.Shard.Leader.ID == name {
			n++
		}
	}
	return n
}

// A shard is not handed to a member that is silent, or that does not see the changes of the group,
// although its session lives (rule 5).
func TestUnfitTargets(t *testing.T) {
	for name, spoil := range map[string]func(c *cluster){
		"silent": func(c *cluster) {
			dead := c.all["c"]
			dead.kill()
			c.pass(dead.machine.Beat().Add(testConfig().HeartbeatInterval * 17 / 6).Sub(c.now))
		},
		"behind": func(c *cluster) {
			c.all["c"].blind = true
			c.pass(5 * testConfig().HeartbeatInterval)
			require.Equal(t, 10, c.shares()["c"], "its heartbeats go on")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, testConfig(), 30)
			for _, name := range []string{"a", "b", "c"} {
				c.start(name)
			}
			c.pass(30 * time.Second)
			require.Equal(t, 10, c.ledBy("c"))
			spoil(c)
			require.Contains(t, c.rows()[group.KindMember], "c")
			c.all["a"].post(membership.Leave{})
			c.pass(100 * time.Millisecond)
			require.True(t, c.all["a"].finished)
			require.Equal(t, 10, c.ledBy("c"))
			require.Equal(t, 20, c.ledBy("b"))
		})
	}
}

// Of more than 256 members, each reads the heartbeats of those that follow on the ring, and of all
// every third heartbeat. A death is noticed as soon as in a small group (rule 11).
func TestALargeGroup(t *testing.T) {
	longtest.Only(t)
	const members = 260
	config := testConfig()
	c := newCluster(t, config, 20)
	for i := range members {
		c.start(fmt.Sprintf("m%03d", i))
	}
	c.pass(6 * config.HeartbeatInterval)
	for _, p := range c.alive {
		p.looked = nil
	}
	c.pass(3 * config.HeartbeatInterval)
	for _, p := range c.alive {
		large := slices.DeleteFunc(slices.Clone(p.looked), func(n int) bool { return n <= 8 })
		require.Len(t, large, 1, p.name)
		require.GreaterOrEqual(t, len(p.looked), 3, p.name)
	}
	i := slices.IndexFunc(c.alive, func(p *process) bool { return len(p.leads) > 0 })
	dead := c.alive[i]
	beat := dead.machine.Beat()
	dead.kill()
	for !slices.ContainsFunc(c.alive, func(p *process) bool { return slices.Contains(p.evicted, dead.name) }) {
		c.pass(5 * time.Millisecond)
		require.Less(t, c.now.Sub(beat), 2*config.LeaseDuration)
	}
	require.Less(t, c.now.Sub(beat.Add(config.LeaseDuration)), config.HeartbeatInterval/100+4*c.latency)
	c.pass(time.Second)
	require.Zero(t, c.ledBy(dead.name))
}
