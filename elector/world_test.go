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

// The times of the elections of these tests, and the instants of a lease from
// the start of the attempt that wrote it.
const (
	lease     = 6 * time.Second
	heartbeat = lease / 3
	step      = heartbeat / 10
	drain     = 4 * time.Second

	halfAt = lease / 2
	stopAt = 4200 * time.Millisecond // belief less a fifth of the lease
	endAt  = 5400 * time.Millisecond // the lease less its margin
)

// soon is how long a thing may take that nothing delays.
const soon = 20 * time.Millisecond

// world is a database with an election in it, in virtual time.
type world struct {
	*testing.T
	db       *memkv.DB
	election *election.LeaderElection
	config   fdbelection.Config
	start    time.Time

	mu      sync.Mutex
	hooks   memkv.Hooks
	clients map[string]*memkv.Client
}

// eager is a config in which a higher priority need not wait before it challenges.
func eager(config fdbelection.Config) fdbelection.Config {
	config.MinimumTenure, config.PreemptDelay = 0, 0
	return config
}

// hangs is how long a test may take in real time. Virtual time stands still while a
// goroutine waits for a mutex, so a lock that is held for ever stops all other limits.
const hangs = 2 * time.Minute

// inVirtualTime runs a test in virtual time. Whatever it started has ended when it
// returns.
func inVirtualTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	limit := time.AfterFunc(hangs, func() {
		debug.SetTraceback("all")
		panic(t.Name() + " hangs: it takes more than " + hangs.String() + " of real time")
	})
	defer limit.Stop()
	synctest.Test(t, test)
}

// inWorld runs a test of electors on one database in virtual time.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	inVirtualTime(t, func(t *testing.T) {
		patience := time.AfterFunc(7*24*time.Hour, func() { panic("a week has passed: what the test waits for does not come") })
		defer patience.Stop()
		w := &world{
			T: t, election: election.New(subspace.New("test")), start: time.Now(),
			config: eager(fdbelection.ConfigWithLease(lease)), clients: make(map[string]*memkv.Client),
		}
		w.db = memkv.New(memkv.Options{KeepLog: true, Hooks: &memkv.Hooks{
			Before: func(ctx context.Context, c *memkv.Call) error {
				if hook := w.hook().Before; hook != nil && c.Client != "" {
					return hook(ctx, c)
				}
				return nil
			},
			After: func(ctx context.Context, c *memkv.Call) error {
				if hook := w.hook().After; hook != nil && c.Client != "" {
					return hook(ctx, c)
				}
				return nil
			},
			Changed: func(watch *memkv.Watch) bool {
				hook := w.hook().Changed
				return hook == nil || hook(watch)
			},
		}})
		test(w)
	})
}

func (w *world) hook() memkv.Hooks {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hooks
}

type hook = func(ctx context.Context, c *memkv.Call) error

// before puts a fault before the calls of the electors; nil takes it away.
func (w *world) before(h hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks.Before = h
}

// after puts a fault after the calls of the electors.
func (w *world) after(h hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks.After = h
}

// loseWatches has changes tell no watch, or tell them again.
func (w *world) loseWatches(lose bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks.Changed = func(*memkv.Watch) bool { return !lose }
}

// process is an elector, with what it has told of itself.
type process struct {
	*elector.Elector
	w      *world
	id     string
	clock  *skewedClock
	moves  chan elector.Transition // each change of state
	result chan error              // of Run

	mu     sync.Mutex
	states []elector.Transition
}

type setting func(*process, *elector.Options)

func priority(p int32) setting { return func(_ *process, o *elector.Options) { o.Priority = p } }

func callbacks(set func(c *elector.Callbacks)) setting {
	return func(_ *process, o *elector.Options) { set(&o.Callbacks) }
}

func observer(_ *process, o *elector.Options) { o.Role = election.Observer }

// silent takes the callback away with which processes tell their states.
func silent(_ *process, o *elector.Options) { o.Callbacks.OnTransition = nil }

func logTo(out io.Writer, level slog.Level) setting {
	return func(_ *process, o *elector.Options) {
		o.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	}
}

// process makes an elector that has not started. It is abandoned with the test.
func (w *world) process(id string, settings ...setting) *process {
	w.Helper()
	p := &process{
		w: w, id: id, clock: newSkewedClock(), moves: make(chan elector.Transition, 10_000), result: make(chan error, 1),
	}
	opts := elector.Options{NodeID: id, Config: w.config, DrainLimit: drain, Clock: p.clock}
	opts.Callbacks.OnTransition = p.moved
	for _, set := range settings {
		set(p, &opts)
	}
	var err error
	p.Elector, err = elector.New(w.client(id), w.election, opts)
	require.NoError(w, err)
	w.Cleanup(func() {
		p.Abandon()
		synctest.Wait()
	})
	return p
}

func (w *world) client(id string) *memkv.Client {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clients[id] == nil {
		w.clients[id] = w.db.NewClient(id, memkv.ClientOptions{})
	}
	return w.clients[id]
}

func (p *process) moved(_ context.Context, t elector.Transition) {
	p.mu.Lock()
	p.states = append(p.states, t)
	p.mu.Unlock()
	p.w.Logf("%10s %s: %s to %s in term %d (%s)", time.Since(p.w.start), p.id, t.From, t.To, t.Term, t.Reason)
	p.moves <- t
}

// begin starts a process in the background.
func (w *world) begin(id string, settings ...setting) *process {
	w.Helper()
	p := w.process(id, settings...)
	require.NoError(w, p.Start(w.Context()))
	return p
}

// run has a process work in Run, for the time of the test.
func (p *process) run(ctx context.Context, work func(ctx context.Context, lead *elector.Leadership) error) {
	go func() { p.result <- p.Run(ctx, work) }()
}

// patience is how long a test waits for what has to happen.
const patience = 20 * lease

// within returns what a channel gives, in time.
func within[T any](w *world, c <-chan T, what string) T {
	w.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case v := <-c:
		return v
	case <-timeout.C:
		w.Fatalf("%s: waited for it in vain", what)
		panic("unreachable")
	}
}

// silence fails the test if anything comes in a time.
func silence[T any](w *world, c <-chan T, d time.Duration) {
	w.Helper()
	select {
	case v := <-c:
		w.Fatalf("nothing was to be told, but %+v was", v)
	case <-time.After(d):
	}
}

// enters waits until the process enters a state, and returns how.
func (p *process) enters(state elector.State) elector.Transition {
	p.w.Helper()
	for {
		if t := within(p.w, p.moves, p.id+" becomes "+state.String()); t.To == state {
			return t
		}
	}
}

// leads waits until the process enters leadership.
func (p *process) leads() elector.Transition {
	p.w.Helper()
	for {
		if t := p.enters(elector.StateLeader); t.From != elector.StateJeopardy {
			return t
		}
	}
}

// history returns the states so far, beginning with the first.
func (p *process) history() (states []elector.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.states {
		states = append(states, t.To)
	}
	return states
}

// reasons returns why the states so far were left.
func (p *process) reasons() (reasons []elector.Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.states {
		reasons = append(reasons, t.Reason)
	}
	return reasons
}

// stop stops a process in order.
func (p *process) stop() {
	p.w.Helper()
	require.NoError(p.w, p.Stop(p.w.Context()))
}

// believes reports whether the process takes itself for the leader.
func (p *process) believes() bool { return p.IsLeader(context.Background()) == nil }

// seat reads the leader record.
func (w *world) seat() election.LeaderRecord {
	w.Helper()
	leader, err := kv.ReadTransact(w.Context(), w.db, w.election.GetLeaderRaw)
	require.NoError(w, err)
	return leader
}

// until waits until the seat is as expected.
func (w *world) until(what string, as func(election.LeaderRecord) bool) election.LeaderRecord {
	w.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if l := w.seat(); as(l) {
			return l
		}
	}
	w.Fatalf("the seat is never %s: %v", what, w.seat())
	return election.LeaderRecord{}
}

func (w *world) candidates() []election.Candidate {
	w.Helper()
	all, err := kv.ReadTransact(w.Context(), w.db, w.election.ListCandidates)
	require.NoError(w, err)
	return all
}

// listed reports whether a candidate has a record.
func (w *world) listed(id string) bool {
	w.Helper()
	return slices.ContainsFunc(w.candidates(), func(c election.Candidate) bool { return c.ID == id })
}

func (w *world) candidate(id string) election.Candidate {
	w.Helper()
	c, err := kv.ReadTransact(w.Context(), w.db, func(tr kv.ReadTransaction) (election.Candidate, error) {
		return w.election.GetCandidate(tr, id)
	})
	require.NoError(w, err)
	return c
}

// transact commits something as an operator would.
func (w *world) transact(fn func(tr kv.Transaction) error) {
	w.Helper()
	require.NoError(w, w.db.Transact(w.Context(), fn))
}

// initialize makes the election, as an operator would.
func (w *world) initialize() {
	w.Helper()
	w.transact(func(tr kv.Transaction) error {
		_, err := w.election.InitializeWithConfig(tr, w.config)
		return err
	})
}

// reconfigure changes the config.
func (w *world) reconfigure(change func(c *fdbelection.Config)) {
	w.Helper()
	w.transact(func(tr kv.Transaction) error {
		config, err := w.election.ReadConfig(tr)
		if err != nil {
			return err
		}
		change(&config)
		_, err = w.election.WriteConfig(tr, config)
		return err
	})
}

func nonce(n byte) uuid.UUID { return uuid.UUID{n} }

// transfer asks the leader to hand over, as an operator would.
func (w *world) transfer(to string) error {
	w.Helper()
	term := w.seat().Term
	return w.db.Transact(w.Context(), func(tr kv.Transaction) error {
		return w.election.RequestTransfer(tr, term, to, nonce(byte(term)))
	})
}
