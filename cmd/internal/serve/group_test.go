package serve

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// pool returns a group with two members that lead a shard each. One shard is free.
func pool(t *testing.T) *clitest.Pool {
	t.Helper()
	p := clitest.NewPool(t, 3)
	p.Joins("a", func(m *group.Member) { m.Tags = map[string]string{"zone": "<b>"} })
	p.Joins("b")
	p.Claims("a", "s0", "s1")
	p.Gives("a", "s1", "b", group.ReasonBalance)
	return p
}

// leaves makes a member leave without a release: its shards are free then.
func leaves(p *clitest.Pool, id string) {
	p.Does(func(tr kv.Transaction) error { return p.Leave(tr, p.Members[id].Identity) })
}

// groupStates are states of a group that the API has to describe.
var groupStates = map[string]func(p *clitest.Pool){
	"led":             func(*clitest.Pool) {},
	"pinned, drained": func(p *clitest.Pool) { p.Does(func(tr kv.Transaction) error { return p.Pin(tr, "s0", "b") }) },
	"not ready":       func(p *clitest.Pool) { p.Joins("c", func(m *group.Member) { m.NotReady = "cache is cold" }) },
	"a newer rule": func(p *clitest.Pool) {
		leaves(p, "a")
		leaves(p, "b")
		p.Joins("c", func(m *group.Member) { m.Balance++ })
	},
	"no members":     func(p *clitest.Pool) { leaves(p, "a"); leaves(p, "b") },
	"damaged config": func(p *clitest.Pool) { p.Spoils("group") },
	"damaged shard":  func(p *clitest.Pool) { p.Spoils("shards", "s1") },
	"damaged member": func(p *clitest.Pool) { p.Spoils("members", "a") },
	"damaged beat":   func(p *clitest.Pool) { p.Spoils("beats", "a") },
}

var groupPaths = []string{"/api/v1/group/status", "/api/v1/group/members", "/api/v1/group/shards", "/api/v1/group/history"}

func TestAnswersOfGroupsAreAsDescribed(t *testing.T) {
	d := readDescription(t)
	for name, state := range groupStates {
		t.Run(name, func(t *testing.T) {
			p := pool(t)
			state(p)
			h := handler(p.Database)
			w := get(h, "/api/v1/list")
			require.Equal(t, http.StatusOK, w.Code)
			d.requireDescribed(t, "/api/v1/list", w)
			for _, path := range groupPaths {
				w := get(h, path+"?group=default")
				require.Equal(t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
				d.requireDescribed(t, path, w)
				w = get(h, path+"?group=%3Cx%3E")
				require.Equal(t, http.StatusNotFound, w.Code)
				d.requireDescribed(t, path, w)
				w = get(h, path)
				require.Equal(t, http.StatusNotFound, w.Code)
				require.Contains(t, w.Body.String(), "?group=NAME")
			}
		})
	}
	h := handler(pool(t).Database)
	for _, query := range []string{"shards?group=default&limit=-1", "history?group=default&limit=x", "shards?group=default&free=true&leader=a"} {
		w := get(h, "/api/v1/group/"+query)
		require.Equal(t, http.StatusBadRequest, w.Code, query)
	}
	require.Equal(t, http.StatusBadRequest, get(h, "/api/v1/stream?group=default&election=default").Code)
}

// TestSelectedShards: the parameters select shards and events.
func TestSelectedShards(t *testing.T) {
	p := pool(t)
	h := handler(p.Database)
	shards := func(query string) (all []string) {
		var list []report.Shard
		require.NoError(t, json.Unmarshal(get(h, "/api/v1/group/shards?group=default&"+query).Body.Bytes(), &list))
		for i := range list {
			all = append(all, list[i].Shard)
		}
		return all
	}
	require.Equal(t, []string{"s2", "s0", "s1"}, shards(""))
	require.Equal(t, []string{"s2"}, shards("free=true"))
	require.Equal(t, []string{"s1"}, shards("leader=b"))
	require.Equal(t, []string{"s1"}, shards("name=1"))
	require.Equal(t, []string{"s2", "s0"}, shards("limit=2"))
	var events []report.GroupEvent
	require.NoError(t, json.Unmarshal(get(h, "/api/v1/group/history?group=default&shard=s1&limit=1").Body.Bytes(), &events))
	require.Len(t, events, 1)
	require.Equal(t, groups.EventHandedOver, events[0].Event)
}

// TestListHasBothKinds: the list has elections and groups, by name.
func TestListHasBothKinds(t *testing.T) {
	m := clitest.NewManual(t)
	p := clitest.NewPoolIn(t, m.Database, 2)
	p.Joins("a")
	p.Claims("a", "s0")
	h := handler(m.Database)
	var all []listedGroup
	require.NoError(t, json.Unmarshal(get(h, "/api/v1/list").Body.Bytes(), &all))
	require.Len(t, all, 2)
	require.Equal(t, []string{"election", "group"}, []string{all[0].Type, all[1].Type})
	one := all[1]
	require.Equal(t, "default", one.Group)
	require.Equal(t, []int{1, 1, 0, 2, 1, 1}, []int{one.Members, one.Ready, one.Silent, one.Shards, one.Free, *one.Moving})
}

// groupPage is what a page of a group knows, from the events of its stream.
type groupPage struct {
	*page
	d       description
	status  *groupStatus
	members map[string]report.GroupMember
	seconds map[int64]groups.Second
	events  map[uint64]numberedEvent
}

func openGroupPage(t *testing.T, h http.Handler) *groupPage {
	return &groupPage{
		page: openPage(t, h, "?group=default"), d: readDescription(t), members: map[string]report.GroupMember{},
		seconds: map[int64]groups.Second{}, events: map[uint64]numberedEvent{},
	}
}

// update takes the events that have arrived, and returns their names.
func (p *groupPage) update() []string {
	all := p.next()
	for _, one := range all {
		p.d.requireValid(p.t, &jsonschema.Schema{Ref: "#/$defs/" + one.name + "_event"}, []byte(one.data))
		switch one.name {
		case "group":
			p.status = decode[*groupStatus](p.t, one)
		case "members":
			c := decode[changed[report.GroupMember]](p.t, one)
			for i := range c.Set {
				p.members[c.Set[i].ID] = c.Set[i]
			}
			for _, id := range c.Gone {
				delete(p.members, id)
			}
		case "seconds":
			for _, s := range decode[changed[groups.Second]](p.t, one).Set {
				p.seconds[s.At] = s
			}
		case "events":
			for _, e := range decode[changed[numberedEvent]](p.t, one).Set {
				p.events[e.Number] = e
			}
		}
	}
	return names(all)
}

// loads returns the shards of each member, and the free ones, as they are now, without what the
// seconds say: as they were before.
func (p *groupPage) before() (loads map[string]int, free int) {
	loads, free = map[string]int{}, p.status.Free
	for id := range p.members {
		loads[id] = p.members[id].Shards
	}
	for _, s := range p.seconds {
		for id, n := range s.Loads {
			loads[id] -= n
		}
		free -= s.Free
	}
	return loads, free
}

// TestGroupStream: the page of a group gets everything first, and then what has changed. From what
// it gets it can tell the loads of the past.
func TestGroupStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t)
		stop := p.Lives("a", "b")
		defer stop()
		page := openGroupPage(t, handler(p.Database))
		time.Sleep(interval)
		require.Equal(t, []string{"store", "members", "seconds", "events", "group"}, page.update())
		require.Equal(t, []int{3, 1, 2}, []int{page.status.Shards, page.status.Free, page.status.Members})
		require.Equal(t, 1, page.members["b"].Shards)
		require.Len(t, page.events, 9, "3 created, 2 joined, 2 claimed, 1 handed over, and the config")
		loads, free := page.before()
		require.Equal(t, map[string]int{"a": 0, "b": 0}, loads, "the log goes back to the creation")
		require.Zero(t, free)

		time.Sleep(time.Minute)
		page.update()
		require.Empty(t, page.update(), "nothing changes")
		clear(page.seconds)
		leaves(p, "a") // its shard becomes free, which is not in the log of shards
		time.Sleep(interval)
		require.Equal(t, []string{"members", "seconds", "events", "group"}, page.update())
		require.Equal(t, []int{2, 1}, []int{page.status.Free, page.status.Members})
		loads, free = page.before()
		require.Equal(t, map[string]int{"a": 1, "b": 1}, loads)
		require.Equal(t, 1, free)
	})
}

// TestGroupStreamOfNothing: a page waits for a group that does not exist. If the group is deleted
// and made again, it shows the new one.
func TestGroupStreamOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 2)
		page := openGroupPage(t, handler(p.Database))
		clearAll := func() {
			p.Does(func(tr kv.Transaction) error { tr.ClearRange(nil, []byte{0xff}); return nil })
		}
		clearAll()
		time.Sleep(2 * interval)
		page.update()
		require.Nil(t, page.status)
		again := clitest.NewPoolIn(t, p.Database, 1)
		time.Sleep(interval)
		require.Contains(t, page.update(), "group")
		require.Equal(t, 1, page.status.Shards)
		clearAll()
		clitest.NewPoolIn(t, p.Database, 5)
		time.Sleep(interval)
		page.update()
		require.Equal(t, 5, page.status.Shards)
		_ = again
	})
}

// TestDamagedGroup: damage is named, and the rest is shown.
func TestDamagedGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t)
		p.Spoils("shards", "s1")
		p.Spoils("group")
		page := openGroupPage(t, handler(p.Database))
		time.Sleep(interval)
		page.update()
		require.Nil(t, page.status.Config)
		require.Len(t, page.status.Unreadable, 2)
		require.Equal(t, 1, page.members["a"].Shards)
	})
}
