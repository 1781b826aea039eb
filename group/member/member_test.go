package member_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// wallClock counts the virtual time of testing/synctest.
type wallClock struct{}

func (wallClock) Now() time.Time                                    { return time.Now() }
func (wallClock) Wall() time.Time                                   { return time.Now() }
func (wallClock) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// pool is a group in a test, and what its members lead.
type pool struct {
	t      *testing.T
	db     *memkv.DB
	broken atomic.Bool // the store fails
	group  *group.Group
	mu     sync.Mutex
	leads  map[string]string // member by shard
}

func newPool(t *testing.T, shards int) *pool {
	p := &pool{t: t, group: group.New(subspace.New("g")), leads: make(map[string]string)}
	p.db = memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(context.Context, *memkv.Call) error {
		if p.broken.Load() {
			return errors.New("no route to host")
		}
		return nil
	}}})
	p.do(func(tr kv.Transaction) error {
		_, err := p.group.Initialize(tr, group.DefaultConfig())
		return err
	})
	var names []string
	for i := range shards {
		names = append(names, fmt.Sprintf("shard-%04d", i))
	}
	for batch := range slices.Chunk(names, group.MaxBatch) {
		p.do(func(tr kv.Transaction) error {
			_, err := p.group.CreateShards(tr, batch, time.Now())
			return err
		})
	}
	return p
}

func (p *pool) do(fn func(tr kv.Transaction) error) {
	p.t.Helper()
	require.NoError(p.t, p.db.Transact(p.t.Context(), fn))
}

func (p *pool) member(id string, change ...func(*member.Options)) *member.Member {
	p.t.Helper()
	options := member.Options{ID: id, Clock: wallClock{}, Tags: map[string]string{"addr": id + ":80"}}
	for _, f := range change {
		f(&options)
	}
	m, err := member.New(p.db.NewClient(id, memkv.ClientOptions{}), p.group, options)
	require.NoError(p.t, err)
	return m
}

// work notes that a member leads a shard until its context ends.
func (p *pool) work(id string) member.Work {
	return func(ctx context.Context, shard *member.Shard) error {
		p.set(shard.Name(), id)
		<-ctx.Done()
		p.set(shard.Name(), "")
		return nil
	}
}

func (p *pool) set(shard, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.leads[shard]; other != "" && id != "" {
		p.t.Errorf("%s leads %s while %s does", id, shard, other)
	}
	p.leads[shard] = id
}

// shares returns the numbers of shards that the members lead.
func (p *pool) shares() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	shares := map[string]int{}
	for _, id := range p.leads {
		if id != "" {
			shares[id]++
		}
	}
	return shares
}

func TestRunLeadsAndHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 60)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 3)
		members := map[string]*member.Member{}
		for _, id := range []string{"a", "b", "c"} {
			m := p.member(id)
			members[id] = m
			go func() { ended <- m.Run(ctx, p.work(id)) }()
		}
		time.Sleep(10 * time.Second)
		require.Equal(t, map[string]int{"a": 20, "b": 20, "c": 20}, p.shares())
		require.Len(t, members["a"].Shards(), 20)
		shard := members["b"].Shards()[0]
		leader, ok := members["a"].Leader(shard.Name())
		require.True(t, ok)
		require.Equal(t, "b", leader.ID)
		require.Equal(t, "b:80", leader.Tags["addr"])
		require.Equal(t, shard.Term(), leader.Term)
		require.NoError(t, members["a"].Health(ctx))
		require.Equal(t, member.StateMember, members["a"].Status().State)
		require.Equal(t, 20, members["a"].Status().Leading)

		require.NoError(t, members["b"].Stop(ctx))
		require.NoError(t, <-ended)
		synctest.Wait()
		time.Sleep(time.Second)
		require.Equal(t, map[string]int{"a": 30, "c": 30}, p.shares())
		require.ErrorIs(t, shard.Context().Err(), context.Canceled)
		require.ErrorIs(t, context.Cause(shard.Context()), fdbelection.ErrNotLeader)
		require.Equal(t, uint64(20), members["b"].Stats().Released[group.ReasonStop])
		require.ErrorIs(t, p.db.Transact(ctx, shard.Fence), fdbelection.ErrFenced)

		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		require.Empty(t, p.shares())
	})
}

func TestACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 30)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a, b := p.member("a"), p.member("b")
		go func() { _ = a.Run(ctx, p.work("a")) }()
		go func() { _ = b.Run(ctx, p.work("b")) }()
		time.Sleep(10 * time.Second)
		require.Equal(t, map[string]int{"a": 15, "b": 15}, p.shares())
		a.Abandon()
		synctest.Wait()
		require.Equal(t, map[string]int{"b": 15}, p.shares())
		time.Sleep(11 * time.Second)
		require.Equal(t, map[string]int{"b": 30}, p.shares())
		require.Equal(t, uint64(1), b.Stats().Evictions)
		require.NoError(t, b.Stop(ctx))
	})
}

// TestCallbacks: OnAcquire and OnRelease are called once for each tenure, and a shard is handed
// over after OnRelease has returned.
func TestCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 40)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := func(id string) *member.Member {
			m := p.member(id)
			require.NoError(t, m.Start(ctx, member.Callbacks{
				OnAcquire: func(shard *member.Shard) error { p.set(shard.Name(), id); return nil },
				OnRelease: func(shard *member.Shard) { time.Sleep(100 * time.Millisecond); p.set(shard.Name(), "") },
			}))
			return m
		}
		a := start("a")
		time.Sleep(5 * time.Second)
		require.Equal(t, map[string]int{"a": 40}, p.shares())
		start("b")
		time.Sleep(10 * time.Second)
		require.Equal(t, map[string]int{"a": 20, "b": 20}, p.shares())
		require.ErrorIs(t, a.Start(ctx, member.Callbacks{}), elector.ErrRunning)
		require.NoError(t, a.Stop(ctx))
		time.Sleep(time.Second)
		require.Equal(t, map[string]int{"b": 40}, p.shares())
		cancel()
		time.Sleep(10 * time.Second)
		require.Empty(t, p.shares())
	})
}

func TestFailedWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		broken := errors.New("broken")
		a, b := p.member("a"), p.member("b")
		runs := make(chan string, 100)
		done := make(chan error, 2)
		go func() {
			done <- a.Run(ctx, func(context.Context, *member.Shard) error { runs <- "a"; return broken })
		}()
		time.Sleep(5 * time.Second)
		require.Equal(t, "a", <-runs)
		failed, ok := errors.AsType[*member.WorkError](<-a.Errors())
		require.True(t, ok)
		require.ErrorIs(t, failed, broken)
		require.Equal(t, "shard-0000", failed.Shard)
		require.False(t, failed.Stopping)
		go func() { done <- b.Run(ctx, p.work("b")) }()
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"b": 1}, p.shares(), "another member leads the shard")
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, <-done)
	})
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		changed := make(chan []string, 100)
		router := p.member("router", func(o *member.Options) { o.OnRoutesChange = func(shards []string) { changed <- shards } })
		_, known := router.Leader("shard-0000")
		require.False(t, known)
		require.Error(t, router.WaitSynced(ctx))
		require.NoError(t, router.Observe(ctx))
		require.NoError(t, router.WaitSynced(ctx))
		require.Equal(t, member.StateObserver, router.Status().State)
		a := p.member("a")
		go func() { _ = a.Run(ctx, p.work("a")) }()
		time.Sleep(5 * time.Second)
		leader, known := router.Leader("shard-0000")
		require.True(t, known)
		require.Equal(t, "a", leader.ID)
		require.NotEmpty(t, changed)
		a.Abandon()
		require.NoError(t, router.Stop(ctx))
	})
}

func TestADuplicateID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, second := p.member("a"), p.member("a")
		done := make(chan error, 1)
		go func() { done <- first.Run(ctx, p.work("a")) }()
		time.Sleep(5 * time.Second)
		err := second.Run(ctx, p.work("second"))
		require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
		require.ErrorIs(t, second.Health(ctx), elector.ErrStopped)
		require.Equal(t, map[string]int{"a": 1}, p.shares())
		cancel()
		require.NoError(t, <-done)
	})
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		why := errors.New("no cache yet")
		set := func(err error) { mu.Lock(); defer mu.Unlock(); why = err }
		a := p.member("a", func(o *member.Options) {
			o.Ready = func(context.Context) error { mu.Lock(); defer mu.Unlock(); return why }
		})
		b := p.member("b")
		done := make(chan error, 2)
		go func() { done <- a.Run(ctx, p.work("a")) }()
		go func() { done <- b.Run(ctx, p.work("b")) }()
		time.Sleep(10 * time.Second)
		require.Equal(t, map[string]int{"b": 10}, p.shares())
		require.Equal(t, member.StateUnready, a.Status().State)
		set(nil)
		time.Sleep(10 * time.Second)
		require.Equal(t, map[string]int{"a": 5, "b": 5}, p.shares())
		set(errors.New("cache lost"))
		time.Sleep(5 * time.Second)
		require.Equal(t, map[string]int{"b": 10}, p.shares())
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, <-done)
	})
}

func TestNewRefusesBadOptions(t *testing.T) {
	db, g := memkv.New(memkv.Options{}), group.New(subspace.New("g"))
	_, err := member.New(nil, g, member.Options{})
	require.Error(t, err)
	_, err = member.New(db, g, member.Options{ID: "a\n", DrainLimit: -1, Capacity: -3})
	require.ErrorContains(t, err, "control character")
	require.ErrorContains(t, err, "DrainLimit")
	_, err = member.New(db, g, member.Options{Capacity: -3})
	require.ErrorContains(t, err, "capacity")
}
