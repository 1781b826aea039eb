package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
)

// Fault is a kind of fault. Each has a stream of chance of its own, so that one
// more kind, or one less, does not reshuffle the others.
type Fault int

// The kinds of faults.
const (
	ReadError       Fault = iota // 1007, 1009, 1037, 1038 or 1213 on a read
	Refused                      // 1020, 1007 or 1042 on a commit
	Unknown                      // 1021 on a commit, applied or not
	Unsettled                    // 1031 or 1039 on a commit, which lands later or never
	Slow                         // a message takes up to two leases
	Stall                        // the process is paused between two calls
	Death                        // the process dies between two calls
	WatchLost                    // a watch never fires
	WatchLate                    // a watch fires up to a lease late
	WatchFails                   // a watch cannot be armed, or is lost with an error
	WatchFires                   // a watch fires for no reason
	Crash                        // a process dies, and comes back as another incarnation
	Leave                        // a process is told to leave
	Pause                        // a process is paused
	CutOff                       // a process is cut off from the database, one way or both
	ClockStep                    // a wall clock is set
	Recovery                     // the database recovers, once or several times in a row
	DuplicateID                  // a process is started twice under one id
	Request                      // an operator asks to resign or to hand over
	Reconfigure                  // an operator changes the config
	Evict                        // an operator evicts
	Change                       // a process changes its priority, role or metadata
	WorkEnds                     // the work of a leader ends of itself
	WorkIgnoresStop              // the work goes on as if it had not been told to stop
	Busy                         // 1009, 1037, 1038 or 1213 on a commit
	PriorityContest              // processes outbid each other's priorities, one after the other
	Delete                       // an operator deletes records, or all of them
	faultKinds
)

var faultNames = [faultKinds]string{
	"read-error", "refused", "unknown", "unsettled", "slow", "stall", "death",
	"watch-lost", "watch-late", "watch-fails", "watch-fires",
	"crash", "leave", "pause", "cut-off", "clock-step", "recovery", "twin",
	"request", "reconfigure", "evict", "change", "work-ends", "work-deaf",
	"busy", "contest", "delete",
}

// String returns the name of the kind, as ParseFault takes it.
func (f Fault) String() string { return faultNames[f] }

// ParseFault is the inverse of Fault.String.
func ParseFault(name string) (Fault, bool) {
	i := slices.Index(faultNames[:], name)
	return Fault(i), i >= 0
}

// most is the highest intensity of each kind, in parts of a million: of the calls
// or of the seconds of a process.
var most = [faultKinds]int{
	ReadError: 50_000, Refused: 100_000, Unknown: 120_000, Unsettled: 100_000, Slow: 10_000, Stall: 5_000, Death: 2_000,
	WatchLost: 300_000, WatchLate: 500_000, WatchFails: 200_000, WatchFires: 200_000,
	Crash: 15_000, Leave: 8_000, Pause: 20_000, CutOff: 20_000, ClockStep: 20_000, Recovery: 20_000, DuplicateID: 4_000,
	Request: 40_000, Reconfigure: 60_000, Evict: 20_000, Change: 15_000, WorkEnds: 5_000, WorkIgnoresStop: 100_000,
	Busy: 50_000, PriorityContest: 20_000, Delete: 60_000,
}

// faults are the intensities of one run: each seed has a subset of all kinds.
type faults struct {
	intensity [faultKinds]int
	streams   [faultKinds]*rand.Rand
}

func newFaults(seed uint64, opts *Options) faults {
	var f faults
	draw := stream(seed, 5)
	for kind := range faultKinds {
		f.streams[kind] = stream(seed, 1000+uint64(kind))
		on, n := draw.IntN(2) == 0, 1+draw.IntN(most[kind])
		if kind == Delete {
			on = on || opts.deletions
		}
		if on && !slices.Contains(opts.Without, kind) {
			f.intensity[kind] = n
		}
	}
	return f
}

// chance reports whether a fault happens now.
func (w *World) chance(kind Fault) bool {
	n := w.faults.intensity[kind]
	return n > 0 && w.quiet == 0 && w.faults.streams[kind].IntN(1_000_000) < n
}

// pick is a number below n from the stream of a fault.
func (w *World) pick(kind Fault, n int) int { return w.faults.streams[kind].IntN(n) }

// span is a duration below most from the stream of a fault.
func (w *World) span(kind Fault, most time.Duration) time.Duration {
	return time.Duration(w.faults.streams[kind].Int64N(int64(max(most, 1))))
}

// shape is what is the same from the beginning of a run to its end.
type shape struct {
	config fdbelection.Config
	maxPPM int64         // how far the rates of the clocks are off, at most
	skew   time.Duration // how far the wall clocks are off, at most
	exact  bool          // messages may take no time, and the margin is one nanosecond
	short  bool          // the lease is short, and is changed by a factor of up to 10
}

// newShape draws the shape of a run.
func newShape(r *rand.Rand) shape {
	s := shape{skew: time.Hour}
	c := fdbelection.ConfigWithLease(10 * time.Second)
	c.HeartbeatInterval = 3 * time.Second
	if s.short = r.IntN(4) == 0; s.short {
		c = fdbelection.ConfigWithLease(time.Second)
	}
	c.MinimumTenure, c.PreemptDelay = 0, 0 // drawn below
	switch r.IntN(6) {
	case 0:
		s.maxPPM = 500
	case 1:
		s.maxPPM = 20_000
	case 2:
		s.maxPPM = 100_000
	case 3:
		s.exact = true
	}
	// At least lease x 2r/(1+r) for rates that are off by r, rounded up.
	lease := int64(c.LeaseDuration)
	c.Margin = time.Duration(lease/(1_000_000+s.maxPPM)*2*s.maxPPM) + time.Millisecond
	if s.exact {
		c.Margin = 1
	}
	if r.IntN(8) == 0 {
		c.Expiry = fdbelection.ExpiryByClock
		s.skew, s.maxPPM = 0, 0
		if r.IntN(2) == 0 { // it is a promise only while the clocks agree
			s.skew = c.LeaseDuration / 2
		}
	}
	switch r.IntN(5) {
	case 0:
		c.PreemptionGrace = 0
	case 1:
		c.PreemptionGrace = c.LeaseDuration / 5
	}
	if r.IntN(3) == 0 {
		c.MinimumTenure = time.Duration(r.Int64N(int64(2 * c.LeaseDuration)))
	}
	c.HistoryLimit = []int{0, 1, 4, 128}[r.IntN(4)]
	if r.IntN(3) == 0 {
		c.PreemptDelay = time.Duration(r.Int64N(int64(2 * c.LeaseDuration)))
	}
	s.config = c
	return s
}

// scaledConfig is the config with all its durations k times as long.
func scaledConfig(c fdbelection.Config, k int) fdbelection.Config {
	for _, d := range []*time.Duration{
		&c.LeaseDuration, &c.HeartbeatInterval, &c.CandidateTimeout, &c.Margin, &c.PreemptionGrace, &c.PreemptDelay, &c.MinimumTenure,
	} {
		*d = time.Duration(int64(*d) * int64(k))
	}
	return c
}

func stream(seed, n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
