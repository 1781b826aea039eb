package membership_test

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/internal/membership/executor"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// cluster runs machines on one database, in virtual time and one after the other. An operation
// takes effect at its start and is answered a latency later.
type cluster struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	now     time.Time
	db      *memkv.DB
	group   *group.Group
	queue   events
	count   int
	steps   int
	alive   []*process
	all     map[string]*process
	latency time.Duration
	moves   []string // what happened to shards, in order
	commits int
	down    bool // the store does not answer
}

type process struct {
	cluster  *cluster
	name     string
	client   *memkv.Client
	machine  *membership.Machine
	executor *executor.Executor
	working  map[string]group.Token // works that have not returned
	leads    map[string]group.Token // that have not been told to stop
	watches  map[uint64]kv.Watch
	drainFor time.Duration
	wakes    int
	timer    bool // a wake-up is pending
	dead     bool
	down     bool  // the store does not answer it
	blind    bool  // it cannot read the log
	looked   []int // how many heartbeats its reads have found
	finished bool
	err      error
	evicted  []string
	reports  []membership.Report
}

type event struct {
	at    time.Time
	order int
	run   func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(e[i].at.Compare(e[j].at), cmp.Compare(e[i].order, e[j].order)) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func testConfig() group.Config {
	c := group.DefaultConfig()
	c.LeaseDuration, c.HeartbeatInterval, c.SettleDelay = 10*time.Second, 3*time.Second, 3*time.Second
	return c
}

func newCluster(t *testing.T, config group.Config, shards int, change ...func(*memkv.Options)) *cluster {
	c := &cluster{t: t, seed: 1, now: time.Unix(1_000_000, 0), group: group.New(subspace.New("g")), all: map[string]*process{}, latency: 5 * time.Millisecond}
	c.random = rand.New(rand.NewPCG(c.seed, 0))
	options := memkv.Options{
		Now: func() time.Time { return c.now }, Jitter: c.random.Float64,
		Sleep:    func(context.Context, time.Duration) error { return nil },
		OnCommit: func(memkv.LogEntry) { c.commits++ },
	}
	for _, f := range change {
		f(&options)
	}
	c.db = memkv.New(options)
	require.NoError(t, c.db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := c.group.Initialize(tr, config)
		return err
	}))
	c.create(0, shards)
	return c
}

func (c *cluster) create(from, to int) {
	var names []string
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprintf("shard-%05d", i))
	}
	for batch := range slices.Chunk(names, group.MaxBatch) {
		c.operate(func(tr kv.Transaction) error {
			_, err := c.group.CreateShards(tr, batch, c.now)
			return err
		})
	}
}

func (c *cluster) operate(fn func(tr kv.Transaction) error) {
	c.t.Helper()
	require.NoError(c.t, c.db.Transact(c.t.Context(), fn))
	c.poll()
}

func (c *cluster) at(d time.Duration, run func()) {
	c.count++
	heap.Push(&c.queue, event{c.now.Add(d), c.count, run})
}

// pass runs everything that happens within d.
func (c *cluster) pass(d time.Duration) {
	until := c.now.Add(d)
	for len(c.queue) > 0 && !c.queue[0].at.After(until) {
		next := heap.Pop(&c.queue).(event)
		c.now = next.at
		next.run()
		c.steps++
		c.poll()
	}
	c.now = until
	c.t.Logf("%d steps until %s", c.steps, c.now.Sub(time.Unix(1_000_000, 0)))
}

// check checks that no other process finds that it leads a shard.
func (c *cluster) check(leader *process, token group.Token) {
	for _, p := range c.alive {
		other, ok := p.leads[token.Shard]
		if ok && p != leader && p.machine.Leads(other) && c.now.Before(p.machine.Deadlines().End) {
			require.Fail(c.t, "two leaders", "%s is led by %s and %s", token.Shard, other, token)
		}
	}
}

func (c *cluster) uuid() (id uuid.UUID) {
	for i := range id {
		id[i] = byte(c.random.Uint32())
	}
	return id
}

func (c *cluster) start(name string, change ...func(*membership.Settings)) *process {
	settings := membership.Settings{ID: name, Weight: 1, Drain: 10 * time.Second, Leave: 5 * time.Second, NewNonce: c.uuid}
	for _, f := range change {
		f(&settings)
	}
	p := &process{
		cluster: c, name: name, client: c.db.NewClient(name, memkv.ClientOptions{}), machine: membership.New(settings),
		working: map[string]group.Token{}, leads: map[string]group.Token{}, watches: map[uint64]kv.Watch{},
	}
	p.executor = &executor.Executor{Database: p.client, Group: c.group, Now: p.now, NewIncarnation: c.uuid}
	c.alive = append(c.alive, p)
	c.all[name] = p
	p.post(membership.Begin{})
	return p
}

func (p *process) now() membership.Now {
	return membership.Now{Local: p.cluster.now, Wall: p.cluster.now}
}

func (p *process) kill() {
	p.dead = true
	p.cluster.alive = slices.DeleteFunc(p.cluster.alive, func(other *process) bool { return other == p })
}

func (p *process) post(e membership.Event) {
	if p.dead || p.finished {
		return
	}
	for _, action := range p.machine.Step(e, p.now()) {
		p.perform(action)
	}
	if !p.finished && !p.machine.Deadlines().End.IsZero() {
		require.True(p.cluster.t, p.timer, "%s has a session and no wake-up is pending", p.name)
	}
}

func (p *process) perform(action membership.Action) {
	c := p.cluster
	switch a := action.(type) {
	case membership.StartOperation:
		c.at(c.latency, func() { p.run(a.Operation) })
	case membership.CancelOperation:
		if w := p.watches[a.Op]; w != nil {
			w.Cancel()
		}
	case membership.Lead:
		require.NotContains(c.t, p.working, a.Token.Shard, "its work has not returned")
		c.check(p, a.Token)
		p.working[a.Token.Shard], p.leads[a.Token.Shard] = a.Token, a.Token
		c.moves = append(c.moves, fmt.Sprintf("%s leads %s", p.name, a.Token.Shard))
	case membership.Drain:
		delete(p.leads, a.Token.Shard)
		c.at(p.drainFor, func() {
			delete(p.working, a.Token.Shard)
			p.post(membership.WorkReturned{Shard: a.Token.Shard, Term: a.Token.Term})
		})
	case membership.Wake:
		require.True(c.t, a.At.After(c.now), "a wake-up in the past is lost")
		p.wakes++
		p.timer = true
		number := p.wakes
		c.at(max(a.At.Sub(c.now), 0), func() {
			if number == p.wakes { // no later one has replaced it
				p.timer = false
				p.post(membership.Tick{})
			}
		})
	case membership.Evicted:
		p.evicted = append(p.evicted, a.Member.ID)
	case membership.Report:
		p.reports = append(p.reports, a)
	case membership.Finish:
		p.finished, p.err = true, a.Err
		c.alive = slices.DeleteFunc(c.alive, func(other *process) bool { return other == p })
	}
}

func (p *process) run(op membership.Operation) {
	if p.dead || p.finished {
		return
	}
	ctx := p.cluster.t.Context()
	if p.cluster.down || p.down || p.blind && op.Kind == membership.Follow {
		p.cluster.at(op.Limit, func() {
			p.post(membership.Answered{Op: op.ID, Answer: membership.Answer{Err: context.DeadlineExceeded}})
		})
		return
	}
	answer, watch := p.executor.Run(ctx, op, p.post)
	if op.Kind == membership.Look {
		p.looked = append(p.looked, len(answer.Beats))
	}
	if watch != nil {
		p.watches[op.ID] = watch
	}
	p.cluster.at(p.cluster.latency, func() { p.post(membership.Answered{Op: op.ID, Answer: answer}) })
}

// poll posts the ends of watches.
func (c *cluster) poll() {
	for _, p := range c.alive {
		for id, w := range p.watches {
			select {
			case <-w.Done():
				delete(p.watches, id)
				err := w.Err()
				c.at(c.latency, func() { p.post(membership.WatchEnded{Op: id, Err: err}) })
			default:
			}
		}
	}
}

// shares returns the numbers of shards that the processes lead.
func (c *cluster) shares() map[string]int {
	shares := map[string]int{}
	for _, p := range c.alive {
		if n := len(p.leads); n > 0 {
			shares[p.name] = n
		}
	}
	return shares
}

func TestLoneMember(t *testing.T) {
	c := newCluster(t, testConfig(), 10)
	a := c.start("a")
	c.pass(4 * time.Second)
	require.Empty(t, a.reports)
	require.Equal(t, map[string]int{"a": 10}, c.shares())
}

func TestJoinMovesShardsToTheJoinerOnly(t *testing.T) {
	c := newCluster(t, testConfig(), 1000)
	c.start("a")
	c.start("b")
	c.pass(10 * time.Second)
	require.Equal(t, map[string]int{"a": 500, "b": 500}, c.shares())
	c.moves = nil
	c.start("c")
	c.pass(5 * time.Second)
	require.ElementsMatch(t, []int{334, 333, 333}, slices.Collect(maps.Values(c.shares())))
	require.Len(t, c.moves, 333)
}

func TestDeath(t *testing.T) {
	c := newCluster(t, testConfig(), 1000)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.start(name)
	}
	c.pass(20 * time.Second)
	require.Equal(t, map[string]int{"a": 200, "b": 200, "c": 200, "d": 200, "e": 200}, c.shares())
	c.moves = nil
	c.all["c"].kill()
	c.pass(13 * time.Second)
	require.Equal(t, map[string]int{"a": 250, "b": 250, "d": 250, "e": 250}, c.shares())
	require.Len(t, c.moves, 200)
}

func TestCalm(t *testing.T) {
	c := newCluster(t, testConfig(), 1000)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.start(name)
	}
	c.pass(30 * time.Second)
	c.moves, c.commits = nil, 0
	c.pass(300 * time.Second)
	require.Empty(t, c.moves)
	require.InDelta(t, 5*100, c.commits, 10)
}

func TestStop(t *testing.T) {
	c := newCluster(t, testConfig(), 1000)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.start(name)
	}
	c.pass(30 * time.Second)
	c.moves = nil
	a := c.all["a"]
	a.post(membership.Leave{})
	c.pass(time.Second)
	require.True(t, a.finished)
	require.NoError(t, a.err)
	require.Equal(t, map[string]int{"b": 250, "c": 250, "d": 250, "e": 250}, c.shares())
	require.Len(t, c.moves, 200)
}

// TestOutage: after an outage of the store that all members survive, nothing moves.
func TestOutage(t *testing.T) {
	c := newCluster(t, testConfig(), 100)
	for _, name := range []string{"a", "b", "c"} {
		c.start(name)
	}
	c.pass(30 * time.Second)
	before := map[string]group.Token{}
	for _, p := range c.alive {
		maps.Copy(before, p.leads)
	}
	c.down = true
	c.pass(60 * time.Second)
	require.Empty(t, c.shares())
	c.down = false
	c.pass(30 * time.Second)
	after := map[string]group.Token{}
	for _, p := range c.alive {
		require.Empty(t, p.evicted)
		maps.Copy(after, p.leads)
	}
	require.Equal(t, before, after)
}

// A plan that was waited for does not swallow the wake-ups after it: a process wakes up for its
// next heartbeat although nothing else happens.
func TestAPlanThatIsDue(t *testing.T) {
	c := newCluster(t, testConfig(), 1)
	a := c.start("a")
	c.pass(4 * time.Second)
	require.Equal(t, map[string]int{"a": 1}, c.shares())
	token := a.leads["shard-00000"]
	a.works(token, errors.New("failed"))
	c.pass(20 * time.Second)
	require.Equal(t, map[string]int{"a": 1}, c.shares(), "after the hold-off")
	require.Greater(t, a.leads["shard-00000"].Term, token.Term)
}

// works returns from the work on a shard by itself.
func (p *process) works(token group.Token, err error) {
	delete(p.leads, token.Shard)
	delete(p.working, token.Shard)
	p.post(membership.WorkReturned{Shard: token.Shard, Term: token.Term, Err: err})
}
