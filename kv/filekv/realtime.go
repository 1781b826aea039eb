package filekv

import (
	"context"
	"time"
)

// The functions in this file use the real clock. They are the defaults of Options, and
// they wait for other processes, whose clock cannot be injected.

func realNow() time.Time {
	return time.Now() //nolint:forbidigo // the default of Options
}

// pause waits for d, unless ctx ends or stop is closed before that.
func pause(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d) //nolint:forbidigo // other processes run in real time
	defer t.Stop()
	select {
	case <-t.C:
		return waitError(ctx, stop)
	case <-ctx.Done():
		return contextError(ctx)
	case <-stop:
		return ErrClosed
	}
}

// contextError returns the error of a context that is done. It never returns nil,
// even if ctx.Err does not report the end yet.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Canceled
}

// waitError returns the error of a wait that has to end, or nil if it can continue.
func waitError(ctx context.Context, stop <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-stop:
		return ErrClosed
	default:
		return nil
	}
}

// bounded returns a context that ends after d.
func bounded(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d) //nolint:forbidigo // Open takes no context
}
