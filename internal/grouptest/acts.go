package grouptest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// scene is what there is before each act: "me" leads the shard "own", "other" leads "other's",
// "ended" is of the session "dead", which was evicted, and "vacant" has no leader. "unready" has
// joined and is not ready.
type scene struct {
	me, other, dead, unready group.Member
	own, others              group.Token
	fresh                    group.Member
	nonce                    [16]byte
	seen                     group.Beat // of other
	version                  int64
}

func (g *testGroup) scene() scene {
	g.T.Helper()
	g.initialized("own", "other's", "vacant", "ended")
	s := scene{me: g.ready("me"), other: g.ready("other"), dead: g.ready("dead"), fresh: newMember("new"), nonce: newNonce()}
	s.unready, _ = g.join("unready")
	s.own, s.others = g.leads(s.me, "own"), g.leads(s.other, "other's")
	g.leads(s.dead, "ended")
	g.evict(s.me, "dead")
	s.seen, s.version = g.beat("other"), g.now()
	return s
}

// act is one call of a function. What identifies it is fixed before it runs.
type act struct {
	name      string
	dependsOn []string
	prepare   func(g *testGroup, s scene)
	run       func(g *testGroup, tr kv.Transaction, s scene) error
	// silent says that it changes nothing that the log reports.
	silent bool
	// again is the error of a run after another one has committed. If it is nil, that run
	// changes nothing.
	again error
}

func (g *testGroup) claimed(tr kv.Transaction, m group.Member, name string, s scene) error {
	outcomes, err := g.Claim(tr, m.Identity, []group.Claim{{Shard: name, Nonce: s.nonce}}, at(5))
	if err != nil {
		return err
	}
	require.NoError(g.T, outcomes[0].Err)
	return nil
}

func (g *testGroup) gaveUp(tr kv.Transaction, s scene, r group.Release) error {
	outcomes, err := g.Release(tr, s.me.Identity, []group.Release{r}, at(5))
	if err != nil {
		return err
	}
	require.NoError(g.T, outcomes[0].Err)
	return nil
}

var acts = []act{
	{
		name: "joining", dependsOn: []string{"members/new", "beats/new"}, again: group.ErrIncarnationUsed,
		run: func(g *testGroup, tr kv.Transaction, s scene) error {
			_, _, err := g.Join(tr, group.Joining{Member: s.fresh})
			return err
		},
	},
	{name: "a change of a member", dependsOn: []string{"members/me"}, run: func(g *testGroup, tr kv.Transaction, s scene) error {
		s.me.NotReady = "its cache is cold"
		return g.UpdateMember(tr, s.me)
	}},
	{
		name: "an eviction", dependsOn: []string{"members/me", "members/other", "beats/other"},
		run: func(g *testGroup, tr kv.Transaction, s scene) error {
			_, err := g.Evict(tr, s.me.Identity, s.seen)
			return err
		},
	},
	{name: "leaving", dependsOn: []string{"members/me", "beats/me"}, run: func(g *testGroup, tr kv.Transaction, s scene) error {
		return g.Leave(tr, s.me.Identity)
	}},
	{
		name: "a claim of a vacant shard", dependsOn: []string{"members/me", "group", "shards/vacant"},
		run: func(g *testGroup, tr kv.Transaction, s scene) error { return g.claimed(tr, s.me, "vacant", s) },
	},
	{
		name: "a claim from an ended session", dependsOn: []string{"members/me", "group", "shards/ended"},
		run: func(g *testGroup, tr kv.Transaction, s scene) error { return g.claimed(tr, s.me, "ended", s) },
	},
	{
		name: "a claim if no member is ready", dependsOn: []string{"members/unready", "group", "shards/vacant"},
		prepare: func(g *testGroup, s scene) {
			for _, m := range []group.Member{s.me, s.other} {
				m.NotReady = settling
				g.update(m)
			}
		},
		run: func(g *testGroup, tr kv.Transaction, s scene) error { return g.claimed(tr, s.unready, "vacant", s) },
	},
	{
		name: "a claim of a shard that is led", dependsOn: []string{"members/me", "group", "shards/other's"}, silent: true,
		run: func(g *testGroup, tr kv.Transaction, s scene) error {
			_, err := g.Claim(tr, s.me.Identity, claims("other's"), at(5))
			return err
		},
	},
	{name: "a release", dependsOn: []string{"members/me", "shards/own"}, run: func(g *testGroup, tr kv.Transaction, s scene) error {
		return g.gaveUp(tr, s, group.Release{Token: s.own})
	}},
	{
		name: "a hand-over", dependsOn: []string{"members/me", "members/other", "group", "shards/own"},
		run: func(g *testGroup, tr kv.Transaction, s scene) error {
			return g.gaveUp(tr, s, group.Release{Token: s.own, Target: s.other.Identity, Nonce: s.nonce})
		},
	},
	{
		name: "a removal by the leader", dependsOn: []string{"members/me", "shards/own", "floor"},
		run: func(g *testGroup, tr kv.Transaction, s scene) error {
			return g.gaveUp(tr, s, group.Release{Token: s.own, Remove: true})
		},
	},
	{name: "the creation of a shard", dependsOn: []string{"shards/new", "floor"}, run: func(g *testGroup, tr kv.Transaction, _ scene) error {
		_, err := g.CreateShards(tr, []string{"new"}, at(5))
		return err
	}},
	{name: "the removal of a vacant shard", dependsOn: []string{"shards/vacant", "floor"}, run: remove("vacant")},
	{name: "the removal of a shard of an ended session", dependsOn: []string{"shards/ended", "floor"}, run: remove("ended")},
	{name: "the removal of a shard that is led", dependsOn: []string{"shards/other's", "requests/other's", "floor"}, run: remove("other's")},
	{name: "a higher term", dependsOn: []string{"shards/own", "floor"}, run: func(g *testGroup, tr kv.Transaction, _ scene) error {
		_, err := g.RaiseTerms(tr, []string{"own"}, 9, at(5))
		return err
	}},
	{
		name: "a request to resign", dependsOn: []string{"shards/other's", "requests/other's"},
		run: func(g *testGroup, tr kv.Transaction, s scene) error {
			return g.RequestResign(tr, "other's", s.others.Term, s.nonce)
		},
	},
	{
		name: "the end of a request", dependsOn: []string{"requests/own"},
		prepare: func(g *testGroup, _ scene) { g.removed("own") },
		run: func(g *testGroup, tr kv.Transaction, _ scene) error {
			_, err := g.CancelRequest(tr, "own")
			return err
		},
	},
	{name: "a pin", dependsOn: []string{"shards/vacant", "pins/vacant"}, run: func(g *testGroup, tr kv.Transaction, _ scene) error {
		return g.Pin(tr, "vacant", "other")
	}},
	{
		name: "the end of a pin", dependsOn: []string{"pins/own"},
		prepare: func(g *testGroup, _ scene) {
			g.Do(func(tr kv.Transaction) error { return g.Pin(tr, "own", "other") })
		},
		run: func(g *testGroup, tr kv.Transaction, _ scene) error {
			_, err := g.Unpin(tr, "own")
			return err
		},
	},
	{name: "a drain", dependsOn: []string{"drains/other"}, run: func(g *testGroup, tr kv.Transaction, _ scene) error {
		return g.Drain(tr, "other")
	}},
	{
		name: "the end of a drain", dependsOn: []string{"drains/me"},
		prepare: func(g *testGroup, _ scene) { g.Do(func(tr kv.Transaction) error { return g.Drain(tr, "me") }) },
		run: func(g *testGroup, tr kv.Transaction, _ scene) error {
			_, err := g.Undrain(tr, "me")
			return err
		},
	},
	{name: "a config", dependsOn: []string{"group"}, run: func(g *testGroup, tr kv.Transaction, s scene) error {
		config := group.ConfigWithLease(at(60).Sub(at(0)))
		config.Nonce = s.nonce
		_, err := g.WriteConfig(tr, config)
		return err
	}},
	{
		name: "the creation of a group that exists", dependsOn: []string{"group"}, silent: true,
		run: func(g *testGroup, tr kv.Transaction, _ scene) error {
			_, err := g.Initialize(tr, group.DefaultConfig())
			return err
		},
	},
	{name: "fenced work", dependsOn: []string{"shards/own"}, silent: true, run: func(g *testGroup, tr kv.Transaction, s scene) error {
		g.work(tr)
		return g.RequireLeadership(tr, s.own)
	}},
	{
		name: "work of a fenced leader", dependsOn: []string{"shards/other's"}, silent: true,
		run: func(g *testGroup, tr kv.Transaction, s scene) error {
			s.others.Nonce = s.nonce
			require.ErrorIs(g.T, g.RequireLeadership(tr, s.others), fdbelection.ErrFenced)
			return nil
		},
	},
	{name: "a trimming", dependsOn: []string{"trimmed"}, silent: true, run: func(g *testGroup, tr kv.Transaction, s scene) error {
		return g.Trim(tr, s.version)
	}},
	{name: "a watch", dependsOn: []string{"bell"}, silent: true, run: func(g *testGroup, tr kv.Transaction, _ scene) error {
		g.T.Cleanup(g.Watch(tr).Cancel)
		return nil
	}},
	{name: "reading", silent: true, run: func(g *testGroup, tr kv.Transaction, s scene) error { return g.readEverything(tr, s) }},
}

// heartbeat is an act that never is the same again.
var heartbeat = act{
	name: "a heartbeat", dependsOn: []string{"beats/me"}, silent: true,
	run: func(g *testGroup, tr kv.Transaction, s scene) error {
		_, _, err := g.Heartbeat(tr, s.me.Identity, 1, s.version)
		return err
	},
}

func remove(name string) func(g *testGroup, tr kv.Transaction, _ scene) error {
	return func(g *testGroup, tr kv.Transaction, _ scene) error {
		outcomes, err := g.RemoveShards(tr, []string{name})
		if err != nil {
			return err
		}
		require.NoError(g.T, outcomes[0].Err)
		return nil
	}
}

// readEverything calls every function that only reads.
func (g *testGroup) readEverything(tr kv.Transaction, s scene) error {
	if _, err := g.ReadConfig(tr); err != nil {
		return err
	}
	if _, err := g.ReadShard(tr, "own"); err != nil {
		return err
	}
	if _, err := g.ReadBeats(tr); err != nil {
		return err
	}
	if _, err := g.ReadBeats(tr, "me", "new"); err != nil {
		return err
	}
	if _, err := g.ReadLog(tr, 0, 1); err != nil {
		return err
	}
	page, err := g.ScanPage(tr, group.Position{}, 100)
	require.Len(g.T, page.Rows, 8, "config, three members and four shards; %s has left", election.SafeText(s.dead.ID))
	return err
}
