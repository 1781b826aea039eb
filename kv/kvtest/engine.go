package kvtest

import (
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Engine describes an engine to the suite.
type Engine struct {
	// Name is shown in the listing.
	Name string
	// Open returns a database in which a case may do as it likes: a new one, or
	// an empty prefix of a shared one. It registers what it has to close with
	// t.Cleanup. Cases run in parallel, each on a Store of its own.
	Open func(t testing.TB) Store
	// Lacks names the capabilities that the engine does not have, each with the
	// reason. A capability that is neither listed here nor there in the Store
	// fails the case that needs it, and so does one that is both.
	Lacks map[Capability]string
	// RealTime says that transactions grow old by real time. There a busy machine
	// can age one while its case runs: such a case begins anew, a few times.
	RealTime bool
	// Patience is how long, in real time, a case waits for something that ought
	// to come at once. It only matters when a case fails. Zero means 20 s.
	Patience time.Duration
}

// Store is a database under test, with whatever handles its engine has on the
// world below it. A handle is nil where Engine.Lacks says so.
type Store struct {
	kv.Database

	// Prefix begins every key that a case uses. It may be empty.
	Prefix []byte

	// Advance lets d pass on the engine's clock. An engine on real time may wait.
	Advance func(d time.Duration)
	// Backoffs returns how long OnError waited, each time since Open, in order.
	// The engine's random factor must be BackoffJitter, and a wait must not take
	// real time.
	Backoffs func() []time.Duration
	// Recover makes the database go through a recovery, as after the loss of a
	// machine.
	Recover func()
	// Inject makes the next operation of that kind fail.
	Inject func(f Fault)
	// Hold makes the next operation of that kind wait before it takes effect:
	// arrived is closed when it is there, release lets it go on, and calling it
	// again is harmless. Whoever waits for the operation may give up earlier. A
	// commit is not taken back by that: it takes effect when it is released, and
	// has done so when release returns.
	Hold func(op Op) (arrived <-chan struct{}, release func())
	// Reopen closes the database and opens the same data anew.
	Reopen func(t testing.TB) kv.Database
	// Share opens the same data once more beside the first, as another process
	// would.
	Share func(t testing.TB) kv.Database
}

// BackoffJitter is the random factor of the back-off that the suite expects
// of an engine that records its waits.
const BackoffJitter = 0.5

// Op is a kind of operation of the engine.
type Op int

const (
	// OpRead is a wave of reads, a request for a read version included.
	OpRead Op = iota
	// OpCommit is a commit that writes.
	OpCommit
)

// Fault is an error that the suite orders from the engine.
type Fault struct {
	Op   Op
	Code int
	// Applied says that a commit takes effect all the same: its acknowledgement
	// is lost, not the commit.
	Applied bool
}

// Capability is something that an engine, or the way it was opened, can show.
type Capability string

const (
	// Clock: time can be advanced. Store.Advance.
	Clock Capability = "clock"
	// Backoffs: the waits of OnError are recorded. Store.Backoffs.
	Backoffs Capability = "back-offs"
	// Recovery: a recovery can be provoked. Store.Recover.
	Recovery Capability = "recovery"
	// Faults: operations can be made to fail. Store.Inject.
	Faults Capability = "faults"
	// Holds: operations can be held midway. Store.Hold.
	Holds Capability = "holds"
	// Reopening: the data outlives the handle. Store.Reopen.
	Reopening Capability = "reopening"
	// Sharing: several handles serve the same data at once. Store.Share.
	Sharing Capability = "sharing"
	// History: a transaction can go on reading its version for 5 s after others
	// have committed. Without it such a read may fail with code 1007.
	History Capability = "history"
	// ExactWatches: a watch fires only after a change. The contract allows
	// others.
	ExactWatches Capability = "exact watches"
	// WatchLimit: the limit of outstanding watches counts those of the Store
	// alone, so that a case may use it up.
	WatchLimit Capability = "watch limit"
	// Outcomes: of a commit that failed the engine knows whether it had begun. An
	// engine that does not know calls every such outcome Unsettled.
	Outcomes Capability = "outcomes"
	// KeySpace: the whole key space belongs to the case, the empty key included.
	KeySpace Capability = "key space"
)

// capabilities lists them all, each with what it lets the suite do.
var capabilities = []struct {
	name  Capability
	means string
}{
	{Clock, "time can be advanced"},
	{Backoffs, "the waits of OnError are recorded"},
	{Recovery, "a recovery can be provoked"},
	{Faults, "the next read or commit can be made to fail, applied or not"},
	{Holds, "a read or a commit can be held midway"},
	{Reopening, "the database can be closed and opened again"},
	{Sharing, "the same data can be opened twice at once"},
	{History, "a transaction can read on at its version while others commit"},
	{ExactWatches, "a watch fires only after a change"},
	{WatchLimit, "the limit of watches counts those of one case alone"},
	{Outcomes, "of a commit that failed it is known whether it had begun"},
	{KeySpace, "the whole key space belongs to the case"},
}

// handles reports whether there is a handle for a capability.
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

// has is handles, with the capabilities that need no handle.
func (s Store) has(c Capability) bool {
	switch c {
	case History, ExactWatches, WatchLimit, Outcomes, KeySpace:
		return true
	default:
		return s.handles(c)
	}
}
