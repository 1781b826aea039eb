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
	errWork      = errors.New("the work failed")
)

// shortlist is the length of the shortlist, so that some of the few processes are not on it.
const shortlist = 2

// world is one run.
type world struct {
	kernel
	shape
	identities *reader
	runs       *reader // for the runs of clocks

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
	outside     outsideSystem
	requests    map[uuid.UUID]uint64 // by nonce: the term that the operator named
	handovers   map[uuid.UUID]string // by nonce: the target of a transfer by the holder

	leadUnready             time.Duration // of all processes, see machine.Settings
	starts, tenures, fenced int
	restarts                int // of the application

	checks
}

func newWorld(opts Options) *world {
	if opts.Processes == 0 {
		opts.Processes = 5
	}
	w := &world{
		kernel: newKernel(opts), shape: newShape(stream(opts.Seed, 7)),
		identities: &reader{r: stream(opts.Seed, 4)}, runs: &reader{r: stream(opts.Seed, 8)},
		space:   subspace.New("simulation"),
		clients: map[string]*process{}, labels: map[election.Identity]string{}, operations: map[string]*operation{},
		requests: map[uuid.UUID]uint64{}, outside: outsideSystem{senders: map[uint64]election.Token{}},
		checks: newChecks(),
	}
	w.model, w.lease, w.instant = w, w.config.LeaseDuration, w.exact
	if draw := stream(opts.Seed, 9); draw.IntN(2) == 0 {
		w.leadUnready = time.Duration(draw.Int64N(int64(2*w.config.LeaseDuration))) + 1
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
		// Two lower priorities may lead first, each for a minimum tenure. A process that
		// has just started waits for the preempt delay.
		w.opts.FaultFree = 9*w.config.LeaseDuration + 2*w.config.MinimumTenure + w.config.PreemptDelay
		if w.short { // the stored lease may be ten times as long
			w.opts.FaultFree += 20 * w.config.LeaseDuration
		}
	}
	w.open(w.committed)
	setup := stream(opts.Seed, 6)
	for i := range opts.Processes {
		h := &host{
			column: i, place: place{id: string(rune('a' + i))}, priority: int32(setup.IntN(hostPriorities)), clocks: w.newClocksFrom(setup),
			random: stream(opts.Seed, 100+uint64(i)),
		}
		h.role = h.normalRole()
		w.hosts = append(w.hosts, h)
	}
	w.operator, w.application = w.bystander("operator"), w.bystander("z")
	w.operator.operator = true
	return w
}

// electionBy returns the election for callers that observe with a clock. Each has its own
// run of the clock.
func (w *world) electionBy(now func() time.Time) *election.LeaderElection {
	run, _ := uuid.NewRandomFromReader(w.runs)
	return election.New(w.space.Sub("election"), election.WithRandom(w.identities),
		election.WithClock(election.Clock{Run: run, Now: now}))
}

func (w *world) newClocks() clocks { return w.newClocksFrom(w.scheduleRand) }

// hunt does nothing: the runs of elections have other means.
func (w *world) hunt(*task, *memkv.Call) bool { return false }

func (w *world) play() {
	for _, h := range w.hosts {
		w.after(time.Duration(w.scheduleRand.Int64N(int64(w.config.LeaseDuration))), func() {
			if h.current == nil {
				h.start(w)
			}
		})
	}
	w.after(time.Second, w.injectFaults)
	switch w.scheduleRand.IntN(4) {
	case 0:
		w.after(w.config.LeaseDuration, w.runObservingApp)
	case 1, 2:
		w.after(w.config.LeaseDuration, w.runCyclingApp)
	}
	w.run(w.opts.Faulty, w.failed)
	if !w.failed() {
		w.stopFaults()
		w.run(w.opts.Faulty+w.opts.FaultFree, w.failed)
	}
	if !w.failed() {
		w.checkFaultFree()
	}
	if !w.failed() && !slices.Contains(w.opts.Without, faultOutage) {
		w.playOutage()
	}
	if !w.failed() {
		w.checkLinearizable()
	}
	for _, p := range slices.Clone(w.live) {
		p.end()
	}
	for _, t := range slices.Concat(w.operator.tasks, w.application.tasks) {
		t.kill()
	}
	w.close()
	w.result.Tenures, w.result.Fenced = w.tenures, w.fenced
}

// stopFaults ends all faults. Every host has a process that is connected and not paused,
// and the config is the first one again.
func (w *world) stopFaults() {
	if w.tracing {
		w.trace(nil, "faults end")
	}
	w.faultFreeSince = w.now
	for _, p := range append(slices.Clone(w.live), w.operator, w.application) {
		p.requestsHeldUntil, p.repliesHeldUntil = 0, 0
		p.endPause()
		if w.config.Expiry == fdbelection.ExpiryByClock { // that needs clocks that agree
			p.clocks.wall = 0
		}
	}
	for _, p := range w.allPlaces() {
		p.heldUntil, p.failsUntil = 0, 0
	}
	for _, h := range w.hosts {
		h.role, h.priority = h.normalRole(), min(h.priority, hostPriorities-1)
		if w.config.Expiry == fdbelection.ExpiryByClock {
			h.clocks.wall = 0
		}
		if p := h.current; p == nil || !p.alive || p.stopping {
			w.after(time.Millisecond, func() { h.start(w) })
		}
	}
	for _, p := range slices.Clone(w.live) { // including the older one of a duplicate id, which may stay
		p.postRegistration()
	}
	w.settleReadiness()
	holdOff := time.Duration(0) // the longest one, which keeps the highest priority from leading
	for _, p := range w.live {
		holdOff = max(holdOff, p.machine.View().HoldOff.Sub(p.now().Local))
	}
	w.opts.FaultFree += holdOff + holdOff/8 // its clock may be slow
	w.needlessTenures = 0
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
	w.after(w.opts.FaultFree*2/3, func() { w.needlessTenures = 0 })
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
