package election

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// Clock dates what a process observes of an election: since when it has seen a
// ballot, a request or a heartbeat. Its readings are compared only with other
// readings of the same run, and never with the clock of another process.
//
// It should not step, and should count the time that the machine is suspended. A
// clock that is set forward lets this process claim too early; one that is set
// back makes it wait longer.
type Clock struct {
	// Run names this run of the clock. Readings of two runs cannot be compared, so
	// a clock that starts over needs another Run. Without one, New takes a random one
	// of the process.
	Run uuid.UUID
	// Now returns the time, in the years from 1823 to 2116. Its epoch does not matter.
	Now func() time.Time
}

// ProcessClock returns the clock that New uses without WithClock. It starts with
// the process, has a random Run, and is never set. On Linux it counts the time
// that the machine was suspended.
func ProcessClock() Clock { return processClock() }

var processClock = sync.OnceValue(func() Clock {
	since := clock.Start()
	start := time.Unix(1, 0) // a small number, and not the zero of the stored format
	return Clock{Run: uuid.New(), Now: func() time.Time { return start.Add(since()) }}
})

// WithClock sets the clock that dates observations. A test or a simulation
// brings its own.
func WithClock(clock Clock) Option {
	return func(e *LeaderElection) { e.clock = clock }
}
