package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Settings are what a machine is made with.
type Settings struct {
	// Me is the candidate. Its incarnation is a new one for each machine.
	Me election.Registration
	// Aim is what the process wants at first.
	Aim Aim
	// Config makes the election where it is not there yet; what is there stays as
	// it is. MustExist waits until somebody else has made it.
	Config    fdbelection.Config
	MustExist bool
	// Drain is how long work may take to stop where there is time: when the
	// process leaves, and on an operator's request. A challenger waits for the
	// config's preemption grace instead.
	Drain time.Duration
	// Leave is how long leaving is tried.
	Leave time.Duration
	// Shortlist is how many voters, the first by rank, a process lists that does not
	// evict; zero: 8.
	Shortlist int
	// Permanent reports errors of the store that no retry can mend; nil: none.
	Permanent func(error) bool
}

// The bounds of the back-off after an error of the store.
const (
	shortestBackoff = 10 * time.Millisecond
	longestBackoff  = time.Second
)
