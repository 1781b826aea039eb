package election

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// Clock dates what a process sees of an election: since when it has seen a ballot, a request
// or a heartbeat. Its readings are compared only with other readings of the same run, and
// never with those of another process.
//
// It must not step, and it should count the time that the machine was suspended. If it is
// set forward, this process claims too early. If it is set back, this process waits longer.
type Clock struct {
	// Run names one run of the clock. Readings of two runs cannot be compared, so a clock
	// that starts over needs another Run. If it is zero, New uses a random one that is the
	// same in the whole process.
	Run uuid.UUID
	// Now returns the time, in the years from 1823 to 2116. Its epoch does not matter.
	Now func() time.Time
	// Wall returns the wall clock. WaitLeader compares it with the end of a lease if the lease
	// expires by clock. If it is nil, New uses that of the machine.
	Wall func() time.Time
	// AfterFunc calls f in a goroutine of its own after d has passed. stop cancels the call,
	// and reports whether it was still pending. Only WaitLeader uses it. If it is nil, New uses a
	// timer of the machine.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
}

// processClock is the clock without WithClock. It starts with the process, has a random
// Run, and is never set. On Linux it counts the time that the machine was suspended.
var processClock = sync.OnceValue(func() Clock {
	since := clock.Start()
	start := time.Unix(1, 0) // a small number, but not 0, which means no reading in a record
	return Clock{Run: uuid.New(), Now: func() time.Time { return start.Add(since()) }}
})

// WithClock sets the clock that dates observations. The default starts with the process and
// is never set. On Linux it counts the time that the machine was suspended.
func WithClock(clock Clock) Option {
	return func(e *LeaderElection) { e.clock = clock }
}
