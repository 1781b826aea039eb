package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
)

// Deadlines is how far one attempt to write the lease carries, in instants of the
// process's own clock. The way to the end leaves room for the work: first it is
// asked to stop, then belief is over.
type Deadlines struct {
	// Jeopardy is when a renewal is overdue: half of the lease has passed and, if the
	// heartbeat is longer than that, more than a heartbeat.
	Jeopardy time.Time
	// Stop is when the work is asked to stop.
	Stop time.Time
	// End is when belief is over: the lease less the margin.
	End time.Time
}

// DeadlinesOf returns the horizon of an attempt that began at start and writes a
// lease. A fifth of the lease before the end of belief is kept for the work to
// stop in; less where the heartbeat is so long that a renewal would come too
// late for it.
func DeadlinesOf(start time.Time, lease time.Duration, config fdbelection.Config) Deadlines {
	believed := lease - config.MarginFor(lease)
	reserve := max(0, min(lease/5, (believed-config.HeartbeatInterval)/2))
	end := start.Add(believed)
	stop := end.Add(-reserve)
	// A quarter of what is left after a heartbeat is for the renewal to be answered.
	overdue := config.HeartbeatInterval + (believed-reserve-config.HeartbeatInterval)/4
	return Deadlines{Jeopardy: earliest(start.Add(max(lease/2, overdue)), stop), Stop: stop, End: end}
}

// earlier returns the earlier of each instant.
func (h Deadlines) earlier(other Deadlines) Deadlines {
	return Deadlines{
		Jeopardy: earliest(h.Jeopardy, other.Jeopardy),
		Stop:     earliest(h.Stop, other.Stop),
		End:      earliest(h.End, other.End),
	}
}

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}
