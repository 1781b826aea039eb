package simulation

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Fault is a kind of fault. Each kind has its own stream of random numbers, so that a new
// kind does not change the runs without it. The names are:
//
//   - calls to the database: read-error, refused, unknown, unsettled, busy, slow
//   - watches: watch-lost, watch-late, watch-fails, watch-fires
//   - processes: stall, death, crash, leave, leave-to, pause, cut-off, clock-step,
//     duplicate-id, change, contest, unready, work-ends, work-ignores-stop
//   - the database and its operators: recovery, request, reconfigure, evict, delete,
//     force, outage, and in groups steer, hunt and restore
type Fault int

// The kinds of faults.
const (
	faultReadError       Fault = iota // 1007, 1009, 1037, 1038 or 1213 on a read
	faultRefused                      // 1020, 1007 or 1042 on a commit
	faultUnknown                      // 1021 on a commit, applied or not
	faultUnsettled                    // 1031 or 1039 on a commit, which lands later or never
	faultSlow                         // a message takes up to two leases
	faultStall                        // the process is paused between two calls
	faultDeath                        // the process dies between two calls
	faultWatchLost                    // a watch never fires
	faultWatchLate                    // a watch fires up to a lease late
	faultWatchFails                   // a watch cannot be armed, or is lost with an error
	faultWatchFires                   // a watch fires for no reason
	faultCrash                        // a process dies, and comes back as another incarnation
	faultLeave                        // a process is told to stop
	faultPause                        // a process is paused
	faultCutOff                       // a process is cut off from the database, one way or both
	faultClockStep                    // a wall clock is set
	faultRecovery                     // the database recovers, once or several times in a row
	faultDuplicateID                  // a second process starts under the id of a live one
	faultRequest                      // an operator asks to resign or to hand over
	faultReconfigure                  // an operator changes the config
	faultEvict                        // an operator evicts
	faultChange                       // a process changes its priority, role or metadata
	faultWorkEnds                     // the work of a leader returns by itself
	faultWorkIgnoresStop              // the work continues after it was told to stop
	faultBusy                         // 1009, 1037, 1038 or 1213 on a commit
	faultPriorityContest              // processes raise their priorities above each other's, one after another
	faultDelete                       // an operator deletes records, or all of them
	faultForce                        // an operator forces the leader to resign, or raises the term
	faultUnready                      // a process is not ready to lead for a while
	faultOutage                       // the database is away, for all processes or for some
	faultLeaveTo                      // a process is told to stop and to hand over
	faultSteer                        // an operator of a group creates, removes, pins, drains, trims and so on
	faultHunt                         // the requests of a member arrive around the end of its session
	faultRestore                      // the records of a group are restored to an older state
	faultKinds
)

var faultNames = [faultKinds]string{
	"read-error", "refused", "unknown", "unsettled", "slow", "stall", "death",
	"watch-lost", "watch-late", "watch-fails", "watch-fires",
	"crash", "leave", "pause", "cut-off", "clock-step", "recovery", "duplicate-id",
	"request", "reconfigure", "evict", "change", "work-ends", "work-ignores-stop",
	"busy", "contest", "delete", "force", "unready", "outage", "leave-to",
	"steer", "hunt", "restore",
}

// String returns the name of the kind.
func (f Fault) String() string {
	if f < 0 || f >= faultKinds {
		return "unknown fault"
	}
	return faultNames[f]
}

// ParseFault returns the kind with a name, and whether there is one.
func ParseFault(name string) (Fault, bool) {
	i := slices.Index(faultNames[:], cmp.Or(oldFaultNames[name], name))
	return Fault(i), i >= 0
}

// oldFaultNames are earlier names, which saved runs may have.
var oldFaultNames = map[string]string{"twin": "duplicate-id", "work-deaf": "work-ignores-stop"}

// MarshalText returns the name of the kind.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads the name of a kind. It fails if there is no such kind.
func (f *Fault) UnmarshalText(text []byte) error {
	kind, ok := ParseFault(string(text))
	if !ok {
		return fmt.Errorf("there is no fault %q", text)
	}
	*f = kind
	return nil
}

// maxIntensity is the highest intensity of each kind: a chance in a million, per call or
// per process and second.
var maxIntensity = [faultKinds]int{
	faultReadError: 50_000, faultRefused: 100_000, faultUnknown: 120_000, faultUnsettled: 100_000, faultSlow: 10_000, faultStall: 5_000, faultDeath: 2_000,
	faultWatchLost: 300_000, faultWatchLate: 500_000, faultWatchFails: 200_000, faultWatchFires: 200_000,
	faultCrash: 15_000, faultLeave: 8_000, faultPause: 20_000, faultCutOff: 20_000, faultClockStep: 20_000, faultRecovery: 20_000, faultDuplicateID: 4_000,
	faultRequest: 40_000, faultReconfigure: 60_000, faultEvict: 20_000, faultChange: 15_000, faultWorkEnds: 5_000, faultWorkIgnoresStop: 100_000,
	faultBusy: 50_000, faultPriorityContest: 20_000, faultDelete: 60_000, faultForce: 30_000,
	faultUnready: 20_000, faultOutage: 20_000, faultLeaveTo: 8_000,
	faultSteer: 200_000, faultHunt: 200_000, faultRestore: 20_000,
}

// faults are the intensities of one run. Each seed has a random subset of the kinds.
type faults struct {
	intensity [faultKinds]int
	streams   [faultKinds]*rand.Rand
}

func newFaults(seed uint64, opts *Options) faults {
	var f faults
	draw := stream(seed, 5)
	for kind := range faultKinds {
		f.streams[kind] = stream(seed, 1000+uint64(kind))
		on, n := draw.IntN(2) == 0, 1+draw.IntN(maxIntensity[kind])
		if kind == faultDelete {
			on = on || opts.deletions
		}
		if on && !slices.Contains(opts.Without, kind) {
			f.intensity[kind] = n
		}
	}
	return f
}

// chance reports whether a fault happens now.
func (k *kernel) chance(kind Fault) bool {
	n := k.faults.intensity[kind]
	return n > 0 && k.faultFreeSince == 0 && k.faults.streams[kind].IntN(1_000_000) < n
}

// pick draws a number below n from the stream of a fault.
func (k *kernel) pick(kind Fault, n int) int { return k.faults.streams[kind].IntN(n) }

// span draws a duration below limit from the stream of a fault.
func (k *kernel) span(kind Fault, limit time.Duration) time.Duration {
	return time.Duration(k.faults.streams[kind].Int64N(int64(max(limit, 1))))
}

func stream(seed, n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
