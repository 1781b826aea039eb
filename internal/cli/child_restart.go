package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
)

// restartPolicy says when a command that ended of itself is started again, while
// this process still leads.
type restartPolicy string

const (
	restartNever     restartPolicy = "never"
	restartOnFailure restartPolicy = "on-failure"
	restartAlways    restartPolicy = "always"
)

var _ pflag.Value = (*restartPolicy)(nil)

func (p *restartPolicy) String() string { return string(*p) }

func (p *restartPolicy) Type() string { return "WHEN" }

// Set takes one of the three words.
func (p *restartPolicy) Set(text string) error {
	switch given := restartPolicy(text); given {
	case restartNever, restartOnFailure, restartAlways:
		*p = given
		return nil
	default:
		return errors.New("use never, on-failure or always")
	}
}

func (p restartPolicy) again(err error) bool {
	return p == restartAlways || p == restartOnFailure && err != nil
}

// The wait before a restart doubles, up to a limit, and begins anew where the
// command has run for longer than that.
const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 30 * time.Second
)

// work runs the command for a tenure, and again as the policy says. It returns
// nil where it was asked to stop.
func (c *child) work(ctx context.Context, lead *elector.Leadership) error {
	for delay := firstRestart; !asked(ctx); {
		began := c.clock.Now()
		err := c.tenure(ctx, lead)
		switch {
		case asked(ctx):
			if err != nil {
				c.note(err.Error())
			}
			return nil
		case errors.Is(err, errCut) || !c.restart.again(err):
			return err
		}
		if c.clock.Now().Sub(began) > lastRestart {
			delay = firstRestart
		}
		how := "command ended well"
		if err != nil {
			how = err.Error()
		}
		c.note(fmt.Sprintf("%s; starting it again in %s", how, delay))
		if err := c.pause(ctx, lead, delay); err != nil {
			return err
		}
		delay = min(2*delay, lastRestart)
	}
	return nil
}

// pause waits before a restart, and then makes sure that the tenure is still the
// newest: belief alone would do only where nobody takes over at once. It returns
// nil where it was asked to stop, too.
func (c *child) pause(ctx context.Context, lead *elector.Leadership, delay time.Duration) error {
	for clock.Sleep(ctx, c.clock, delay) == nil {
		switch err := c.fence(ctx, lead); {
		case err == nil || asked(ctx):
			return nil
		case errors.Is(err, fdbelection.ErrFenced):
			c.note("the command is not started again: " + err.Error())
			return fmt.Errorf("%w: %w", errSuperseded, err)
		default: // the store does not answer: belief decides for how long
		}
	}
	return nil
}

// errSuperseded says that the seat was found to be another's before a restart.
var errSuperseded = errors.New("the seat is lost")
