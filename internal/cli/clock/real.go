package clock

import (
	"context"
	"time"
)

// Real returns the clock of the machine.
func Real() Clock { return machine{} }

type machine struct{}

var _ Clock = machine{}

func (machine) Now() time.Time { return time.Now() }

func (machine) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

func (machine) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
