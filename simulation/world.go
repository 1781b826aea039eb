package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/elector/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	errCancelled = context.Canceled
	errLimit     = context.DeadlineExceeded
	errWork      = errors.New("the work has failed")
)

// Options are the size of a run.
type Options struct {
	Seed uint64
	// Faulty is how long faults go on, Quiet how long the world has after that to
	// become what it should be.
	Faulty, Quiet time.Duration
	// Processes is how many take part; zero: 5.
	Processes int
	// Trace gets each line of the run, where it is set.
	Trace func(line string)
}

// Result is what a run was like.
type Result struct {
	Seed      uint64
	Hash      uint64
	Simulated time.Duration
	Events    uint64
	Commits   int64
	Counts    map[string]int
	// Failure is the first violation; nil: none.
	Failure error
}

// World is one run.
type World struct {
	scheduler
	opts   Options
	faults faults
	lease  time.Duration
	config fdbelection.Config

	scheduleRand, faultRand, workRand *rand.Rand
	identities                        *reader

	db        *memkv.DB
	space     subspace.Subspace
	election  *election.LeaderElection
	names     []string
	processes map[string]*process
	running   *task

	recoveries int
	quiet      time.Duration // since when; zero: faults go on
	counts     map[string]int
	hash       uint64
	lines      []string
	failure    error
	checks
}

// Run runs one seed.
func Run(opts Options) Result {
	if opts.Processes == 0 {
		opts.Processes = 5
	}
	w := newWorld(opts)
	w.play()
	return Result{
		Seed: opts.Seed, Hash: w.hash, Simulated: w.now, Events: w.events, Commits: w.db.Counters().Commits,
		Counts: w.counts, Failure: w.failure,
	}
}

func newWorld(opts Options) *World {
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(opts.Seed, n)) }
	w := &World{
		opts: opts, scheduleRand: stream(1), faultRand: stream(2), workRand: stream(3),
		identities: &reader{stream(4)},
		space:      subspace.New("simulation"),
		processes:  map[string]*process{}, counts: map[string]int{}, hash: 14695981039346656037,
	}
	w.faults = swarm(stream(5))
	w.election = election.New(w.space.Sub("election"), election.WithRandom(w.identities))
	w.config = elector.ConfigWithLease(10 * time.Second)
	w.config.HeartbeatInterval = 3 * time.Second
	w.config.Margin = 10 * time.Second / 20
	if w.faults.shortLeases {
		w.config = elector.ConfigWithLease(time.Second)
	}
	if w.faults.maxPPM > 500 {
		w.config.Margin = w.config.LeaseDuration / 5
	}
	if w.faults.byClock {
		w.config.Expiry = fdbelection.ExpiryByClock
	}
	if w.faults.preemptGo {
		w.config.PreemptionGrace = 0
	}
	w.lease = w.config.LeaseDuration
	w.db = memkv.New(memkv.Options{
		Now:   func() time.Time { return epoch.Add(w.now) },
		Sleep: w.sleep, Jitter: func() float64 { return float64(w.scheduleRand.Uint64N(1<<20)) / (1 << 20) },
		Hooks: &memkv.Hooks{Before: w.before, After: w.afterCall, Changed: w.changed},
		OnCommit: func(e memkv.LogEntry) {
			w.mix(e.Client)
			for _, m := range e.Mutations {
				w.mix(string(m.Key))
				w.mix(string(m.Value))
			}
			w.uncheckedCommits = append(w.uncheckedCommits, e)
		},
	})
	setup := stream(6)
	for i := range opts.Processes {
		p := &process{
			world: w, name: string(rune('a' + i)), random: stream(uint64(100 + i)),
			priority: int32(setup.IntN(3)),
			clocks: clocks{
				offset: time.Duration(setup.Int64N(int64(time.Hour))),
				ppm:    setup.Int64N(2*w.faults.maxPPM+1) - w.faults.maxPPM,
			},
		}
		if !w.faults.byClock {
			p.clocks.wall = time.Duration(setup.Int64N(int64(2*time.Hour))) - time.Hour
		}
		if i > 2 && setup.IntN(5) == 0 {
			p.role = election.Observer
		}
		w.names = append(w.names, p.name)
		w.processes[p.name] = p
	}
	return w
}

// sleep is the back-off of a client.
func (w *World) sleep(ctx context.Context, d time.Duration) error {
	t, _ := ctx.Value(taskKey{}).(*task)
	if t == nil {
		return nil
	}
	return t.wait(d, true)
}

func (w *World) play() {
	for _, name := range w.names {
		p := w.processes[name]
		w.after(time.Duration(w.workRand.Int64N(int64(w.lease))), func() {
			if !p.alive {
				p.enter()
			}
		})
	}
	w.after(time.Second, w.storm)
	failed := func() bool { return w.failure != nil }
	w.run(w.opts.Faulty, failed)
	w.calm()
	w.run(w.opts.Faulty+w.opts.Quiet, failed)
	if w.failure == nil {
		w.checkQuiet()
	}
	for _, name := range w.names {
		w.processes[name].alive = false
		w.processes[name].end()
	}
}

// storm decides, once a second, on the faults that are not of a call.
func (w *World) storm() {
	if w.quiet > 0 {
		return
	}
	w.after(time.Second, w.storm)
	for _, name := range w.names {
		w.strike(w.processes[name])
		if name == w.last.Leader.ID { // what happens to a leader matters most
			w.strike(w.processes[name])
			w.strike(w.processes[name])
		}
	}
	if w.chance(w.faults.recovery) {
		w.trace("the database recovers")
		w.count("recovery")
		w.recoveries++
		w.db.Recover()
	}
	if w.chance(w.faults.operator) {
		w.operate()
	}
}

func (w *World) strike(p *process) {
	long := func(most time.Duration) time.Duration { return time.Duration(w.faultRand.Int64N(int64(most))) }
	switch {
	case !p.alive:
		if w.faultRand.IntN(10) == 0 {
			p.enter()
		}
	case w.chance(w.faults.crash):
		w.count("crash")
		p.crash()
	case w.chance(w.faults.crash / 2):
		w.count("leave")
		p.leave()
	case w.chance(w.faults.pause):
		w.count("pause")
		d := long(3 * w.lease)
		if w.faultRand.IntN(4) == 0 {
			d = w.lease + time.Duration(w.faultRand.Int64N(3)-1)
		}
		p.pausedUntil = max(p.pausedUntil, w.now+d)
		w.trace("%s is paused for %s", p.name, d)
	case w.chance(w.faults.partition):
		w.count("partition")
		p.cutOffUntil = w.now + long(3*w.lease)
		w.trace("%s is cut off until %s", p.name, p.cutOffUntil)
	case !w.faults.byClock && w.chance(w.faults.clockStep):
		w.count("clock step")
		p.clocks.wall += long(2*time.Hour) - time.Hour
	}
}

// operate is what an operator does: it asks, changes, disables.
func (w *World) operate() {
	ctx := context.Background()
	nonce, _ := uuid.NewRandomFromReader(w.identities)
	target := w.processes[w.names[w.faultRand.IntN(len(w.names))]]
	choice := w.faultRand.IntN(7)
	err := w.db.NewClient("operator", memkv.ClientOptions{}).Transact(ctx, func(tr kv.Transaction) error {
		state, err := w.election.ReadState(tr)
		if err != nil {
			return err
		}
		config := state.Config
		switch choice {
		case 0:
			return w.election.RequestResign(tr, state.Leader.Term, nonce)
		case 1:
			return w.election.RequestTransfer(tr, state.Leader.Term, target.name, nonce)
		case 2:
			config.ElectionEnabled = !config.ElectionEnabled
		case 3:
			if w.faults.shortLeases { // never shorter than what the faults are made for
				config.LeaseDuration = time.Duration(1+w.faultRand.IntN(3)) * w.lease
				config.CandidateTimeout = 2 * config.LeaseDuration
			} else {
				config.AllowPreemption = !config.AllowPreemption
			}
		case 4:
			candidate, err := w.election.GetCandidate(tr, target.name)
			if err != nil {
				return err
			}
			_, err = w.election.EvictUnchanged(tr, []election.Candidate{candidate})
			return err
		default:
			return nil
		}
		_, err = w.election.WriteConfig(tr, config)
		return err
	})
	if choice == 5 && target.alive {
		target.priority = int32(w.faultRand.IntN(3))
		target.post(machine.Changed{Priority: target.priority, Role: target.role, Metadata: target.me.Metadata})
	}
	w.count([]string{"request to resign", "request to transfer", "enable or disable", "config", "forced eviction", "priority", "nothing"}[choice])
	w.trace("operator: choice %d on %s: %v", choice, target.name, err)
}

// calm ends all faults: every process is there, connected and awake, and the
// election is enabled.
func (w *World) calm() {
	w.trace("calm")
	w.quiet = w.now
	for _, name := range w.names {
		p := w.processes[name]
		p.cutOffUntil = 0
		p.pausedUntil = min(p.pausedUntil, w.now)
		if !p.alive {
			p.enter()
		} else if p.stopping {
			w.after(2*w.lease, func() {
				if !p.alive {
					p.enter()
				}
			})
		}
	}
	_ = w.db.Transact(context.Background(), func(tr kv.Transaction) error {
		config, err := w.election.ReadConfig(tr)
		if err != nil {
			return err
		}
		config.ElectionEnabled, config.AllowPreemption = true, true
		_, err = w.election.WriteConfig(tr, config)
		return err
	})
	w.committed()
}

// count counts a thing that has happened.
func (w *World) count(what string) { w.counts[what]++ }

// keptLines is how much of the trace a failure shows.
const keptLines = 120

// trace notes what has happened, for the hash and for a reader.
func (w *World) trace(format string, args ...any) {
	line := fmt.Sprintf("%12s  %s", w.now, fmt.Sprintf(format, args...))
	w.mix(line)
	if w.opts.Trace != nil {
		w.opts.Trace(line)
	}
	w.lines = append(w.lines, line)
	if len(w.lines) > 4*keptLines {
		w.lines = slices.Clone(w.lines[len(w.lines)-keptLines:])
	}
}

func (w *World) mix(text string) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	w.hash = (w.hash ^ h.Sum64()) * 1099511628211
}

// violated ends the run with the invariant that does not hold.
func (w *World) violated(invariant, format string, args ...any) {
	if w.failure != nil {
		return
	}
	w.trace("VIOLATION of %s: %s", invariant, fmt.Sprintf(format, args...))
	lines := w.lines[max(0, len(w.lines)-keptLines):]
	w.failure = fmt.Errorf("seed %d: %s: %s\n%s", w.opts.Seed, invariant, fmt.Sprintf(format, args...), strings.Join(lines, "\n"))
}

// reader draws identities from a seed.
type reader struct{ r *rand.Rand }

func (r *reader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.r.Uint32())
	}
	return len(b), nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func isDone(watch kv.Watch) bool {
	select {
	case <-watch.Done():
		return true
	default:
		return false
	}
}
