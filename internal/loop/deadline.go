// Package loop has what the loops of electors and of members of groups share: contexts that end
// at a deadline, checks of the readiness, and errors for a log and for the program.
package loop

import (
	"context"
	"sync/atomic"
	"time"
)

// DeadlineContext ends at a deadline that can be moved. Its Err compares the clock at each
// call, so a process that was suspended sees the end at once.
type DeadlineContext struct {
	context.Context
	now      func() time.Time
	cancel   context.CancelCauseFunc
	deadline atomic.Pointer[time.Time]
	passed   func() error
}

// NewDeadlineContext returns a context without a deadline. now is the clock of the deadlines,
// and passed returns the cause if the deadline passes first.
func NewDeadlineContext(parent context.Context, now func() time.Time, passed func() error) *DeadlineContext {
	ctx, cancel := context.WithCancelCause(parent)
	return &DeadlineContext{Context: ctx, now: now, cancel: cancel, passed: passed}
}

// Err returns nil until the context is ended or the deadline has passed.
func (c *DeadlineContext) Err() error {
	if deadline := c.deadline.Load(); deadline != nil && !c.now().Before(*deadline) {
		c.cancel(c.passed())
	}
	return c.Context.Err()
}

// MovingDeadline returns the present deadline, or the zero time.
func (c *DeadlineContext) MovingDeadline() time.Time {
	if deadline := c.deadline.Load(); deadline != nil {
		return *deadline
	}
	return time.Time{}
}

// SetDeadline moves the deadline. The zero time does nothing.
func (c *DeadlineContext) SetDeadline(deadline time.Time) {
	if !deadline.IsZero() {
		c.deadline.Store(&deadline)
		_ = c.Err()
	}
}

// End ends the context. Only the first cause counts.
func (c *DeadlineContext) End(cause error) { c.cancel(cause) }
