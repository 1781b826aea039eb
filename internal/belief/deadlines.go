// Package belief says how long a process may use a lease that it has written. Leaders of
// elections and members of groups count in the same way.
package belief

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// Deadlines are the instants up to which one attempt to write a lease carries a tenure,
// on the local clock.
type Deadlines struct {
	// Jeopardy is when the next renewal is overdue: half of the lease has passed, and
	// more than a heartbeat if the heartbeat is longer than that.
	Jeopardy time.Time
	// Stop is the stop deadline. The process stops leading and its work is told to stop.
	Stop time.Time
	// End is the end deadline: the lease less the margin.
	End time.Time
}

// DeadlinesOf returns the deadlines of an attempt that began at start and writes a lease.
// The work has a fifth of the lease to stop, between the stop and the end deadline. It
// has less if the heartbeat is so long that a renewal would otherwise come too late.
func DeadlinesOf(start time.Time, lease time.Duration, config fdbelection.Config) Deadlines {
	usable := lease - config.MarginFor(lease)
	reserve := max(0, min(lease/5, (usable-config.HeartbeatInterval)/2))
	end := start.Add(usable)
	stop := end.Add(-reserve)
	// A quarter of the time after a heartbeat is for the answer to the renewal.
	overdue := config.HeartbeatInterval + (usable-reserve-config.HeartbeatInterval)/4
	return Deadlines{Jeopardy: clock.Earliest(start.Add(max(lease/2, overdue)), stop), Stop: stop, End: end}
}

// earlier returns the earlier one of each deadline.
func (d Deadlines) earlier(other Deadlines) Deadlines {
	return Deadlines{
		Jeopardy: clock.Earliest(d.Jeopardy, other.Jeopardy),
		Stop:     clock.Earliest(d.Stop, other.Stop),
		End:      clock.Earliest(d.End, other.End),
	}
}
