package cli

import (
	"context"
	"io"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// Virtual is the clock of a test, which testing/synctest may make virtual. That
// of the system does not obey it.
type Virtual struct{}

func (Virtual) Now() time.Time  { return time.Now() }
func (Virtual) Wall() time.Time { return time.Now() }

func (Virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// ExecOn is Exec on another clock.
func ExecOn(ctx context.Context, c elector.Clock, args []string, stdout, stderr io.Writer) error {
	a := newApp(nil, stdout, stderr, nil)
	a.clock = c
	return a.exec(ctx, args)
}
