package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// The policies that say when a command that ended by itself is started again, while
// this process still leads.
const (
	RestartNever     = "never"
	RestartOnFailure = "on-failure"
	RestartAlways    = "always"
)

// again reports whether a command that ended with err is to be started again.
func (c *Command) again(err error) bool {
	return c.Restart == RestartAlways || c.Restart == RestartOnFailure && err != nil
}

// The wait before a restart doubles, up to a limit, and begins anew where the
// command has run for longer than that.
const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 30 * time.Second
)

// work runs the command for a tenure, and again as the policy says. If it was asked to
// stop it returns nil, or the error of a command that had to be killed.
func (c *Command) Work(ctx context.Context, lead *elector.Leadership) error {
	for delay := firstRestart; !asked(ctx); {
		began := c.Clock.Now()
		err := c.tenure(ctx, lead)
		switch {
		case asked(ctx):
			if WasKilled(err) {
				return err
			}
			return nil
		case errors.Is(err, ErrCut) || !c.again(err):
			return err
		}
		if c.Clock.Now().Sub(began) > lastRestart {
			delay = firstRestart
		}
		c.Log.Info("command will be started again", "term", lead.Term(), "delay", delay)
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
func (c *Command) pause(ctx context.Context, lead *elector.Leadership, delay time.Duration) error {
	for clock.Sleep(ctx, c.Clock, delay) == nil {
		switch err := c.Fence(ctx, lead); {
		case err == nil || asked(ctx):
			return nil
		case errors.Is(err, fdbelection.ErrFenced):
			c.Log.Warn("command is not started again", "term", lead.Term(), "error", err)
			return fmt.Errorf("%w: %w", ErrSuperseded, err)
		default: // the store does not answer: belief decides for how long
		}
	}
	return nil
}

// errSuperseded says that the seat was found to be another's before a restart.
var ErrSuperseded = errors.New("the seat is lost")
