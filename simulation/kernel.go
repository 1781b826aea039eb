package simulation

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/kv/memkv"
)

// kernel is what runs of elections and of groups have in common: simulated time, the database,
// and the faults of calls, of processes and of the database.
type kernel struct {
	scheduler
	recorder
	opts         Options
	faults       faults
	scheduleRand *rand.Rand
	routines     coroutines
	running      *task
	db           *memkv.DB
	nodes        map[string]*node // by the names of their clients
	model        model

	lease          time.Duration // the measure of the lengths of faults
	instant        bool          // messages may take no time
	recoveries     int
	recoveredAt    time.Duration
	faultFreeSince time.Duration // when faults ended; zero: not yet
}

// model is what is simulated.
type model interface {
	// cells are the states of the processes, for the timeline.
	cells() []string
	// allNodes are all nodes that run, also those of operators and of applications.
	allNodes() []*node
	// hunt may take a commit over, to let it arrive in a rare situation. It reports whether it
	// does. The process then gets an error.
	hunt(t *task, call *memkv.Call) bool
}

func newKernel(opts Options) kernel {
	return kernel{
		opts: opts, faults: newFaults(opts.Seed, &opts), scheduleRand: stream(opts.Seed, 1), nodes: map[string]*node{},
		recorder: newRecorder(opts),
	}
}

// open opens the database.
func (k *kernel) open(committed func(memkv.LogEntry)) {
	k.db = memkv.New(memkv.Options{
		Now:   func() time.Time { return epoch.Add(k.now) },
		Sleep: k.sleep, Jitter: func() float64 { return float64(k.scheduleRand.Uint64N(1<<20)) / (1 << 20) },
		Hooks:    &memkv.Hooks{Before: k.beforeCall, After: k.afterCall, Changed: k.watchChanged},
		OnCommit: committed,
	})
}

// sleep is the back-off of a client.
func (k *kernel) sleep(ctx context.Context, d time.Duration) error {
	t := taskOf(ctx)
	if t == nil {
		return nil
	}
	return t.wait(d, true)
}

// failed reports whether the run ends before its time.
func (k *kernel) failed() bool {
	if k.checkHotLoop(20_000, func() string { return "of all processes" }) {
		return true
	}
	return len(k.result.Violations) > 0 && (!k.opts.keepGoing || k.broken(invHotLoop))
}

// close ends the run.
func (k *kernel) close() {
	k.routines.close()
	k.result.Simulated, k.result.Events = k.now, k.events
}

// checkHotLoop is a check without a number. No process keeps itself or others busy without
// waiting. Too many events at one instant mean that a timer is due again at once, or that
// answers cause each other.
func (k *kernel) checkHotLoop(limit int, what func() string) bool {
	if k.still <= limit {
		return false
	}
	k.violated(invHotLoop, "%d events without time passing: %s", k.still, what())
	return true
}

// recover makes the database recover, perhaps several times in a row.
func (k *kernel) recover(recovered func()) {
	for again := k.pick(faultRecovery, 3); ; again-- {
		k.count(faultRecovery)
		if k.now-k.recoveredAt < k.lease && k.recoveries > 0 {
			k.situation("two recoveries within a lease")
		}
		recovered()
		k.recoveries++
		k.recoveredAt = k.now
		k.db.Recover()
		if k.tracing {
			k.traceOf("", "the database recovers")
		}
		if again <= 0 {
			return
		}
		k.after(k.span(faultRecovery, k.lease), func() {
			if k.faultFreeSince == 0 {
				k.recoveries++
				k.db.Recover()
			}
		})
	}
}

// disturb may pause a process, cut it off or set its wall clock, which is off by skew at most.
// It reports whether it did one of these.
func (k *kernel) disturb(n *node, skew time.Duration) bool {
	switch {
	case k.chance(faultPause):
		k.count(faultPause)
		n.pause(k.pauseLength(n, faultPause))
	case k.chance(faultCutOff):
		k.count(faultCutOff)
		until := k.now + k.span(faultCutOff, 3*k.lease)
		way := k.pick(faultCutOff, 3)
		if way != 0 {
			n.requestsHeldUntil = until
		}
		if way != 1 {
			n.repliesHeldUntil = until
		}
		if k.tracing {
			k.traceOf(n.name, "is cut off (%s) until %s", [...]string{"answers", "requests", "both ways"}[way], until)
		}
	case skew > 0 && k.chance(faultClockStep):
		k.count(faultClockStep)
		n.clocks.set(k.span(faultClockStep, 2*skew) - skew)
	default:
		return false
	}
	return true
}

// place is where a process runs. It stays the same when the process restarts. The database may
// be away for the processes of a place: their calls wait until heldUntil, and fail before
// failsUntil.
type place struct {
	id                    string
	heldUntil, failsUntil time.Duration
}

// What the calls do while the database is away.
const (
	callsWait         = iota // they wait until it is back
	callsFail                // they fail at once
	callsFailThenWait        // they fail at first, and wait later
	outageKinds
)

var outageNames = [outageKinds]string{"calls wait", "calls fail", "calls fail, then wait"}

// injectOutage takes the database away for up to four leases, from all places or from some.
func (k *kernel) injectOutage(places []*place) {
	k.count(faultOutage)
	if k.pick(faultOutage, 2) == 0 {
		k.situation("database away for all")
	} else {
		k.situation("database away for some")
		places = slices.DeleteFunc(places, func(*place) bool { return k.pick(faultOutage, 2) == 0 })
	}
	k.takeAway(places, k.span(faultOutage, 4*k.lease), k.pick(faultOutage, outageKinds))
}

// takeAway takes the database away from places. kind is what their calls do meanwhile.
func (k *kernel) takeAway(places []*place, length time.Duration, kind int) {
	until := k.now + length
	if k.tracing {
		ids := make([]string, len(places))
		for i, p := range places {
			ids[i] = p.id
		}
		k.traceOf("", "the database is away from %v until %s (%s)", ids, until, outageNames[kind])
	}
	switch kind {
	case callsFailThenWait:
		ended := k.faultFreeSince
		k.takeAway(places, length/2, callsFail)
		k.after(length/2, func() {
			if k.faultFreeSince == ended {
				k.takeAway(places, until-k.now, callsWait)
			}
		})
		return
	case callsFail:
		for _, p := range places {
			p.failsUntil = max(p.failsUntil, until)
		}
		return
	}
	for _, p := range places {
		p.heldUntil = max(p.heldUntil, until)
	}
	for _, n := range k.model.allNodes() {
		if slices.Contains(places, n.place) {
			n.requestsHeldUntil, n.repliesHeldUntil = max(n.requestsHeldUntil, until), max(n.repliesHeldUntil, until)
		}
	}
}
