package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Settings are the arguments of New.
type Settings struct {
	// Me is the candidate. Each machine needs a new incarnation.
	Me election.Registration
	// Aim is what the process wants at first.
	Aim Aim
	// Config creates the election if it does not exist. An existing election keeps its
	// own. MustExist waits until another process has created the election.
	Config    fdbelection.Config
	MustExist bool
	// Drain is how long work may take to stop. For a preemption request the work has
	// the preemption grace of the config instead.
	Drain time.Duration
	// Leave is how long the process tries to unregister.
	Leave time.Duration
	// LeadUnready is how long leadership must have been free before a candidate that is not
	// ready claims it. It does so only if no ready candidate is known. Zero means never.
	LeadUnready time.Duration
	// HeadStart is how long this process leaves an expired leadership to its holder after an
	// outage of the store. Zero means one heartbeat of the stored config, and a negative
	// value means no head start.
	HeadStart time.Duration
	// Shortlist is how many voters, the first by rank, are on the shortlist. Zero means 8.
	Shortlist int
	// FollowCandidates lists all candidates, also at each change of them, and reports each
	// change.
	FollowCandidates bool
	// Permanent reports whether no retry can fix an error of the store. Nil means that
	// a retry may fix every error.
	Permanent func(error) bool
}
