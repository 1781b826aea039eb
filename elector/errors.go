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

// CallbackError says that a callback took too long, or panicked. It changes
// nothing but the report: later ones are called as they would be.
type CallbackError struct {
	// Callback is the name of the field in Callbacks.
	Callback string
	// Transition is what it was called for, where that was a change of state.
	Transition Transition
	// Err is context.DeadlineExceeded, or what it panicked with.
	Err error
}

// Error names the callback and the problem.
func (e *CallbackError) Error() string {
	if e.Transition.From == e.Transition.To {
		return fmt.Sprintf("callback %s: %v", e.Callback, e.Err)
	}
	if e.Transition.From == e.Transition.To { // it tells of no change of state
		return fmt.Sprintf("callback %s in term %d: %v", e.Callback, e.Transition.Term, e.Err)
	}
	return fmt.Sprintf("callback %s for %s to %s: %v", e.Callback, e.Transition.From, e.Transition.To, e.Err)
}

// Unwrap returns Err.
func (e *CallbackError) Unwrap() error { return e.Err }

// WorkError says that the work of Run returned an error although nothing had
// asked it to stop. The seat is given up, and campaigned for again.
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
