package elector_test

import (
	"context"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The durations in the elections of these tests, and the deadlines of a lease, counted from
// the start of the attempt that wrote it.
const (
	lease     = 6 * time.Second
	heartbeat = lease / 3
	step      = heartbeat / 10
	drain     = 4 * time.Second

	// The defaults of Options.
	leaveLimit    = 5 * time.Second
	callbackLimit = 5 * time.Second

	halfAt = lease / 2
	stopAt = 4200 * time.Millisecond // endAt minus a fifth of the lease
	endAt  = 5400 * time.Millisecond // the lease minus its margin
)

// soon is the most that something without a delay may take.
const soon = 20 * time.Millisecond

// cluster is an election on one memkv database, in virtual time, with its processes.
type cluster struct {
	*testing.T
	db       *memkv.DB
	election *election.LeaderElection
	config   fdbelection.Config
	start    time.Time
	tracers  int

	mu      sync.Mutex
	hooks   memkv.Hooks
	clients map[string]*memkv.Client
}

// eager returns a config in which a higher priority may preempt without a delay.
func eager(config fdbelection.Config) fdbelection.Config {
	config.MinimumTenure, config.PreemptDelay = 0, 0
	return config
}

// realTimeLimit is how long a test may take in real time. Virtual time stops while a
// goroutine waits for a mutex, so a lock that is never released would stop all other limits.
const realTimeLimit = 2 * time.Minute

// inVirtualTime runs a test in virtual time. All goroutines of the test have ended when it
// returns.
func inVirtualTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	limit := time.AfterFunc(realTimeLimit, func() {
		debug.SetTraceback("all")
		panic(t.Name() + " hangs: it takes more than " + realTimeLimit.String() + " of real time")
	})
	defer limit.Stop()
	synctest.Test(t, test)
}

// inCluster runs a test of electors on one database in virtual time.
func inCluster(t *testing.T, test func(tc *cluster)) {
	t.Helper()
	inVirtualTime(t, func(t *testing.T) {
		patience := time.AfterFunc(7*24*time.Hour, func() { panic("the test has waited for a week of virtual time") })
		defer patience.Stop()
		tc := &cluster{
			T: t, election: election.New(subspace.New("test")), start: time.Now(),
			config: eager(fdbelection.ConfigWithLease(lease)), clients: make(map[string]*memkv.Client),
		}
		tc.db = memkv.New(memkv.Options{KeepLog: true, Hooks: &memkv.Hooks{
			Before: func(ctx context.Context, c *memkv.Call) error {
				if hook := tc.hook().Before; hook != nil && c.Client != "" {
					return hook(ctx, c)
				}
				return nil
			},
			After: func(ctx context.Context, c *memkv.Call) error {
				if hook := tc.hook().After; hook != nil && c.Client != "" {
					return hook(ctx, c)
				}
				return nil
			},
			Changed: func(watch *memkv.Watch) bool {
				hook := tc.hook().Changed
				return hook == nil || hook(watch)
			},
		}})
		test(tc)
	})
}

func (tc *cluster) hook() memkv.Hooks {
	tc.mu.Lock()
	defer tc.mu.Unlock()
	return tc.hooks
}

type hook = func(ctx context.Context, c *memkv.Call) error

// before sets a hook that runs before each call of the electors. Nil removes it.
func (tc *cluster) before(h hook) {
	tc.mu.Lock()
	defer tc.mu.Unlock()
	tc.hooks.Before = h
}

// after sets a hook that runs after each call of the electors. Nil removes it.
func (tc *cluster) after(h hook) {
	tc.mu.Lock()
	defer tc.mu.Unlock()
	tc.hooks.After = h
}

// loseWatches sets whether changes fire no watch.
func (tc *cluster) loseWatches(lose bool) {
	tc.mu.Lock()
	defer tc.mu.Unlock()
	tc.hooks.Changed = func(*memkv.Watch) bool { return !lose }
}

// process is an elector with a record of its transitions.
type process struct {
	*elector.Elector
	tc          *cluster
	id          string
	clock       *skewedClock
	transitions chan elector.Transition // each change of state
	result      chan error              // of Run

	mu     sync.Mutex
	states []elector.Transition
}

type setting func(*process, *elector.Options)

func priority(p int32) setting { return func(_ *process, o *elector.Options) { o.Priority = p } }

func callbacks(set func(c *elector.Callbacks)) setting {
	return func(_ *process, o *elector.Options) { set(&o.Callbacks) }
}

func observer(_ *process, o *elector.Options) { o.Role = election.Observer }

// withoutTransitions removes the callback that records transitions.
func withoutTransitions(_ *process, o *elector.Options) { o.Callbacks.OnTransition = nil }

func logTo(out io.Writer, level slog.Level) setting {
	return func(_ *process, o *elector.Options) {
		o.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	}
}

// process returns an elector that has not started. It is abandoned at the end of the test.
func (tc *cluster) process(id string, settings ...setting) *process {
	tc.Helper()
	p := &process{
		tc: tc, id: id, clock: newSkewedClock(), transitions: make(chan elector.Transition, 10_000), result: make(chan error, 1),
	}
	opts := elector.Options{NodeID: id, Config: tc.config, DrainLimit: drain, Clock: p.clock}
	opts.Callbacks.OnTransition = p.record
	for _, set := range settings {
		set(p, &opts)
	}
	var err error
	p.Elector, err = elector.New(tc.client(id), tc.election, opts)
	require.NoError(tc, err)
	tc.Cleanup(func() {
		p.Abandon()
		synctest.Wait()
	})
	return p
}

func (tc *cluster) client(id string) *memkv.Client {
	tc.mu.Lock()
	defer tc.mu.Unlock()
	if tc.clients[id] == nil {
		tc.clients[id] = tc.db.NewClient(id, memkv.ClientOptions{})
	}
	return tc.clients[id]
}

func (p *process) record(_ context.Context, t elector.Transition) {
	p.mu.Lock()
	p.states = append(p.states, t)
	p.mu.Unlock()
	p.tc.Logf("%10s %s: %s to %s in term %d (%s)", time.Since(p.tc.start), p.id, t.From, t.To, t.Term, t.Reason)
	p.transitions <- t
}

// begin starts a process in the background.
func (tc *cluster) begin(id string, settings ...setting) *process {
	tc.Helper()
	p := tc.process(id, settings...)
	require.NoError(tc, p.Start(tc.Context()))
	return p
}

// run calls Run in a goroutine. result gets its error.
func (p *process) run(ctx context.Context, work func(ctx context.Context, lead *elector.Leadership) error) {
	go func() { p.result <- p.Run(ctx, work) }()
}

// patience is how long a test waits for an expected event.
const patience = 20 * lease

// within returns the next value of a channel. The test fails if there is none in time.
func within[T any](tc *cluster, c <-chan T, what string) T {
	tc.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case v := <-c:
		return v
	case <-timeout.C:
		tc.Fatalf("timeout: %s", what)
		panic("unreachable")
	}
}

// noneWithin fails the test if a channel gives a value within d.
func noneWithin[T any](tc *cluster, c <-chan T, d time.Duration) {
	tc.Helper()
	select {
	case v := <-c:
		tc.Fatalf("unexpected: %+v", v)
	case <-time.After(d):
	}
}

// enters waits until the process enters a state and returns the transition.
func (p *process) enters(state elector.State) elector.Transition {
	p.tc.Helper()
	for {
		if t := within(p.tc, p.transitions, p.id+" becomes "+state.String()); t.To == state {
			return t
		}
	}
}

// leads waits until the process starts to lead.
func (p *process) leads() elector.Transition {
	p.tc.Helper()
	for {
		if t := p.enters(elector.StateLeader); t.From != elector.StateJeopardy {
			return t
		}
	}
}

// history returns the states that were entered, in order.
func (p *process) history() (states []elector.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.states {
		states = append(states, t.To)
	}
	return states
}

// reasons returns the reasons of the transitions, in order.
func (p *process) reasons() (reasons []elector.Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.states {
		reasons = append(reasons, t.Reason)
	}
	return reasons
}

// stop stops a process and expects no error.
func (p *process) stop() {
	p.tc.Helper()
	require.NoError(p.tc, p.Stop(p.tc.Context()))
}

// leader reads the leader record.
func (tc *cluster) leader() election.LeaderRecord {
	tc.Helper()
	leader, err := kv.ReadTransact(tc.Context(), tc.db, tc.election.GetLeaderRaw)
	require.NoError(tc, err)
	return leader
}

// until waits until the leader record is as expected.
func (tc *cluster) until(what string, as func(election.LeaderRecord) bool) election.LeaderRecord {
	tc.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if l := tc.leader(); as(l) {
			return l
		}
	}
	tc.Fatalf("the leader record is never %s: %v", what, tc.leader())
	return election.LeaderRecord{}
}

func (tc *cluster) candidates() []election.Candidate {
	tc.Helper()
	all, err := kv.ReadTransact(tc.Context(), tc.db, tc.election.ListCandidates)
	require.NoError(tc, err)
	return all
}

// listed reports whether a candidate is registered.
func (tc *cluster) listed(id string) bool {
	tc.Helper()
	return slices.ContainsFunc(tc.candidates(), func(c election.Candidate) bool { return c.ID == id })
}

func (tc *cluster) candidate(id string) election.Candidate {
	tc.Helper()
	c, err := kv.ReadTransact(tc.Context(), tc.db, func(tr kv.ReadTransaction) (election.Candidate, error) {
		return tc.election.GetCandidate(tr, id)
	})
	require.NoError(tc, err)
	return c
}

// transact commits a transaction as an operator.
func (tc *cluster) transact(fn func(tr kv.Transaction) error) {
	tc.Helper()
	require.NoError(tc, tc.db.Transact(tc.Context(), fn))
}

// initialize creates the election as an operator.
func (tc *cluster) initialize() {
	tc.Helper()
	tc.transact(func(tr kv.Transaction) error {
		_, err := tc.election.InitializeWithConfig(tr, tc.config)
		return err
	})
}

// reconfigure changes the stored config.
func (tc *cluster) reconfigure(change func(c *fdbelection.Config)) {
	tc.Helper()
	tc.transact(func(tr kv.Transaction) error {
		config, err := tc.election.ReadConfig(tr)
		if err != nil {
			return err
		}
		change(&config)
		_, err = tc.election.WriteConfig(tr, config)
		return err
	})
}

func nonce(n byte) uuid.UUID { return uuid.UUID{n} }

// transfer requests a transfer as an operator.
func (tc *cluster) transfer(to string) error {
	tc.Helper()
	term := tc.leader().Term
	return tc.db.Transact(tc.Context(), func(tr kv.Transaction) error {
		return tc.election.RequestTransfer(tr, term, to, nonce(byte(term)))
	})
}
