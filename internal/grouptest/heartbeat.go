package grouptest

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var heartbeatTests = []test{
	rule02AHeartbeatTakesTheLeaseOfTheConfig,
	rule02AnUnreadableConfigKeepsTheLease,
	rule02AHeartbeatThatIsNotTheLastOneEndsTheSession,
	rule02HeartbeatsOfOneSessionConflict,
	rule02AHeartbeatCostsOneReadAndOneWrite,
}

func rule02AHeartbeatTakesTheLeaseOfTheConfig(t *testing.T, g *testGroup) {
	g.initialized()
	me, _ := g.join("me")
	g.configure(func(c *group.Config) { c.LeaseDuration = 30 * time.Second })
	g.Do(func(tr kv.Transaction) error {
		beat, config, err := g.Heartbeat(tr, me.Identity, 1, 12345)
		require.Equal(t, 30*time.Second, beat.Lease)
		require.Equal(t, beat.Lease, config.LeaseDuration)
		require.EqualValues(t, 12345, beat.Mirror)
		require.Equal(t, me.Identity, beat.Identity)
		return err
	})
	require.Equal(t, 30*time.Second, g.beat("me").Lease)
	require.EqualValues(t, 12345, g.beat("me").Mirror)
}

func rule02AnUnreadableConfigKeepsTheLease(t *testing.T, g *testGroup) {
	g.initialized()
	me, first := g.join("me")
	for name, spoil := range map[string]func(){
		"damaged":  func() { g.damage("group") },
		"missing":  func() { g.Remove("group") },
		"tomorrow": func() { g.Spoil(subspace.AppendInt(nil, 2), "group") },
	} {
		spoil()
		before := g.beat("me")
		g.Do(func(tr kv.Transaction) error {
			beat, config, err := g.Heartbeat(tr, me.Identity, before.Counter, 0)
			require.Equal(t, before.Counter+1, beat.Counter, name)
			require.Equal(t, first.Lease, beat.Lease, name)
			require.Zero(t, config, name)
			return err
		})
	}
}

func rule02AHeartbeatThatIsNotTheLastOneEndsTheSession(t *testing.T, g *testGroup) {
	g.initialized()
	for name, change := range map[string]func(restored string){
		"missing":  func(string) { g.Remove("beats", "me") },
		"damaged":  func(string) { g.damage("beats", "me") },
		"restored": func(restored string) { g.Spoil([]byte(restored), "beats", "me") },
		"of another incarnation": func(string) {
			seen := g.beat("me")
			_, err := g.tryJoin(group.Joining{Member: newMember("me"), Seen: &seen})
			require.NoError(t, err)
		},
	} {
		me, first := g.join("me")
		second := g.beats(me)
		change(first.Value)
		before := g.Dump()
		_, err := g.tryHeartbeat(me, second.Counter)
		require.ErrorIs(t, err, group.ErrSessionEnded, name)
		require.Equal(t, before, g.Dump(), name)
		seen := g.beat("me")
		next := newMember("me")
		_, err = g.tryJoin(group.Joining{Member: next, Seen: &seen})
		require.NoError(t, err)
		g.leave(next)
	}
	// The counter that was acknowledged last, or a higher one, is in order: it may have been an
	// attempt whose result is unknown.
	me, first := g.join("me")
	_, err := g.tryHeartbeat(me, first.Counter)
	require.NoError(t, err)
	_, err = g.tryHeartbeat(me, first.Counter)
	require.NoError(t, err)
}

func rule02HeartbeatsOfOneSessionConflict(t *testing.T, g *testGroup) {
	g.initialized()
	me, _ := g.join("me")
	one, two := g.Begin(), g.Begin()
	for _, tr := range []kv.Transaction{one, two} {
		_, _, err := g.Heartbeat(tr, me.Identity, 0, 0)
		require.NoError(t, err)
	}
	require.NoError(t, one.Commit())
	g.RequireConflict(two)
}

// It changes nothing but its own record: neither the member nor the log.
func rule02AHeartbeatCostsOneReadAndOneWrite(t *testing.T, g *testGroup) {
	g.initialized("a")
	me := g.ready("me")
	g.leads(me, "a")
	before := g.Dump()
	g.beats(me)
	after := g.Dump()
	require.Len(t, after, len(before))
	for i, row := range after {
		if !bytes.Equal(row.Key, g.Key("beats", "me")) {
			require.Equal(t, before[i], row)
		}
	}
}
