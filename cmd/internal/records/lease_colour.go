package records

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/belief"
)

// LeaseColour returns the colour of a lease whose last renewal was seen at since: a
// warning once the leader is in jeopardy, and bad once it has to stop its work. Neither
// comes before the next renewal is due.
func LeaseColour(p terminal.Palette, leader election.LeaderRecord, config fdbelection.Config, since, at time.Time) func(string) string {
	switch h := belief.DeadlinesOf(since, leader.LeaseDuration, config); {
	case !at.Before(h.Stop):
		return p.Bad
	case !at.Before(h.Jeopardy):
		return p.Warn
	default:
		return p.Good
	}
}
