package electorfake

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/belief"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	// patience is how long a command waits, in real time, before it fails the test.
	patience = 10 * time.Second
	// A command waits for firstPause, in real time, before it moves the clock. Each further pause is
	// longer by a tenth, up to longestPause: on a busy machine the clock must not outrun the Elector.
	firstPause   = 5 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// client is the name of the Elector's client of the engine.
const client = "elector"

// Fake is an election in memory. Its Elector does what the test says. Another candidate leads
// whenever the Elector must not.
//
// The commands Lead, Jeopardize, Lose and RequestResign are for the goroutine of the test, one at a
// time. Each returns when the Elector has changed its state and its callbacks have returned. If
// that does not happen within ten seconds, it fails the test.
type Fake struct {
	// Elector is for the code under test, which starts it: with Run, Start, Campaign or
	// RunCallbacks.
	Elector *elector.Elector
	// DB is the engine in memory that the Elector uses. It answers the test also in jeopardy.
	DB kv.Database

	tb       testing.TB
	clock    *standingClock
	election *election.LeaderElection
	other    election.Registration

	mu      sync.Mutex
	told    elector.Transition // the last one that the callbacks have been told
	changed chan struct{}      // closed when told changes
	healed  chan struct{}      // closed while the store answers
}

// New returns a Fake whose Elector has not started. The Elector gets opts with the Clock of the
// Fake. If opts.Config is zero, it is fdbelection.DefaultConfig without preemption. When the test
// ends, the Elector is abandoned.
func New(tb testing.TB, opts elector.Options) *Fake {
	tb.Helper()
	f := &Fake{
		tb: tb, clock: newStandingClock(), election: election.New(subspace.New("electorfake")),
		other: election.Registration{
			Identity: election.Identity{ID: "another process", Incarnation: uuid.NewSHA1(uuid.Nil, []byte("electorfake"))},
			Priority: math.MinInt32,
		},
		changed: make(chan struct{}), healed: make(chan struct{}),
	}
	close(f.healed)
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: f.before}})
	f.DB = db
	if opts.Config == (fdbelection.Config{}) {
		opts.Config = fdbelection.DefaultConfig()
		opts.Config.AllowPreemption = false
	}
	opts.Clock = f.clock
	told := opts.Callbacks.OnTransition
	opts.Callbacks.OnTransition = func(ctx context.Context, t elector.Transition) {
		defer f.enter(t)
		if told != nil {
			told(ctx, t)
		}
	}
	var err error
	f.Elector, err = elector.New(db.NewClient(client, memkv.ClientOptions{}), f.election, opts)
	f.check(err)
	f.transact(func(tr kv.Transaction) error {
		_, err := f.election.InitializeWithConfig(tr, opts.Config)
		return err
	})
	f.takeOver()
	tb.Cleanup(func() {
		f.heal()
		f.Elector.Abandon()
	})
	return f
}

// Lead makes the Elector lead: the other candidate leaves, and the store answers. If the Elector
// holds off first, for example because its work failed, the clock moves until it does not. If it
// leads already, Lead changes nothing. The code under test must start the Elector, before or during
// the call, and the work of the last tenure must have returned.
func (f *Fake) Lead() {
	f.tb.Helper()
	f.transact(func(tr kv.Transaction) error {
		return f.election.UnregisterCandidate(tr, f.other.Identity, f.clock.Wall())
	})
	move := f.clock.moveToNextTimer
	if f.Elector.State() == elector.StateJeopardy {
		move = f.clock.moveALittle // its renewal waits for the store, or for its next attempt
	}
	f.heal()
	f.until("lead", "has it started, and have its work and its callbacks returned?",
		func(t elector.Transition) bool {
			return t.To == elector.StateLeader && t.Term == f.Elector.Term() && f.Elector.State() == t.To
		}, move)
}

// Jeopardize brings the leading Elector into elector.StateJeopardy: the store does not answer it
// any more, and its renewal is overdue. It still leads. Lead ends that with a renewal, and Lose
// without one.
func (f *Fake) Jeopardize() {
	f.tb.Helper()
	f.leading()
	f.mu.Lock()
	select {
	case <-f.healed:
		f.healed = make(chan struct{})
	default:
	}
	f.mu.Unlock()
	move := func() { // a renewal that was under way may still arrive, and is overdue later
		leader, _ := f.Elector.Leader()
		f.clock.moveTo(belief.DeadlinesOf(begin(leader.LeaderRecord), leader.LeaseDuration, f.Elector.ClusterState().Config).Jeopardy)
	}
	move()
	f.until("be in jeopardy", "have its callbacks returned?", func(t elector.Transition) bool { return t.To == elector.StateJeopardy }, move)
}

// Lose makes the Elector lose leadership. In jeopardy its lease ends
// (elector.ReasonUnrenewed), and otherwise it is replaced at once
// (elector.ReasonLeadershipLost). Then the other candidate leads, and fenced writes of the last
// tenure are refused.
func (f *Fake) Lose() {
	f.tb.Helper()
	leader := f.leading()
	if f.Elector.State() == elector.StateJeopardy {
		f.clock.moveTo(begin(leader).Add(leader.LeaseDuration))
		f.untilLost()
		f.takeOver()
		f.heal()
		return
	}
	f.takeOver()
	f.untilLost() // by its watch, or by its next renewal
}

// RequestResign makes an operator ask the leading Elector to resign. The context of its work ends,
// and its lease goes on until the work has returned. Then leadership is vacant until Lead.
func (f *Fake) RequestResign() {
	f.tb.Helper()
	leader := f.leading()
	f.transact(func(tr kv.Transaction) error { return f.election.RequestResign(tr, leader.Term, leader.Nonce) })
	f.untilLost()
}

// leading returns the leader record of the Elector. It fails the test if the Elector does not lead.
func (f *Fake) leading() election.LeaderRecord {
	f.tb.Helper()
	leader, _ := f.Elector.Leader()
	if !f.Elector.Leading() {
		f.tb.Fatalf("electorfake: the elector is in the state %q and does not lead: call Lead first", f.Elector.State())
	}
	return leader.LeaderRecord
}

// begin returns when the attempt began that wrote a leader record. On the clock of a Fake, both
// clocks of a process show the same.
func begin(leader election.LeaderRecord) time.Time {
	return leader.LeaseExpiry.Add(-leader.LeaseDuration)
}

// takeOver makes the other candidate lead.
func (f *Fake) takeOver() {
	f.tb.Helper()
	now := f.clock.Wall()
	f.transact(func(tr kv.Transaction) error { return f.election.RegisterCandidate(tr, f.other, now) })
	f.transact(func(tr kv.Transaction) error {
		leader, err := f.election.GetLeaderRaw(tr)
		if err != nil {
			return err
		}
		if !leader.Vacant() && !leader.HeldBy(f.other.Identity) {
			if err := f.election.ForceResign(tr, leader.Token(), 0, now); err != nil {
				return err
			}
		}
		_, err = f.election.TryClaimLeadership(tr, f.other.Identity, now)
		return err
	})
}

func (f *Fake) untilLost() {
	f.tb.Helper()
	f.until("lose leadership", "have its callbacks returned?", func(t elector.Transition) bool { return !t.To.Leads() }, f.clock.moveALittle)
}

// until waits until the callbacks have been told a transition as wanted. move moves the clock after
// each pause, because the Elector may wait for a timer: it arms a watch again after a while only.
func (f *Fake) until(what, hint string, wanted func(elector.Transition) bool, move func()) {
	f.tb.Helper()
	waited := clock.Start()
	for pause := firstPause; ; {
		f.mu.Lock()
		told, changed := f.told, f.changed
		f.mu.Unlock()
		if wanted(told) {
			return
		}
		if waited() > patience {
			f.tb.Fatalf("electorfake: waited %s in vain for the elector to %s: %s It is in the state %q.",
				patience, what, hint, f.Elector.State())
		}
		paused := make(chan struct{})
		stop := clock.AfterFunc(pause, func() { close(paused) })
		select {
		case <-changed:
			stop()
		case <-paused:
			move()
			pause = min(pause+pause/10, longestPause)
		}
	}
}

// enter notes that the callbacks have been told a transition.
func (f *Fake) enter(t elector.Transition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = t
	close(f.changed)
	f.changed = make(chan struct{})
}

// before lets the calls of the Elector wait while the store does not answer.
func (f *Fake) before(ctx context.Context, c *memkv.Call) error {
	if c.Client != client {
		return nil
	}
	f.mu.Lock()
	healed := f.healed
	f.mu.Unlock()
	select {
	case <-healed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// heal makes the store answer.
func (f *Fake) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.healed:
	default:
		close(f.healed)
	}
}

func (f *Fake) transact(fn func(tr kv.Transaction) error) {
	f.tb.Helper()
	f.check(f.DB.Transact(context.Background(), fn))
}

func (f *Fake) check(err error) {
	f.tb.Helper()
	if err != nil {
		f.tb.Fatalf("electorfake: %v", err)
	}
}
