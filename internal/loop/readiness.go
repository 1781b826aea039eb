package loop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// Readiness is the result of a check.
type Readiness struct {
	// Reason says why the process is not ready. It is empty if it is.
	Reason string
	// Panicked is the panic of the check, or of the text of its error.
	Panicked *PanicError
}

// ReadinessCheck runs one call of a check at a time. A late call may outlast the session that
// made it.
type ReadinessCheck struct {
	mu   sync.Mutex       // held by the session that waits for a call
	late <-chan Readiness // of a call that has not returned within its limit; nil: there is none
}

// RunReadiness returns the result of one call of ready. If a call takes longer than its limit or
// than ctx, the process is not ready. It is not called again before that call has returned.
func RunReadiness[T clock.Stopper](
	ctx context.Context, c *ReadinessCheck, timers clock.Timers[T], limit time.Duration, ready func(context.Context) error,
) Readiness {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := Readiness{Reason: fmt.Sprintf("the readiness check did not return within %s", limit)}
	if c.late != nil {
		select {
		case <-c.late:
			c.late = nil
		default:
			return late
		}
	}
	limited, stop := clock.WithTimeout(ctx, timers, limit)
	defer stop()
	result := make(chan Readiness, 1)
	go func() {
		r := Readiness{Reason: "the readiness check has ended its goroutine"}
		defer func() { result <- r }()
		if err := Guarded(limited, func(ctx context.Context) { r.Reason = notReady(ready(ctx)) }); err != nil {
			r.Panicked, _ = errors.AsType[*PanicError](err)
			r.Reason = notReady(fmt.Errorf("the readiness check has panicked: %w", err))
		}
	}()
	select {
	case r := <-result:
		return r
	case <-limited.Done():
		c.late = result
		return late
	}
}

// notReady returns the reason for a stored record: empty if err is nil, and otherwise its text,
// on one line and short enough.
func notReady(err error) string {
	if err == nil {
		return ""
	}
	text := LineError{err}.Error()
	if text == "" {
		return "no reason is given"
	}
	if len(text) > election.MaxReasonBytes {
		text = strings.ToValidUTF8(text[:election.MaxReasonBytes], "") // without half a character
	}
	return text
}
