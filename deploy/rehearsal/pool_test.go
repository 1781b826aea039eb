//go:build linux

package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	groupName = "jobs"
	failing   = "failing" // a group whose work fails
)

// pool is a group in this process, in a store of its own, and what Prometheus scrapes of it. What
// goes wrong in it goes on while other things go wrong with the elections, so that the rehearsal
// takes no longer.
type pool struct {
	t       *testing.T
	db      *memkv.DB
	space   subspace.Subspace
	group   *group.Group
	metrics *monitor.Members
	server  *httptest.Server
	members []*member.Member
	broken  *member.Member // of the group whose work fails

	stuck atomic.Pointer[chan struct{}] // the work on shards stops only when this is closed; nil: at once
}

// newPool returns a group of six shards with two members that can lead three each.
func newPool(t *testing.T) *pool {
	t.Helper()
	db, space := memkv.New(memkv.Options{}), subspace.New("fdbelection")
	p := &pool{t: t, db: db, space: space, group: group.New(space.Sub(groupName)), metrics: monitor.NewMembers(monitor.MembersOptions{})}
	p.make(p.group, "s1", "s2", "s3", "s4", "s5", "s6")
	registry := prometheus.NewRegistry()
	registry.MustRegister(p.metrics, monitor.NewGroups(db, space, monitor.GroupsOptions{}))
	p.server = httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(p.server.Close)
	p.join("m1", 3)
	p.join("m2", 3)
	return p
}

func (p *pool) address() string { return strings.TrimPrefix(p.server.URL, "http://") }

func (p *pool) does(fn func(tr kv.Transaction) error) {
	p.t.Helper()
	require.NoError(p.t, p.db.Transact(p.t.Context(), fn))
}

// make makes a group, or more shards of it.
func (p *pool) make(g *group.Group, shards ...string) {
	p.t.Helper()
	p.does(func(tr kv.Transaction) error {
		_, err := g.Initialize(tr, group.ConfigWithLease(lease))
		if err == nil {
			_, err = g.CreateShards(tr, shards, time.Now())
		}
		return err
	})
}

func (p *pool) join(id string, capacity int32) {
	p.t.Helper()
	m := p.start(groupName, p.group, member.Options{ID: id, Capacity: capacity, DrainLimit: time.Hour}, nil)
	p.members = append(p.members, m)
}

// start starts a member whose work fails with an error.
func (p *pool) start(name string, g *group.Group, options member.Options, fails error) *member.Member {
	p.t.Helper()
	m, err := member.New(p.db, g, options)
	require.NoError(p.t, err)
	require.NoError(p.t, m.Start(context.WithoutCancel(p.t.Context()), member.Callbacks{
		OnAcquire: func(*member.Shard) error { return fails },
		OnRelease: func(*member.Shard) {
			if stuck := p.stuck.Load(); stuck != nil {
				<-*stuck
			}
		},
	}))
	p.t.Cleanup(m.Abandon)
	p.metrics.Add(name, m)
	return m
}

// checkPool checks the group while nothing is wrong with it.
func (w *world) checkPool() {
	w.t.Helper()
	for query, want := range map[string]float64{
		"fdbelection_group_shards": 6, "fdbelection_group_free_shards": 0, "fdbelection_group_moving_shards": 0,
		"fdbelection_group_share_spread": 0, `fdbelection_group_members{state="ready"}`: 2, "sum(fdbelection_member_leading_shards)": 6,
	} {
		await(w.t, query, func() bool { return w.value(query) == want })
	}
}

// awaitAlert waits until an alert of the group fires, or does not any more.
func (w *world) awaitAlert(name string, fires bool) {
	w.t.Helper()
	await(w.t, fmt.Sprintf("%s fires: %t", name, fires), func() bool { return w.firing(w.t.Context())["FdbelectionGroup"+name] == fires })
	w.t.Logf("%5.1f s  Group%s fires: %t", time.Since(w.began).Seconds(), name, fires)
}

// overfill makes more shards than the members can lead, and a group whose work fails.
func (w *world) overfill() {
	w.t.Helper()
	w.pool.make(w.pool.group, "s7", "s8")
	g := group.New(w.pool.space.Sub(failing))
	w.pool.make(g, "s1", "s2", "s3", "s4")
	w.pool.broken = w.pool.start(failing, g, member.Options{ID: "broken"}, errors.New("the work is broken"))
}

// block lets members join that could lead all shards, while no work stops.
func (w *world) block() {
	w.t.Helper()
	w.awaitAlert("WorkEnds", true)
	w.pool.broken.Abandon()
	w.pool.metrics.Remove(w.pool.broken)
	w.pool.does(func(tr kv.Transaction) error { tr.ClearRange(w.pool.space.Sub(failing).Range()); return nil })
	w.awaitAlert("ShardFree", true)
	stuck := make(chan struct{})
	w.pool.stuck.Store(&stuck)
	w.pool.join("m3", 0)
	w.awaitAlert("ShardFree", false)
	w.pool.join("m4", 0)
}

// crash lets the work stop, and then all members crash.
func (w *world) crash() {
	w.t.Helper()
	w.awaitAlert("Imbalance", true)
	close(*w.pool.stuck.Load())
	w.awaitAlert("Imbalance", false)
	for _, m := range w.pool.members {
		m.Abandon()
	}
}

// recoverPool starts members again, after the alerts that say that all have crashed.
func (w *world) recoverPool() {
	w.t.Helper()
	w.awaitAlert("MemberSilent", true)
	w.awaitAlert("MemberMissing", true)
	for _, id := range []string{"n1", "n2", "n3", "n4"} {
		w.pool.join(id, 0)
	}
	w.awaitAlert("MemberSilent", false)
}
