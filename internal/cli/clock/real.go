package clock

import (
	"context"
	"time"
)

// Real returns the clock of the machine.
func Real() Clock { return real{} }

type real struct{}

var _ Clock = real{}

func (real) Now() time.Time { return time.Now() }

func (real) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

func (real) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
