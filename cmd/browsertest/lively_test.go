package browsertest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// tenure is how a tenure in the past began and ended, in minutes before now.
type tenure struct {
	leader string
	begin  int
	end    int  // 0: the next one took its place
	handed bool // by the leader before
	live   bool // the leader before was alive, and is preempted
	dupe   bool // a duplicate id was found in it
}

// members are the candidates of the elections of lively.
func members() map[string]election.Registration {
	all := map[string]election.Registration{}
	for i, one := range []struct {
		id       string
		priority int32
		zone     string
	}{{"ash", 20, "eu-1"}, {"birch", 10, "eu-2"}, {"elm", 10, "eu-3"}, {"oak", 5, "eu-1"}} {
		all[one.id] = member(one.id, func(r *election.Registration) {
			r.Priority, r.UserVersion, r.Metadata = one.priority, uint16(i), map[string]string{"zone": one.zone, "version": "2.4.1"}
		})
	}
	all["rowan"] = member("rowan", func(r *election.Registration) { r.Role = election.Observer })
	return all
}

// plays writes tenures of the past. The last one goes on.
func (o *office) plays(all map[string]election.Registration, tenures ...tenure) {
	o.w.t.Helper()
	start := time.Now()
	before := func(minutes int) time.Time { return start.Add(-time.Duration(minutes) * time.Minute) }
	for _, id := range []string{"ash", "birch", "elm", "oak", "rowan"} {
		o.enter(all[id], before(tenures[0].begin))
	}
	for i, one := range tenures {
		if one.live {
			o.renews(all[tenures[i-1].leader], before(one.begin).Add(-time.Second))
		}
		switch {
		case one.handed:
			o.transfers(one.leader, before(one.begin))
			o.cycle(all[one.leader], before(one.begin).Add(time.Second))
		default:
			o.claims(all[one.leader], before(one.begin))
		}
		if one.dupe {
			o.does(func(tr kv.Transaction) error {
				return o.RecordDuplicate(tr, all[one.leader].Identity, election.Identity{ID: one.leader, Incarnation: uuid.New()}, before(one.begin-40))
			})
		}
		if one.end > 0 {
			o.renews(all[one.leader], before(one.end))
			o.resigns(before(one.end))
		}
	}
}

// renews writes a lease that is live at a time.
func (o *office) renews(me election.Registration, at time.Time) {
	o.does(func(tr kv.Transaction) error {
		_, err := o.RunElectionCycle(tr, me, at, election.WithObservation(election.Observation{}, at))
		return err
	})
}

// lively is a store with elections in every state. Candidates renew and write heartbeats until the
// test ends.
func lively(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	all := members()
	usual := func(c *fdbelection.Config) {
		*c = fdbelection.DefaultConfig()
		c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay = 0, 0, 0
	}
	others := func(leader string) (rest []election.Registration) {
		for _, id := range []string{"ash", "birch", "elm", "oak", "rowan"} {
			if id != leader {
				rest = append(rest, all[id])
			}
		}
		return rest
	}

	orders := w.elect("orders", usual)
	orders.plays(all,
		tenure{leader: "birch", begin: 1390, end: 1180}, tenure{leader: "oak", begin: 1163, dupe: true}, tenure{leader: "elm", begin: 905, live: true},
		tenure{leader: "birch", begin: 780, handed: true}, tenure{leader: "oak", begin: 470, end: 452}, tenure{leader: "oak", begin: 415},
		tenure{leader: "birch", begin: 192, live: true})
	orders.does(func(tr kv.Transaction) error {
		config, err := orders.ReadConfig(tr)
		grace := fdbelection.DefaultConfig()
		config.PreemptionGrace, config.Revision = grace.PreemptionGrace, 0
		if err == nil {
			_, err = orders.WriteConfig(tr, config)
		}
		return err
	})
	waiting := others("birch")
	for i := range waiting {
		if waiting[i].ID == "oak" {
			waiting[i].NotReady = "still replaying the journal"
			waiting[i].Metadata = map[string]string{"zone": "eu-1", "version": "2.5.0"}
		}
	}
	orders.renews(all["birch"], time.Now())
	orders.cycle(all["ash"], time.Now()) // asks for leadership
	request, err := kv.ReadTransact(t.Context(), w.Database, orders.ReadRequest)
	require.NoError(t, err)
	require.NotEqual(t, election.NoRequest, request.Kind)
	orders.keeps(all["birch"], waiting...)

	for _, one := range []struct {
		name, leader string
		minutes      int
	}{{"billing", "ash", 251}, {"email-digest", "oak", 61}, {"index-builder", "elm", 1711}, {"invoices", "birch", 8}, {"payments", "ash", 3011}, {"search-reindex", "ash", 420}, {"thumbnails", "elm", 97}, {"webhooks", "birch", 42}} {
		o := w.elect(one.name, usual)
		o.plays(all, tenure{leader: one.leader, begin: one.minutes})
		o.keeps(all[one.leader], others(one.leader)...)
	}

	ledger := w.elect("ledger", usual)
	ledger.plays(all, tenure{leader: "oak", begin: 377})
	ledger.does(func(tr kv.Transaction) error {
		tr.Set(ledger.Subspace().Sub("candidates", "pine").Bytes(), []byte("?"))
		return nil
	})
	ledger.keeps(all["oak"], others("oak")...)

	w.livelyGroup("indexer", func() {})
	reports := w.elect("reports", usual)
	reports.plays(all, tenure{leader: "ash", begin: 300}, tenure{leader: "elm", begin: 90, end: 12})
	return w
}

// livelyGroup makes a group in which a member has died and another one has joined. pause is called
// between the two.
func (w *world) livelyGroup(name string, pause func()) {
	shards := numbered(96)
	indexer := w.pool(name, shards...)
	for _, id := range []string{"ash", "birch", "elm"} {
		indexer.Joins(id, func(m *group.Member) { m.Tags = map[string]string{"zone": "eu-1"} })
	}
	for i, id := range []string{"ash", "birch", "elm"} {
		indexer.Claims(id, shards[i*32:(i+1)*32]...)
	}
	pause()
	leaves(indexer, "birch")
	indexer.Claims("ash", shards[32:48]...)
	indexer.Claims("elm", shards[48:64]...)
	pause()
	indexer.Joins("oak", func(m *group.Member) { m.Weight = 2 })
	for i := range 24 {
		indexer.Gives("ash", shards[i], "oak", group.ReasonBalance)
		indexer.Gives("elm", shards[64+i], "oak", group.ReasonBalance)
	}
	pause()
	indexer.Does(func(tr kv.Transaction) error { return indexer.Pin(tr, "shard-00", "oak") })
	w.t.Cleanup(indexer.Lives("ash", "elm", "oak"))
}
