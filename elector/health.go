package elector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// The kinds of a HealthError.
var (
	// ErrStuck means that a part of the elector makes no progress, or that work goes on after
	// its lease. Only a restart of the process, or the end of what blocks, helps.
	ErrStuck = errors.New("elector is stuck")
	// ErrUnrenewed means that this process leads and a renewal is overdue, or that its work
	// still stops because the lease could not be renewed. A restart does not help if the store
	// does not answer.
	ErrUnrenewed = errors.New("leader cannot renew its lease")
	// ErrStopped means that the elector has stopped by itself.
	ErrStopped = errors.New("elector has stopped by itself")
)

// HealthError is what Health returns. It matches Kind and Err.
type HealthError struct {
	// Kind is ErrStuck, ErrUnrenewed or ErrStopped.
	Kind error
	// Since is when it began, on the wall clock of this process.
	Since time.Time
	// Problem says what is wrong and what to do.
	Problem string
	// Err is why the elector has stopped, or the last error of the store of a leader that
	// cannot renew, or an *UnfinishedWorkError. It may be nil.
	Err error
}

// Error says what is wrong, since when, and what to do.
func (e *HealthError) Error() string {
	text := fmt.Sprintf("%s since %s: %s", e.Kind, e.Since.UTC().Format(time.RFC3339), e.Problem)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Kind, and Err if there is one.
func (e *HealthError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// healthHeartbeats and shortestStuck are how late something may be before Health calls it
// stuck: three heartbeat intervals, and at least a second.
const (
	healthHeartbeats = 3
	shortestStuck    = time.Second
)

// Health returns nil if this elector works, in any role, and otherwise a *HealthError. It is
// for a liveness probe. It does no I/O, takes no lock that the loop holds, and does not use
// ctx, so it answers at once even if everything else hangs.
//
// These are failures:
//   - The loop is late by three heartbeat intervals (at least a second), because an operation
//     ignores the end of its time, or a Logger, a function of SubscribeDeadlines or a lock
//     blocks it (ErrStuck).
//   - A callback, also one of RunCallbacks, is late by as much after Options.CallbackLimit
//     (ErrStuck).
//   - Work of Run has not returned for Options.DrainLimit after the end of its lease (ErrStuck).
//   - This process leads and is in jeopardy, or it still stops its work because it could not
//     renew (ErrUnrenewed). The error ends when the work has stopped or a renewal is
//     acknowledged.
//   - The elector has stopped by itself, for example with fdbelection.ErrDuplicateID
//     (ErrStopped).
//
// These are not failures: an elector that has not started or that the program has stopped, an
// elector that only subscribes, a candidate that does not lead, and a store that does not
// answer a process that does not lead. So an outage of the store does not restart every
// standby.
//
// After a suspension of the machine there may be one failure before the loop continues.
// Let a probe fail twice before it acts.
func (e *Elector) Health(context.Context) error {
	st := e.status.Load()
	if st.fault != nil {
		return &HealthError{ErrStopped, st.at.Wall, "it takes no part in the election: remove the cause and restart this process", st.fault}
	}
	if st.session == nil { // it has not started, or the program has stopped it
		return nil
	}
	h := health{st: st, elector: e, now: e.options.Clock.Now()}
	h.late = max(healthHeartbeats*st.Config.HeartbeatInterval, shortestStuck)
	for _, check := range []func() *HealthError{h.loop, h.callbacks, h.work, h.lease} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// Readiness returns nil if this process takes part in the election or subscribes to it, is
// healthy and is ready to lead (Options.Ready). It is for a readiness probe, and answers at once
// like Health. A process that is about to leave the election is ready until it has stopped.
//
// Otherwise it returns the error of Health, ErrNotRunning, or fdbelection.ErrNotReady with the
// reason.
func (e *Elector) Readiness(ctx context.Context) error {
	if err := e.Health(ctx); err != nil {
		return err
	}
	if e.State() == StateStopped {
		return ErrNotRunning
	}
	if reason := e.status.Load().Me.NotReady; reason != "" {
		return fmt.Errorf("%w: %s", fdbelection.ErrNotReady, election.SafeText(reason))
	}
	return nil
}

// health is one call of Health.
type health struct {
	elector *Elector
	st      *status
	now     time.Time
	late    time.Duration // how late something may be
}

// stuck returns the error for something that has not moved since an instant of the process
// clock.
func (h *health) stuck(since time.Time, problem string, err error) *HealthError {
	return &HealthError{ErrStuck, h.elector.options.Clock.Wall().Add(since.Sub(h.now)), problem, err}
}

// loop checks that events are handled, and that operations return.
func (h *health) loop() *HealthError {
	st := h.st
	if st.Due.IsZero() || h.now.Sub(st.Due) < h.late {
		return nil
	}
	if !st.session.mu.TryLock() {
		return h.stuck(st.at.Local, "something blocks the loop, such as the Logger or a function of SubscribeDeadlines: "+
			"restart this process, and look at its goroutines for what blocks", nil)
	}
	st.session.mu.Unlock()
	if st.Awaited == 0 {
		return h.stuck(st.at.Local, "the timer of the loop has not fired: restart this process, and check Options.Clock", nil)
	}
	return h.stuck(st.Due, fmt.Sprintf("%q has not returned although its time is over: "+
		"restart this process, and check why the client of the store ignores the end of a context", st.Awaited), nil)
}

// callbacks checks that callbacks return.
func (h *health) callbacks() *HealthError {
	limit := h.elector.options.CallbackLimit + h.late
	if name, began := h.elector.lanes.oldest(); name != "" && h.now.Sub(began) >= limit {
		return h.stuck(began, fmt.Sprintf("callback %s has not returned: restart this process, and let the callback end with its context", name), nil)
	}
	if began := h.st.session.notify.began(); !began.IsZero() && h.now.Sub(began) >= limit {
		return h.stuck(began, "something blocks the calls of callbacks, such as the Logger: "+
			"restart this process, and look at its goroutines for what blocks", nil)
	}
	return nil
}

// work checks that work of Run returns after its lease.
func (h *health) work() *HealthError {
	if h.st.lead == nil {
		return nil
	}
	ended := h.st.lead.unfinished.Load()
	if ended == nil || h.now.Sub(*ended) < h.elector.options.DrainLimit {
		return nil
	}
	return h.stuck(*ended, "restart this process, and let the work end with its context", stillRuns(h.st.lead.Term()))
}

// lease checks that a leader can renew.
func (h *health) lease() *HealthError {
	l := h.st.lead
	if l == nil {
		return nil
	}
	loss := l.latest.Load()
	if l.ctx.Err() != nil { // it compares the clock
		if loss = l.ended.Load(); loss == nil || loss.Reason != ReasonUnrenewed {
			return nil
		}
	} else if stateOf(h.st.State) != StateJeopardy {
		return nil
	}
	return &HealthError{ErrUnrenewed, loss.Renewed, fmt.Sprintf("no later renewal of term %d was acknowledged: "+
		"check that this process reaches the store; leadership ends by itself when its work has stopped", l.Term()), loss.Err}
}

// ownFault returns the part of the result of a session that says why the elector has stopped
// by itself, or nil if the program has stopped it.
func ownFault(result error) error {
	if result == nil || errors.Is(result, errAbandoned) {
		return nil
	}
	if _, ok := errors.AsType[*LeaveError](result); !ok {
		return result
	}
	joined, ok := result.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var faults []error
	for _, part := range joined.Unwrap() {
		faults = append(faults, ownFault(part))
	}
	return errors.Join(faults...)
}
