package records

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// leaseColour returns the colour of a lease whose last renewal was seen at since: a warning once
// the leader is in jeopardy, and bad once it has to stop its work. Both are after the next
// renewal is due, however long the heartbeat is.
func LeaseColour(p terminal.Palette, seat election.LeaderRecord, config fdbelection.Config, since, at time.Time) func(string) string {
	switch h := machine.DeadlinesOf(since, seat.LeaseDuration, config); {
	case !at.Before(h.Stop):
		return p.Bad
	case !at.Before(h.Jeopardy):
		return p.Warn
	default:
		return p.Good
	}
}
