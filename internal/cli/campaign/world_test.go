package campaign_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/campaign"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	lease     = 6 * time.Second
	heartbeat = lease / 3
	step      = heartbeat / 10
	grace     = lease
	drain     = 4 * time.Second
)

// world is a database with an election in it, in virtual time.
type world struct {
	*testing.T
	db       *memkv.DB
	election *election.LeaderElection
	config   fdbelection.Config
	start    time.Time
	running  sync.WaitGroup

	mu    sync.Mutex
	hooks memkv.Hooks
}

// inWorld runs a test in virtual time. Whatever it started has ended when it
// returns.
func inWorld(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, election: election.New(subspace.New("test")), start: time.Now()}
		w.config = fdbelection.ConfigWithLease(lease)
		w.config.Expiry = fdbelection.ExpiryByObservation
		w.config.PreemptionGrace = grace
		w.db = memkv.New(memkv.Options{KeepLog: true, Hooks: &memkv.Hooks{
			Before: func(ctx context.Context, c *memkv.Call) error {
				if hook := w.hook().Before; hook != nil {
					return hook(ctx, c)
				}
				return nil
			},
			After: func(ctx context.Context, c *memkv.Call) error {
				if hook := w.hook().After; hook != nil {
					return hook(ctx, c)
				}
				return nil
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

// before puts a fault before the calls of the store; nil takes it away.
func (w *world) before(hook func(ctx context.Context, c *memkv.Call) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks.Before = hook
}

// after puts a fault after the calls of the store.
func (w *world) after(hook func(ctx context.Context, c *memkv.Call) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks.After = hook
}

// process is one campaign under way.
type process struct {
	w       *world
	me      election.Registration
	crash   func()
	leave   func()
	tenures chan *campaign.Tenure // each tenure, when its work begins

	done chan struct{}
	err  error // of Run, once done

	mu       sync.Mutex
	changes  []campaign.Change
	troubles []error
}

type setting func(*process, *campaign.Options)

func priority(p int32) setting {
	return func(_ *process, o *campaign.Options) { o.Me.Priority = p }
}

// work replaces the work, which otherwise stops when it is asked to.
func work(fn func(t *campaign.Tenure) error) setting {
	return func(_ *process, o *campaign.Options) { o.Work = fn }
}

// campaign starts a process.
func (w *world) campaign(id string, settings ...setting) *process {
	w.Helper()
	ctx, crash := context.WithCancel(w.Context())
	stop := make(chan struct{})
	p := &process{
		w: w, crash: crash, leave: sync.OnceFunc(func() { close(stop) }),
		tenures: make(chan *campaign.Tenure, 1000), done: make(chan struct{}),
	}
	opts := campaign.Options{
		Me:     election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}},
		Config: w.config, Stop: stop, Drain: drain,
		Changed: func(c campaign.Change) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.changes = append(p.changes, c)
			w.Logf("%10s %s: %v leads=%v (%s)", c.At.Sub(w.start), id, c.Leader, c.Leads, c.Note)
		},
		Trouble: func(err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.troubles = append(p.troubles, err)
			w.Logf("%10s %s: trouble: %v", time.Since(w.start), id, err)
		},
		Work: func(t *campaign.Tenure) error { <-t.Stopping(); return nil },
	}
	for _, set := range settings {
		set(p, &opts)
	}
	inner := opts.Work
	opts.Work = func(t *campaign.Tenure) error {
		p.tenures <- t
		return inner(t)
	}
	p.me = opts.Me
	w.running.Go(func() {
		defer close(p.done)
		p.err = campaign.Run(ctx, w.db.NewClient(id, memkv.ClientOptions{}), w.election, opts)
	})
	w.Cleanup(func() { crash(); <-p.done })
	return p
}

// leads waits for the next tenure of a process, and returns it.
func (p *process) leads() *campaign.Tenure {
	p.w.Helper()
	timeout := time.NewTimer(10 * lease)
	defer timeout.Stop()
	select {
	case t := <-p.tenures:
		return t
	case <-p.done:
		p.w.Fatalf("%s has ended without leading: %v", p.me.ID, p.err)
	case <-timeout.C:
		p.w.Fatalf("%s does not lead", p.me.ID)
	}
	return nil
}

// ended waits for the end of a process, and returns its error.
func (p *process) ended() error {
	p.w.Helper()
	timeout := time.NewTimer(10 * lease)
	defer timeout.Stop()
	select {
	case <-p.done:
		return p.err
	case <-timeout.C:
		p.w.Fatalf("%s does not end", p.me.ID)
		return nil
	}
}

// notes returns what the process told of changes so far.
func (p *process) notes() (notes []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.changes {
		notes = append(notes, c.Note)
	}
	return notes
}

func (p *process) troubled() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.troubles
}

// leader reads the seat.
func (w *world) leader() election.Leader {
	w.Helper()
	leader, err := kv.ReadTransact(w.Context(), w.db, w.election.GetLeaderRaw)
	require.NoError(w, err)
	return leader
}

// until waits until the seat is as expected.
func (w *world) until(what string, as func(election.Leader) bool) election.Leader {
	w.Helper()
	for range 10_000 {
		if l := w.leader(); as(l) {
			return l
		}
		time.Sleep(time.Millisecond * 10)
	}
	w.Fatalf("the seat is never %s: %v", what, w.leader())
	return election.Leader{}
}

// transact commits something as an operator would.
func (w *world) transact(fn func(tr kv.Transaction) error) {
	w.Helper()
	require.NoError(w, w.db.Transact(w.Context(), fn))
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

// closed reports whether a channel is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func nonce(n byte) uuid.UUID { return uuid.UUID{n} }
