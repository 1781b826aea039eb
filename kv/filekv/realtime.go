package filekv

import (
	"context"
	"time"
)

// What is here runs on the real clock. It is what nil in Options means, and
// how one process waits for another: their time cannot be injected.

func realNow() time.Time {
	return time.Now() //nolint:forbidigo // what nil in Options means
}

// pause waits for d, unless ctx ends or stop is closed before that.
func pause(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d) //nolint:forbidigo // other processes live in real time
	defer t.Stop()
	select {
	case <-t.C:
		return ended(ctx, stop)
	case <-ctx.Done():
		return causeOfEnd(ctx)
	case <-stop:
		return ErrClosed
	}
}

// causeOfEnd is why ctx is done, and not nil even where its clock is not sure
// of that yet.
func causeOfEnd(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Canceled
}

// ended says why a wait is over, nil while it is not.
func ended(ctx context.Context, stop <-chan struct{}) error {
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
	return context.WithTimeout(context.Background(), d) //nolint:forbidigo // Open has no context of its caller's
}
