package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

// makeGroup makes a group with shards s0000 and so on.
func makeGroup(t testing.TB, db kv.Database, space subspace.Subspace, shards int) *group.Group {
	t.Helper()
	g := group.New(space)
	names := make([]string, shards)
	for i := range names {
		names[i] = fmt.Sprintf("s%04d", i)
	}
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := g.Initialize(tr, group.DefaultConfig())
		return err
	}))
	for batch := range slices.Chunk(names, group.MaxBatch) {
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			_, err := g.CreateShards(tr, batch, time.Now())
			return err
		}))
	}
	return g
}

// joins starts a member of a group that is abandoned at the end of the test.
func (w *world) joins(name, id string, set ...func(*member.Options)) *member.Member {
	w.Helper()
	opts := member.Options{ID: id, Clock: virtual{}}
	for _, s := range set {
		s(&opts)
	}
	m, err := member.New(w.db, group.New(w.root.Sub(name)), opts)
	require.NoError(w, err)
	require.NoError(w, m.Start(w.Context(), member.Callbacks{
		OnAcquire: func(*member.Shard) error { return nil }, OnRelease: func(*member.Shard) {},
	}))
	w.Cleanup(func() {
		m.Abandon()
		time.Sleep(time.Second)
	})
	synctest.Wait()
	return m
}

func (w *world) groups(opts monitor.GroupsOptions) *monitor.Groups {
	opts.Clock = virtual{}
	return monitor.NewGroups(w.db, w.root, opts)
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A group, seen from outside: in calm, while a shard is steered, and after a death.
func TestGroups(t *testing.T) {
	inWorld(t, func(w *world) {
		g := makeGroup(w, w.db, w.root.Sub("jobs"), 8)
		w.initialize("orders")
		w.joins("jobs", "a")
		w.joins("jobs", "b")
		w.joins("jobs", "cold", func(o *member.Options) {
			o.Ready = func(context.Context) error { return errors.New("cold") }
		})
		sleep(30 * time.Second)
		c := w.groups(monitor.GroupsOptions{})
		requireSeries(t, c, map[string]float64{
			"group_enabled{group=jobs}":                               1,
			"group_lease_seconds{group=jobs}":                         10,
			"group_shards{group=jobs}":                                8,
			"group_free_shards{group=jobs}":                           0,
			"group_oldest_free_seconds{group=jobs}":                   0,
			"group_moving_shards{group=jobs}":                         0,
			"group_share_spread{group=jobs}":                          0,
			"group_members{group=jobs,state=ready}":                   2,
			"group_members{group=jobs,state=not_ready}":               1,
			"group_members{group=jobs,state=silent}":                  0,
			"group_member_shards{group=jobs,member=a}":                4,
			"group_member_shards{group=jobs,member=cold}":             0,
			"group_moves_total{group=jobs,reason=vacancy}":            0,
			"group_moves_total{group=jobs,reason=not_ready}":          0,
			"group_vacated_total{group=jobs,reason=work}":             0,
			"group_unreadable_records{group=jobs}":                    0,
			"group_members_left_out{group=jobs}":                      0,
			"groups{}":                                                1,
			"groups_left_out{}":                                       0,
			"groups_scrape_success{}":                                 1,
			"group_member_heartbeat_age_seconds{group=jobs,member=a}": 0,
		})
		require.Less(t, series(t, c)["group_member_mirror_lag_seconds{group=jobs,member=a}"], 7.0)
		problems, err := testutil.CollectAndLint(c)
		require.NoError(t, err)
		require.Empty(t, problems)

		w.transact(func(tr kv.Transaction) error { return g.Drain(tr, "b") })
		w.transact(func(tr kv.Transaction) error { return g.Pin(tr, "s0001", "a") })
		w.transact(func(tr kv.Transaction) error {
			tr.Set(w.root.Sub("jobs", "pins", "s0003").Bytes(), []byte("damaged"))
			return nil
		})
		sleep(10 * time.Minute)
		series(t, c) // the next read reads all records again
		sleep(30 * time.Second)
		requireSeries(t, c, map[string]float64{
			"group_member_shards{group=jobs,member=b}":   0,
			"group_moves_total{group=jobs,reason=drain}": 4,
			"group_drains{group=jobs}":                   1,
			"group_pins{group=jobs}":                     1,
			"group_unreadable_records{group=jobs}":       1,
			"group_requests{group=jobs}":                 0,
			"group_members{group=jobs,state=draining}":   1,
		})
	})
}

// If all members are dead, they are silent after a lease, and no member evicts them.
func TestGroupsOfTheDead(t *testing.T) {
	inWorld(t, func(w *world) {
		makeGroup(w, w.db, w.root.Sub("jobs"), 4)
		a := w.joins("jobs", "a")
		sleep(20 * time.Second)
		c := w.groups(monitor.GroupsOptions{})
		requireSeries(t, c, map[string]float64{"group_members{group=jobs,state=ready}": 1})
		a.Abandon()
		sleep(15 * time.Second)
		series(t, c)
		sleep(10 * time.Second)
		requireSeries(t, c, map[string]float64{
			"group_members{group=jobs,state=silent}":   1,
			"group_members{group=jobs,state=ready}":    0,
			"group_free_shards{group=jobs}":            0,
			"group_member_shards{group=jobs,member=a}": 4,
		})
		w.joins("jobs", "b")
		sleep(25 * time.Second)
		requireSeries(t, c, map[string]float64{
			"group_members{group=jobs,state=silent}":      0,
			"group_member_shards{group=jobs,member=b}":    4,
			"group_moves_total{group=jobs,reason=expiry}": 4,
		})
		require.NotContains(t, series(t, c), "group_member_shards{group=jobs,member=a}")
	})
}

// A shard that no member can lead is free for as long as that is seen.
func TestGroupsWithFreeShards(t *testing.T) {
	inWorld(t, func(w *world) {
		makeGroup(w, w.db, w.root.Sub("jobs"), 3)
		c := w.groups(monitor.GroupsOptions{})
		requireSeries(t, c, map[string]float64{"group_free_shards{group=jobs}": 3, "group_oldest_free_seconds{group=jobs}": 0})
		w.joins("jobs", "a", func(o *member.Options) { o.Capacity = 2 })
		sleep(time.Minute)
		requireSeries(t, c, map[string]float64{
			"group_free_shards{group=jobs}": 1, "group_oldest_free_seconds{group=jobs}": 60, "group_moves_total{group=jobs,reason=vacancy}": 2,
		})
	})
}

// Names, ids and damaged records from the database cannot break the format or the registry.
func TestGroupsWithHostileNames(t *testing.T) {
	inWorld(t, func(w *world) {
		long := strings.Repeat("é", 100)
		for _, name := range []string{"a\nb", "\x1b[2J", `"a\nb"`, long + "1", long + "2"} {
			makeGroup(w, w.db, w.root.Sub(name), 1)
		}
		w.joins(`"a\nb"`, `<script>"}`)
		w.transact(func(tr kv.Transaction) error {
			for _, path := range [][]string{{"group"}, {"members", "x"}, {"shards", "s0000"}} {
				tr.Set(w.root.Sub("\x1b[2J").Sub(path...).Bytes(), []byte("damaged"))
			}
			return nil
		})
		sleep(10 * time.Second)
		got := series(t, w.groups(monitor.GroupsOptions{}))
		require.InDelta(t, 3, got["groups{}"], 0)
		require.InDelta(t, 2, got["groups_left_out{}"], 0, "two labels are equal to others")
		require.Contains(t, got, `group_member_shards{group="a\nb",member=<script>"}}`)
		require.InDelta(t, 3, got[`group_unreadable_records{group="\x1b[2J"}`], 0)
		require.InDelta(t, 1, got[`group_members{group="\x1b[2J",state=silent}`], 0, "it has no heartbeat")
		require.NotContains(t, got, `group_enabled{group="\x1b[2J"}`)
		for name := range got {
			require.NotContains(t, name, "\n")
			require.NotContains(t, name, "\x1b")
			require.Less(t, len(name), 300)
		}
	})
}

// The limits bound the series. What is left out is counted.
func TestGroupsLimits(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 3 {
			makeGroup(w, w.db, w.root.Sub(fmt.Sprintf("g%d", i)), 1)
		}
		for i := range 5 {
			w.joins("g0", fmt.Sprintf("m%d", i))
		}
		got := series(t, w.groups(monitor.GroupsOptions{Limit: 2, Members: 3}))
		require.InDelta(t, 2, got["groups{}"], 0)
		require.InDelta(t, 1, got["groups_left_out{}"], 0)
		require.InDelta(t, 2, got["group_members_left_out{group=g0}"], 0)
		require.Contains(t, got, "group_member_shards{group=g0,member=m2}")
		require.NotContains(t, got, "group_member_shards{group=g0,member=m3}")
	})
}

// If the store cannot be read, only the metrics of the scrape are exported.
func TestGroupsOfAStoreThatIsAway(t *testing.T) {
	c := monitor.NewGroups(brokenStore{}, subspace.New("root"), monitor.GroupsOptions{})
	got := series(t, c)
	require.InDelta(t, 0, got["groups_scrape_success{}"], 0)
	require.InDelta(t, 1, got["groups_scrape_errors_total{}"], 0)
	require.Len(t, got, 3)
}

type brokenStore struct{ kv.Database }

func (brokenStore) ReadTransact(context.Context, func(tr kv.ReadTransaction) error) error {
	return errors.New("the disk is on fire")
}

// What a member exports of itself.
func TestGroupMembers(t *testing.T) {
	inWorld(t, func(w *world) {
		g := makeGroup(w, w.db, w.root.Sub("jobs"), 4)
		a := w.joins("jobs", "a")
		c := monitor.NewMembers(monitor.MembersOptions{})
		c.Add("jobs", a)
		c.Add("jobs", w.joins("jobs", "b"))
		sleep(20 * time.Second)
		before := w.db.Counters()
		requireSeries(t, c, map[string]float64{
			"member_state{group=jobs,member=a,state=member}":          1,
			"member_state{group=jobs,member=a,state=not_ready}":       0,
			"member_leading_shards{group=jobs,member=a}":              2,
			"member_ending_shards{group=jobs,member=a}":               0,
			"member_synced{group=jobs,member=a}":                      1,
			"member_healthy{group=jobs,member=a}":                     1,
			"member_released_total{group=jobs,member=a,reason=drain}": 0,
			"member_evictions_total{group=jobs,member=a}":             0,
			"members_left_out{}":                                      0,
		})
		require.Greater(t, series(t, c)["member_heartbeat_duration_seconds{group=jobs,member=a}"], 3.0)
		require.Equal(t, before, w.db.Counters(), "a collection does no I/O")
		problems, err := testutil.CollectAndLint(c)
		require.NoError(t, err)
		require.Empty(t, problems)

		acquired := series(t, c)["member_acquired_total{group=jobs,member=b}"]
		w.transact(func(tr kv.Transaction) error { return g.Drain(tr, "a") })
		sleep(10 * time.Second)
		requireSeries(t, c, map[string]float64{
			"member_released_total{group=jobs,member=a,reason=drain}": 2,
			"member_leading_shards{group=jobs,member=b}":              4,
		})
		a.Abandon()
		sleep(20 * time.Second)
		requireSeries(t, c, map[string]float64{
			"member_evictions_total{group=jobs,member=b}":     1,
			"member_state{group=jobs,member=a,state=stopped}": 1,
			"member_acquired_total{group=jobs,member=b}":      acquired + 2,
		})
		c.Remove(a)
		require.NotContains(t, series(t, c), "member_synced{group=jobs,member=a}")
	})
}

// ahead is a clock that jumps ahead of virtual time.
type ahead struct {
	virtual
	jump *atomic.Int64
}

func (a ahead) Now() time.Time { return time.Now().Add(time.Duration(a.jump.Load())) }

// writer calls a function for each line.
type writer func()

func (w writer) Write(line []byte) (int, error) { w(); return len(line), nil }

// A scrape answers at once if a Logger blocks the loop of a member.
func TestGroupMembersOfABlockedLoop(t *testing.T) {
	inWorld(t, func(w *world) {
		makeGroup(w, w.db, w.root.Sub("jobs"), 4)
		var blocks atomic.Bool
		var jump atomic.Int64
		entered, opened := make(chan struct{}), make(chan struct{})
		a := w.joins("jobs", "a", func(o *member.Options) {
			o.Clock = ahead{jump: &jump}
			o.Logger = slog.New(slog.NewTextHandler(writer(func() {
				if blocks.CompareAndSwap(true, false) {
					close(entered)
					<-opened
				}
			}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		open := sync.OnceFunc(func() { close(opened) })
		w.Cleanup(open)
		c := monitor.NewMembers(monitor.MembersOptions{})
		c.Add("jobs", a)
		sleep(10 * time.Second)
		blocks.Store(true)
		<-entered
		jump.Store(int64(time.Minute))
		got := series(t, c)
		require.Zero(t, got["member_healthy{group=jobs,member=a}"])
		require.InDelta(t, 4, got["member_acquired_total{group=jobs,member=a}"], 0)
		require.NotContains(t, got, "member_leading_shards{group=jobs,member=a}")
		requireStatus(t, monitor.Readyz(a), 503, "elector is stuck")
		open()
	})
}

// Members that are added twice, or above the limit.
func TestGroupMembersLimit(t *testing.T) {
	c := monitor.NewMembers(monitor.MembersOptions{Limit: 1})
	for _, id := range []string{"a", "a", "b"} {
		m, err := member.New(memkv.New(memkv.Options{}), group.New(subspace.New("g")), member.Options{ID: id})
		require.NoError(t, err)
		c.Add("jobs", m)
	}
	got := series(t, c)
	require.InDelta(t, 1, got["members_left_out{}"], 0)
	require.InDelta(t, 1, got["member_state{group=jobs,member=a,state=stopped}"], 0)
}
