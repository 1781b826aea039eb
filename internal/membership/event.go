package membership

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Now is one instant on the two clocks of a process.
type Now = machine.Now

// Event is something that has happened.
type Event interface{ event() }

type (
	// Begin is the first event.
	Begin struct{}
	// Tick says that time has passed.
	Tick struct{}
	// Leave drains all work, hands over and leaves.
	Leave struct{}
	// ReadinessChanged says why the program is not ready. If NotReady is empty, it is.
	ReadinessChanged struct{ NotReady string }
	// AttemptStarting says that the commit of an attempt to join or to send a heartbeat is
	// about to start. The caller waits for this step before it starts the commit.
	AttemptStarting struct {
		Op          uint64
		Attempt     int
		Start       time.Time
		Incarnation uuid.UUID
		Lease       time.Duration
		Config      group.Config
	}
	// AttemptDone says what is known about that commit.
	AttemptDone struct {
		Op      uint64
		Attempt int
		Outcome kv.Outcome
	}
	// Answered ends an operation. A Follow with Arm is followed by WatchEnded if its Err is
	// nil and Armed is set.
	Answered struct {
		Op     uint64
		Answer Answer
	}
	// WatchEnded says that an armed watch has fired or failed.
	WatchEnded struct {
		Op  uint64
		Err error
	}
	// WorkReturned says that the work on a shard has returned. Err says whether it failed.
	WorkReturned struct {
		Shard string
		Term  uint64
		Err   error
	}
)

func (Begin) event()            {}
func (Tick) event()             {}
func (Leave) event()            {}
func (ReadinessChanged) event() {}
func (AttemptStarting) event()  {}
func (AttemptDone) event()      {}
func (Answered) event()         {}
func (WatchEnded) event()       {}
func (WorkReturned) event()     {}

// Action is something to do. No action blocks.
type Action interface{ action() }

type (
	// StartOperation starts an operation. It ends with Answered.
	StartOperation struct{ Operation }
	// CancelOperation cancels a running operation or a watch. Its last event still comes.
	CancelOperation struct{ Op uint64 }
	// Lead starts the work on a shard. It ends with WorkReturned.
	Lead struct{ Token group.Token }
	// Drain tells the work on a shard to stop. It may use the lease until Expire.
	Drain struct {
		Token  group.Token
		Reason group.Reason
	}
	// Expire says that the work on a shard must not use the lease any more.
	Expire struct{ Token group.Token }
	// StateChanged reports a change of state. Err says why a session has ended, or why the
	// machine stops by itself.
	StateChanged struct {
		From, To State
		Err      error
	}
	// RoutesChanged names shards whose leader may have changed. Members says that members have
	// changed.
	RoutesChanged struct {
		Shards  []string
		Members bool
	}
	// ConfigChanged reports the config when it is first read, and each change of it.
	ConfigChanged struct{ Config group.Config }
	// Evicted reports a member that this process has evicted.
	Evicted struct{ Member election.Identity }
	// IDInUse reports a session of another process under this id. This process joins at Until,
	// unless that one sends heartbeats.
	IDInUse struct {
		Existing election.Identity
		Until    time.Time
	}
	// HoldOff reports that work on a shard has failed, and for how long this process does not
	// claim it. Failures counts failures in a row.
	HoldOff struct {
		Shard    string
		Failures int
		For      time.Duration
	}
	// Report reports an error of the store when it changes. A nil Err says that the store is
	// available again. Unreadable records are reported with Unreadable set, and that the session
	// has ended with Ended set.
	Report struct {
		Err        error
		Unreadable bool
		Ended      bool
	}
	// Wake asks for a Tick at an instant of the local clock. It replaces the last Wake.
	Wake struct{ At time.Time }
	// Finish is the last action. Err is why the machine stopped by itself, or why it could not
	// leave.
	Finish struct{ Err error }
)

func (StartOperation) action()  {}
func (CancelOperation) action() {}
func (Lead) action()            {}
func (Drain) action()           {}
func (Expire) action()          {}
func (StateChanged) action()    {}
func (RoutesChanged) action()   {}
func (ConfigChanged) action()   {}
func (Evicted) action()         {}
func (IDInUse) action()         {}
func (HoldOff) action()         {}
func (Report) action()          {}
func (Wake) action()            {}
func (Finish) action()          {}
