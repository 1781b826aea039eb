package kvtest

import (
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Engine describes an engine to the suite.
type Engine struct {
	// Name is the name in reports.
	Name string
	// Open returns a database that the case owns: a new one, or an empty prefix of
	// a shared one. It uses t.Cleanup to close it. Cases run in parallel, each in
	// its own Store.
	Open func(t testing.TB) Store
	// Lacks names the capabilities that the engine does not have, each with the
	// reason. A case fails if it needs a capability that is neither named here nor
	// provided by the Store, or that is both.
	Lacks map[Capability]string
	// RealTime is set if transactions age in real time. A busy machine may then
	// delay a case until its transaction is too old. Such a case is repeated a few
	// times.
	RealTime bool
	// Timeout is how long a case waits, in real time, for an event that should
	// happen at once. It matters only if a case fails. Zero means 20 seconds.
	Timeout time.Duration
}

// Store is a database under test, with handles to control its engine. A handle is
// nil if Engine.Lacks names its capability.
type Store struct {
	kv.Database

	// Prefix is the prefix of every key that a case uses. It may be empty.
	Prefix []byte

	// Advance advances the engine's clock by d. An engine on real time may wait.
	Advance func(d time.Duration)
	// Backoffs returns the duration of every wait of OnError since Open, in order.
	// The engine's jitter must be BackoffJitter, and a wait must not take real
	// time.
	Backoffs func() []time.Duration
	// Recover simulates a recovery of the database, as after the loss of a machine.
	Recover func()
	// Inject makes the next operation of the fault's kind fail.
	Inject func(f Fault)
	// Hold makes the next operation of that kind wait before it takes effect.
	// arrived is closed when the operation waits, and release lets it continue.
	// release may be called more than once. If the caller of a held commit gives
	// up, the commit still takes effect at its release, before release returns.
	Hold func(op Op) (arrived <-chan struct{}, release func())
	// Reopen closes the database and opens the same data again.
	Reopen func(t testing.TB) kv.Database
	// Share opens the same data a second time, as another process would.
	Share func(t testing.TB) kv.Database
}

// BackoffJitter is the jitter that the suite expects of an engine that records its
// back-offs.
const BackoffJitter = 0.5

// Op is a kind of operation.
type Op int

const (
	// OpRead is a wave of reads, or a request for a read version.
	OpRead Op = iota
	// OpCommit is a commit with writes.
	OpCommit
)

// Fault is an error that the suite injects.
type Fault struct {
	Op   Op
	Code int
	// Applied is set if a commit takes effect although it fails.
	Applied bool
}

// Capability is something that a case may need and an engine may lack.
type Capability string

const (
	// Clock means that time can be advanced with Store.Advance.
	Clock Capability = "clock"
	// Backoffs means that Store.Backoffs returns the waits of OnError.
	Backoffs Capability = "back-offs"
	// Recovery means that Store.Recover can simulate a recovery.
	Recovery Capability = "recovery"
	// Faults means that Store.Inject can make operations fail.
	Faults Capability = "faults"
	// Holds means that Store.Hold can suspend operations.
	Holds Capability = "holds"
	// Reopening means that the data outlives the handle, and that Store.Reopen
	// works.
	Reopening Capability = "reopening"
	// Sharing means that Store.Share opens another handle on the same data.
	Sharing Capability = "sharing"
	// History means that a transaction can read at its version for 5 seconds while
	// others commit. Without it, such a read may fail with code 1007.
	History Capability = "history"
	// ExactWatches means that a watch fires only after a change. Package kv allows
	// watches to fire without one.
	ExactWatches Capability = "exact watches"
	// WatchLimit means that the limit of outstanding watches applies to the Store
	// alone, so that a case may use it up.
	WatchLimit Capability = "watch limit"
	// Outcomes means that the engine knows whether a failed commit had begun. An
	// engine that does not know reports Unsettled.
	Outcomes Capability = "outcomes"
	// KeySpace means that the case owns the whole key space, including the empty
	// key.
	KeySpace Capability = "key space"
)

// capabilities lists all capabilities, in the order of CASES.md.
var capabilities = []Capability{
	Clock, Backoffs, Recovery, Faults, Holds, Reopening, Sharing, History, ExactWatches, WatchLimit, Outcomes, KeySpace,
}

// handles reports whether the store has the handle for a capability.
func (s Store) handles(c Capability) bool {
	switch c {
	case Clock:
		return s.Advance != nil
	case Backoffs:
		return s.Backoffs != nil
	case Recovery:
		return s.Recover != nil
	case Faults:
		return s.Inject != nil
	case Holds:
		return s.Hold != nil
	case Reopening:
		return s.Reopen != nil
	case Sharing:
		return s.Share != nil
	default:
		return false
	}
}

// has reports whether the store has a capability. Some capabilities need no handle.
func (s Store) has(c Capability) bool {
	switch c {
	case History, ExactWatches, WatchLimit, Outcomes, KeySpace:
		return true
	default:
		return s.handles(c)
	}
}
