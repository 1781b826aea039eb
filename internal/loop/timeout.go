package loop

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection/kv"
)

// TimedOut returns err with the time limit as its cause if ctx has reached it. It keeps
// the commit outcome of err.
func TimedOut(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return err
	}
	if kv.CodeOf(err) != 0 {
		return &timeoutError{err}
	}
	return context.DeadlineExceeded
}

// timeoutError is an error of the store that came because the time of the operation was
// over.
type timeoutError struct{ error }

func (e *timeoutError) Unwrap() []error { return []error{e.error, context.DeadlineExceeded} }
