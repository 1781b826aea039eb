package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	errCancelled = context.Canceled
	errLimit     = context.DeadlineExceeded
	errWork      = errors.New("the work has failed")
)

// World is one run.
type World struct {
	scheduler
	opts Options
	shape
	faults       faults
	scheduleRand *rand.Rand
	identities   *reader
	runs         *reader // of the names of clocks
	routines     coroutines
	running      *task

	db        *memkv.DB
	space     subspace.Subspace
	fencedKey []byte
	election  *election.LeaderElection

	hosts       []*host
	live        []*process // in the order of their starts
	clients     map[string]*process
	labels      map[election.Identity]string
	operations  map[string]*operation
	operator    *process
	application *process
	sink        sink
	requests    map[uuid.UUID]uint64 // the term that each is about
	handovers   map[uuid.UUID]string // whom a holder means to hand over to, of its own accord

	starts, tenures, fenced int
	restarts                int // of the application
	recoveries              int
	recoveredAt             time.Duration
	quiet                   time.Duration // since when; zero: faults go on

	recorder
	checks
}

func newWorld(opts Options) *World {
	if opts.Processes == 0 {
		opts.Processes = 5
	}
	w := &World{
		opts: opts, shape: newShape(stream(opts.Seed, 7)), faults: newFaults(opts.Seed, &opts),
		scheduleRand: stream(opts.Seed, 1), identities: &reader{r: stream(opts.Seed, 4)}, runs: &reader{r: stream(opts.Seed, 8)},
		space:   subspace.New("simulation"),
		clients: map[string]*process{}, labels: map[election.Identity]string{}, operations: map[string]*operation{},
		requests: map[uuid.UUID]uint64{}, sink: sink{senders: map[uint64]election.Token{}},
		recorder: newRecorder(opts), checks: newChecks(),
	}
	w.fencedKey = w.space.Sub("fenced").Bytes()
	w.election = w.electionBy(func() time.Time { return epoch.Add(w.now) })
	w.checks.keys = newCheckedKeys(w.election.Subspace())
	if w.opts.Faulty == 0 {
		w.opts.Faulty = 2 * time.Minute
		if w.short {
			w.opts.Faulty = 30 * time.Second
		}
	}
	if w.opts.FaultFree == 0 {
		// Two lower priorities may lead first, each protected for that long, and a
		// process that has just started waits before it challenges.
		w.opts.FaultFree = 9*w.config.LeaseDuration + 2*w.config.MinimumTenure + w.config.PreemptDelay
		if w.short { // what stands may be ten times as long
			w.opts.FaultFree += 20 * w.config.LeaseDuration
		}
	}
	w.db = memkv.New(memkv.Options{
		Now:   func() time.Time { return epoch.Add(w.now) },
		Sleep: w.sleep, Jitter: func() float64 { return float64(w.scheduleRand.Uint64N(1<<20)) / (1 << 20) },
		Hooks:    &memkv.Hooks{Before: w.before, After: w.afterCall, Changed: w.changed},
		OnCommit: w.committed,
	})
	setup := stream(opts.Seed, 6)
	for i := range opts.Processes {
		h := &host{
			lane: i, id: string(rune('a' + i)), priority: int32(setup.IntN(usualPriorities)), clocks: w.newClocksFrom(setup),
			random: stream(opts.Seed, 100+uint64(i)),
		}
		h.role = h.usual()
		w.hosts = append(w.hosts, h)
	}
	w.operator, w.application = w.bystander("operator"), w.bystander("z")
	return w
}

// electionBy returns the election for callers that observe by a clock. Each has a
// run of the clock of its own.
func (w *World) electionBy(now func() time.Time) *election.LeaderElection {
	run, _ := uuid.NewRandomFromReader(w.runs)
	return election.New(w.space.Sub("election"), election.WithRandom(w.identities),
		election.WithClock(election.Clock{Run: run, Now: now}))
}

func (w *World) newClocks() clocks { return w.newClocksFrom(w.scheduleRand) }

func (w *World) newClocksFrom(r *rand.Rand) clocks {
	c := clocks{offset: time.Duration(r.Int64N(int64(time.Hour))), ppm: r.Int64N(2*w.maxPPM+1) - w.maxPPM}
	if r.IntN(4) == 0 { // the extremes are what the margin is made for
		c.ppm = []int64{-w.maxPPM, w.maxPPM}[r.IntN(2)]
	}
	if w.skew > 0 {
		c.wall = time.Duration(r.Int64N(int64(2*w.skew))) - w.skew
	}
	return c
}

// sleep is the back-off of a client.
func (w *World) sleep(ctx context.Context, d time.Duration) error {
	t := taskOf(ctx)
	if t == nil {
		return nil
	}
	return t.wait(d, true)
}

func (w *World) play() {
	for _, h := range w.hosts {
		w.after(time.Duration(w.scheduleRand.Int64N(int64(w.config.LeaseDuration))), func() {
			if h.current == nil {
				h.enter(w)
			}
		})
	}
	w.after(time.Second, w.storm)
	switch w.scheduleRand.IntN(4) {
	case 0:
		w.after(w.config.LeaseDuration, w.observeByHand)
	case 1, 2:
		w.after(w.config.LeaseDuration, w.runByHand)
	}
	failed := func() bool {
		if w.checkHotLoop(20_000, func() string { return "of all processes" }) {
			return true
		}
		return len(w.result.Violations) > 0 && (!w.opts.KeepGoing || w.broken(HotLoop))
	}
	w.run(w.opts.Faulty, failed)
	if !failed() {
		w.calm()
		w.run(w.opts.Faulty+w.opts.FaultFree, failed)
	}
	if !failed() {
		w.checkQuiet()
		w.checkLinearizable()
	}
	for _, p := range slices.Clone(w.live) {
		p.end()
	}
	for _, t := range slices.Concat(w.operator.tasks, w.application.tasks) {
		t.kill()
	}
	w.routines.close()
	w.result.Simulated, w.result.Events = w.now, w.events
	w.result.Tenures, w.result.Fenced = w.tenures, w.fenced
}

// calm ends all faults: every host has a process, connected and awake, and the
// config is what it was at first.
func (w *World) calm() {
	if w.tracing {
		w.trace(nil, "calm")
	}
	w.quiet = w.now
	for _, p := range append(slices.Clone(w.live), w.operator, w.application) {
		p.deafUntil, p.blindUntil = 0, 0
		p.awake()
		if w.config.Expiry == fdbelection.ExpiryByClock { // it asks for clocks that agree
			p.clocks.wall = 0
		}
	}
	for _, h := range w.hosts {
		h.role, h.priority = h.usual(), min(h.priority, usualPriorities-1)
		if w.config.Expiry == fdbelection.ExpiryByClock {
			h.clocks.wall = 0
		}
		if p := h.current; p == nil || !p.alive || p.stopping {
			w.after(time.Millisecond, func() { h.enter(w) })
		}
	}
	for _, p := range slices.Clone(w.live) { // also the older of two under one id: it may be the one that stays
		p.announce()
	}
	holdOff := time.Duration(0) // the longest that goes on: it keeps the preferred process out
	for _, p := range w.live {
		holdOff = max(holdOff, p.machine.View().HoldOff.Sub(p.now().Local))
	}
	w.opts.FaultFree += holdOff + holdOff/8 // its clock may be slow
	w.unsettling = 0
	_ = w.db.Transact(context.Background(), func(tr kv.Transaction) error {
		stands, err := w.election.ReadConfig(tr)
		if err != nil {
			return err
		}
		config := w.shape.config
		config.Revision, config.AllowPreemption = stands.Revision, true
		_, err = w.election.WriteConfig(tr, config)
		return err
	})
	w.after(w.opts.FaultFree*2/3, func() { w.unsettling = 0 })
}

// reader draws identities from a seed.
type reader struct {
	r     *rand.Rand
	drawn int
}

func (r *reader) Read(b []byte) (int, error) {
	r.drawn += len(b)
	for i := range b {
		b[i] = byte(r.r.Uint32())
	}
	return len(b), nil
}

func isDone(watch kv.Watch) bool {
	select {
	case <-watch.Done():
		return true
	default:
		return false
	}
}
