package campaign

import (
	"time"

	"github.com/fdbelection/fdbelection"
)

// horizon is how far one attempt to write the lease carries, in instants of
// this process's own clock. The way to the end leaves room for the work: first
// it is asked to stop, then it is ended by force, then belief is over.
type horizon struct {
	stop, kill, end time.Time
}

// horizonOf returns the horizon of an attempt that began at start and writes a
// lease. A fifth of the lease before the end of belief is kept for the work to
// stop in, half of it willingly; less where the heartbeat is so long that a
// renewal would come too late for it.
func horizonOf(start time.Time, lease time.Duration, config fdbelection.Config) horizon {
	believed := lease - config.MarginFor(lease)
	reserve := max(0, min(lease/5, (believed-config.HeartbeatInterval)/2))
	end := start.Add(believed)
	return horizon{stop: end.Add(-reserve), kill: end.Add(-reserve / 2), end: end}
}

// earlier returns the earlier of each instant.
func (h horizon) earlier(other horizon) horizon {
	return horizon{
		stop: earliest(h.stop, other.stop),
		kill: earliest(h.kill, other.kill),
		end:  earliest(h.end, other.end),
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
