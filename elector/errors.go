package elector

import (
	"errors"
	"fmt"

	"github.com/fdbelection/fdbelection/elector/machine"
)

var (
	// ErrRunning: the elector is in use already, in a way that excludes this one.
	ErrRunning = errors.New("elector is running already: Stop it first, or make another one")
	// ErrNotRunning: the elector was not started, or has stopped.
	ErrNotRunning = errors.New("elector is not running")
	// ErrDone, returned by the work of Run, has Run leave the election and return.
	ErrDone = errors.New("the work is done for good")
)

// LeaveError says that the candidate could not be unregistered: its record stays
// until it is evicted, and its seat is free once the lease is over.
type LeaveError = machine.LeaveError

// CallbackError says that a callback took too long, or panicked. A callback that
// panicked is called again for the next change. One that took too long is not
// called again before it has returned: see Callbacks.
type CallbackError struct {
	// Callback is the name of the field in Callbacks.
	Callback string
	// Transition is what it was called for, where that was a change of state.
	Transition Transition
	// Err is context.DeadlineExceeded, or what it panicked with.
	Err error
	// Skipped counts the calls that were left out while a late one had not
	// returned. It is zero in the report that the call is late, and set in the one
	// that it has returned.
	Skipped int
}

// Error names the callback and the problem.
func (e *CallbackError) Error() string {
	what := ""
	switch {
	case e.Transition.From != e.Transition.To:
		what = fmt.Sprintf(" for %s to %s", e.Transition.From, e.Transition.To)
	case e.Transition.Term > 0: // it tells of no change of state
		what = fmt.Sprintf(" in term %d", e.Transition.Term)
	}
	if e.Skipped > 0 {
		return fmt.Sprintf("callback %s%s has returned late: %d calls were skipped meanwhile", e.Callback, what, e.Skipped)
	}
	return fmt.Sprintf("callback %s%s: %v", e.Callback, what, e.Err)
}

// Unwrap returns Err.
func (e *CallbackError) Unwrap() error { return e.Err }

// WorkError says that the work of Run returned an error although nothing had
// asked it to stop. The seat is given up, and this process stays out for a while before
// it campaigns again, see Elector.Run.
type WorkError struct {
	Term uint64
	Err  error
}

// Error names the term and the problem.
func (e *WorkError) Error() string {
	return fmt.Sprintf("the work of term %d has failed: %v", e.Term, e.Err)
}

// Unwrap returns Err.
func (e *WorkError) Unwrap() error { return e.Err }
