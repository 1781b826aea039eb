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

// The values of --restart. They decide if a command that ended by itself is started again
// while this process still leads.
const (
	RestartNever     = "never"
	RestartOnFailure = "on-failure"
	RestartAlways    = "always"
)

// again reports whether to start the command again after it ended with err.
func (c *Command) again(err error) bool {
	return c.Restart == RestartAlways || c.Restart == RestartOnFailure && err != nil
}

// The delay before a restart doubles each time, from firstRestart to lastRestart. It starts
// again at firstRestart after the command has run for longer than lastRestart.
const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 30 * time.Second
)

// Work runs the command during a tenure, and starts it again as c.Restart says. It returns
// the error of the command, which wraps ErrGaveUp if c.GiveUp ended the restarts. If Work was
// asked to stop, it returns nil, or the error of a command that had to be killed.
func (c *Command) Work(ctx context.Context, lead *elector.Leadership) error {
	var failed failures
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
		case err != nil && failed.add(c.Clock.Now(), c.GiveUp) && c.OthersCanLead():
			c.Log.Warn("command failed too often, leadership is given up", "term", lead.Term(), "failures", c.GiveUp.After, "window", c.GiveUp.Window)
			return fmt.Errorf("%w: %w", ErrGaveUp, err)
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

// pause waits before a restart, and then checks in the store that the tenure is still the
// newest. The process may not have seen a forced resignation or a preemption yet. pause also
// returns nil if it was asked to stop.
func (c *Command) pause(ctx context.Context, lead *elector.Leadership, delay time.Duration) error {
	for clock.Sleep(ctx, c.Clock, delay) == nil {
		switch err := c.Fence(ctx, lead); {
		case err == nil || asked(ctx):
			return nil
		case errors.Is(err, fdbelection.ErrFenced):
			c.Log.Warn("command is not started again", "term", lead.Term(), "error", err)
			return fmt.Errorf("%w: %w", ErrSuperseded, err)
		default: // the store failed; try again until the tenure ends by its deadlines
		}
	}
	return nil
}

// ErrSuperseded is the error of Work if the tenure was not the newest before a restart.
var ErrSuperseded = errors.New("leadership is lost")
