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

// The policies for a command that ended by itself while its process still leads.
const (
	RestartNever     = "never"
	RestartOnFailure = "on-failure"
	RestartAlways    = "always"
)

// again reports whether a command that ended with err has to be started again.
func (c *Command) again(err error) bool {
	return c.Restart == RestartAlways || c.Restart == RestartOnFailure && err != nil
}

// The wait before a restart doubles up to lastRestart. It starts over once the command has
// run for longer than that.
const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 30 * time.Second
)

// Work runs the command for a tenure, and again as the policy says. If it has to stop, it
// returns nil, or the error of a command that was killed.
func (c *Command) Work(ctx context.Context, lead *elector.Leadership) error {
	for delay := firstRestart; ctx.Err() == nil; {
		began := c.Clock.Now()
		err := c.tenure(ctx, lead)
		switch {
		case ctx.Err() != nil:
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

// pause waits before a restart, and then checks that the tenure is still the newest: after
// a forced resignation another candidate may lead before the deadline. It also returns nil
// if it has to stop.
func (c *Command) pause(ctx context.Context, lead *elector.Leadership, delay time.Duration) error {
	for clock.Sleep(ctx, c.Clock, delay) == nil {
		switch err := c.Fence(ctx, lead); {
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.Is(err, fdbelection.ErrFenced):
			c.Log.Warn("command is not started again", "term", lead.Term(), "error", err)
			return fmt.Errorf("%w: %w", ErrSuperseded, err)
		default: // the store does not answer: the deadlines decide
		}
	}
	return nil
}

// ErrSuperseded says that another tenure was found to be newer before a restart.
var ErrSuperseded = errors.New("leadership is lost")
