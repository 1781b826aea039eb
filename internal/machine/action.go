package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Action is something to do. No action blocks.
type Action interface{ action() }

type (
	// StartOperation starts an operation. It ends with Answered. A watch that was armed
	// ends with WatchEnded after that.
	StartOperation struct{ *Operation }
	// CancelOperation cancels a running operation or watch. Its Answered or WatchEnded
	// still comes.
	CancelOperation struct{ Op uint64 }
	// Lead starts the work of a tenure. It ends with WorkReturned.
	Lead struct {
		Leader election.LeaderRecord
	}
	// Drain tells the work of a term to stop. The process does not lead any more, and the
	// work may use the lease until Expire. Err is set if the machine stops by itself. Request
	// is the request for which it stops.
	Drain struct {
		Term    uint64
		Reason  Reason
		Err     error
		Request election.Request
	}
	// Expire says that the work of a term must not use the lease any more.
	Expire struct{ Term uint64 }
	// StateChanged reports a change of state.
	StateChanged struct{ Transition }
	// LeaderChanged reports a new leader, or that leadership is vacant. If Metadata is set,
	// only the metadata of the leader have changed since the last report.
	LeaderChanged struct {
		Leader   election.LeaderRecord
		Metadata bool
	}
	// CandidatesChanged reports that the candidates differ from those of the last report in
	// something other than their heartbeats. View has them. It needs FollowCandidates.
	CandidatesChanged struct{}
	// ConfigChanged reports the config when it is first read, and each change of it.
	ConfigChanged struct{ Config fdbelection.Config }
	// Evicted reports the candidates that this process has evicted.
	Evicted struct{ IDs []string }
	// IDInUse reports that another incarnation is registered under this id. This process
	// registers at Until, or earlier if that record is removed. If the other incarnation
	// sends a heartbeat, this process stops.
	IDInUse struct {
		Existing election.Candidate
		Until    time.Time
	}
	// HoldOff reports that a tenure has failed and for how long this process does not claim:
	// its work has failed, or the process was not ready any more. Failures counts such
	// tenures in a row.
	HoldOff struct {
		Failures int
		For      time.Duration
	}
	// Delayed reports a rule that keeps this process from claiming or preempting from now
	// on.
	Delayed struct{ Delay }
	// Report reports an error when it changes. If Kind is zero it is an error of the main
	// operation, and a nil Err says that the store is available again. Otherwise a list, an
	// eviction or a watch has failed.
	Report struct {
		Kind Kind
		Err  error
	}
	// Wake asks for a Tick at an instant of the local clock. It replaces the last Wake.
	Wake struct{ At time.Time }
	// Finish is the last action. Err is why the machine stopped by itself, or why it could
	// not unregister or hand over.
	Finish struct{ Err error }
)

func (StartOperation) action()    {}
func (CancelOperation) action()   {}
func (Lead) action()              {}
func (Drain) action()             {}
func (Expire) action()            {}
func (StateChanged) action()      {}
func (LeaderChanged) action()     {}
func (CandidatesChanged) action() {}
func (ConfigChanged) action()     {}
func (Evicted) action()           {}
func (IDInUse) action()           {}
func (HoldOff) action()           {}
func (Delayed) action()           {}
func (Report) action()            {}
func (Wake) action()              {}
func (Finish) action()            {}
