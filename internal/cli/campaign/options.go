package campaign

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
)

// Options say who campaigns, for what, and who is told.
type Options struct {
	// Me is the candidate. Its incarnation must be a new one for each Run.
	Me election.Registration
	// Config is what the election is made with where it is not there yet. What is
	// there already stays as it is.
	Config fdbelection.Config
	// Work is what is done under leadership. It returns soon after
	// Tenure.Stopping is closed, and at once after Tenure.Overdue. Where it returns
	// although nobody asked it to, the campaign is over: Run leaves and returns its
	// error. Nil holds the seat and does nothing.
	Work func(*Tenure) error
	// Drain is how long work may take to stop where there is time: on Stop, and on
	// an operator's request. The lease is renewed meanwhile. A challenger waits for
	// the config's preemption grace instead.
	Drain time.Duration
	// Stop, when it is closed, has the work stop and the candidate leave.
	Stop <-chan struct{}
	// LeaveLimit is how long leaving is tried. Zero: 5 s.
	LeaveLimit time.Duration

	// Clock is the time; nil means the real one.
	Clock clock.Clock

	// Joined is called once with the config that stands, after registration.
	Joined func(fdbelection.Config)
	// Changed is called on every change of the seat or of the own part in it.
	Changed func(Change)
	// Trouble is called with what goes wrong, once per change, and with nil when
	// all is well again. Like Changed it is called by the loop itself, and must not
	// block.
	Trouble func(error)
	// Permanent reports errors of the store that no retry can mend.
	Permanent func(error) bool
}

// Change is a change of the seat, or of this process's part in it.
type Change struct {
	At     time.Time
	Leader election.Leader
	// Leads is whether this process leads, and may believe so.
	Leads bool
	// Note says how it came about.
	Note string
}

// The defaults, and bounds of the back-off after an error of the store.
const (
	defaultLeaveLimit = 5 * time.Second
	shortestBackoff   = 10 * time.Millisecond
	longestBackoff    = time.Second
)

func (o Options) withDefaults() Options {
	if o.Work == nil {
		o.Work = func(t *Tenure) error { <-t.Stopping(); return nil }
	}
	if o.LeaveLimit <= 0 {
		o.LeaveLimit = defaultLeaveLimit
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Joined == nil {
		o.Joined = func(fdbelection.Config) {}
	}
	if o.Changed == nil {
		o.Changed = func(Change) {}
	}
	if o.Trouble == nil {
		o.Trouble = func(error) {}
	}
	if o.Permanent == nil {
		o.Permanent = func(error) bool { return false }
	}
	return o
}
