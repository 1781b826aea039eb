package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/belief"
)

// Deadlines are the instants up to which one attempt to write a lease carries a tenure.
type Deadlines = belief.Deadlines

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
