package elector

import (
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/loop"
)

var (
	// ErrRunning is returned by Start, Run and Campaign if the elector is in use.
	ErrRunning = errors.New("elector is already running: call Stop first, or use another elector")
	// ErrNotRunning is returned by Campaign and WaitLeader if the elector was stopped, and by
	// Readiness if it is not running.
	ErrNotRunning = errors.New("elector is not running")
	// ErrNoAnswer is returned by Campaign if the store has not answered yet.
	ErrNoAnswer = errors.New("the store has not answered yet")
	// ErrDone tells Run to leave the election and return, if work returns it.
	ErrDone = errors.New("the work is done, leave the election")
)

// LeaveError reports that the elector stopped without unregistering its candidate. The
// candidate record stays until it is evicted. If the process led, its leadership lasts
// until the lease expires.
type LeaveError struct {
	// Err is the error of the last attempt.
	Err error
}

// Error says what stays behind and returns the error of the last attempt.
func (e *LeaveError) Error() string {
	return "could not unregister (if this process led, its lease runs out by itself): " + e.Err.Error()
}

// Unwrap returns Err.
func (e *LeaveError) Unwrap() error { return e.Err }

// CallbackError reports that a callback took too long or panicked. A callback that
// panicked is called again for the next change. A callback that took too long is not called
// again before it has returned, see Callbacks.
type CallbackError struct {
	// Callback is the name of the field in Callbacks.
	Callback string
	// Transition is the change of state for which it was called. If it was called for
	// something else, only Term is set.
	Transition Transition
	// Err is context.DeadlineExceeded or a *PanicError.
	Err error
	// Skipped counts the calls that were skipped while a late one had not returned. It is
	// zero in the report that the call is late, and set in the report that it has returned.
	Skipped int
}

// Error names the callback and the problem.
func (e *CallbackError) Error() string {
	what := ""
	if e.Transition.From != e.Transition.To { // otherwise it is not about a change of state
		what = fmt.Sprintf(" for %s to %s", e.Transition.From, e.Transition.To)
	}
	if e.Transition.Term > 0 {
		what += fmt.Sprintf(" in term %d", e.Transition.Term)
	}
	if e.Skipped > 0 {
		return fmt.Sprintf("callback %s%s has returned late: %d calls were skipped meanwhile", e.Callback, what, e.Skipped)
	}
	return fmt.Sprintf("callback %s%s: %v", e.Callback, what, e.Err)
}

// Unwrap returns Err.
func (e *CallbackError) Unwrap() error { return e.Err }

// PanicError is the panic of a callback.
type PanicError = loop.PanicError

// WorkError reports that the work of Run returned an error. If nothing had asked the work
// to stop, leadership is released and this process holds off, see Elector.Run.
type WorkError struct {
	Term uint64
	Err  error
	// Stopping is true if the work had been asked to stop. The error is reported then and
	// has no other effect. An error that says only that the context of the work has ended,
	// or that the process does not lead, is not reported at all.
	Stopping bool
}

// Error names the term and the problem.
func (e *WorkError) Error() string {
	if e.Stopping {
		return fmt.Sprintf("the work of term %d failed while it stopped: %v", e.Term, e.Err)
	}
	return fmt.Sprintf("the work of term %d failed: %v", e.Term, e.Err)
}

// Unwrap returns Err.
func (e *WorkError) Unwrap() error { return e.Err }

// OtherLeaderError reports that another process leads as far as this process knows.
type OtherLeaderError struct {
	Leader LeaderInfo
}

// Error names the leader and its term.
func (e *OtherLeaderError) Error() string {
	return fmt.Sprintf("%s leads in term %d", election.SafeText(e.Leader.ID), e.Leader.Term)
}

// LossError is the cause of the contexts of a Leadership that has ended:
//
//	var loss *elector.LossError
//	if errors.As(context.Cause(lead.Context()), &loss) { ... }
//
// It matches fdbelection.ErrNotLeader and Err.
type LossError struct {
	// Term is the term of the tenure that has ended.
	Term uint64
	// Reason is why it ended.
	Reason Reason
	// Err is the last error of the store, if the store was not available again when the
	// tenure ended. If Reason is ReasonFailed, Err is why the elector stopped. It may be nil.
	Err error
	// Renewed is when the last acknowledged attempt to claim or renew began, on the wall
	// clock of this process.
	Renewed time.Time
}

// Error says which tenure ended and why.
func (e *LossError) Error() string {
	text := fmt.Sprintf("leadership of term %d has ended: %s", e.Term, e.Reason)
	if e.Reason == ReasonUnrenewed {
		text += ", the last acknowledged attempt began at " + e.Renewed.UTC().Format(time.RFC3339Nano)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns fdbelection.ErrNotLeader, and Err if there is one.
func (e *LossError) Unwrap() []error {
	if e.Err == nil {
		return []error{fdbelection.ErrNotLeader}
	}
	return []error{fdbelection.ErrNotLeader, e.Err}
}
