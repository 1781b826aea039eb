package machine

// Reason says why a process changed its state. Package elector has the same texts for
// its users.
type Reason string

// The reasons of a transition.
const (
	// ReasonStarted: the machine started.
	ReasonStarted Reason = "started"
	// ReasonStopped: Stop was called, or a call with the same effect.
	ReasonStopped Reason = "stopped"
	// ReasonFailed: an error occurred that no retry can fix.
	ReasonFailed Reason = "failed"

	// ReasonVacancy, ReasonExpiry, ReasonPreemption, ReasonTransfer and
	// ReasonReclaim say how a tenure began. They follow from the acquire reason in the
	// leader record.
	ReasonVacancy    Reason = "leadership was vacant"
	ReasonExpiry     Reason = "the lease of the leader had expired"
	ReasonPreemption Reason = "preempted a lower priority"
	ReasonTransfer   Reason = "handed over on request"
	ReasonReclaim    Reason = "reclaimed in a new term"

	// ReasonUnrenewed: no renewal was acknowledged in time.
	ReasonUnrenewed Reason = "no renewal was acknowledged in time"
	// ReasonRenewed: a renewal was acknowledged after it had been overdue.
	ReasonRenewed Reason = "renewed"
	// ReasonLeadershipLost: the records do not name this tenure any more.
	ReasonLeadershipLost Reason = "leadership was taken over or vacated"
	// ReasonChallenged: a candidate of a strictly higher priority requested preemption.
	ReasonChallenged Reason = "challenged by a higher priority"
	// ReasonAskedToResign and ReasonAskedToTransfer: an operator requested it.
	ReasonAskedToResign   Reason = "asked to resign"
	ReasonAskedToTransfer Reason = "asked to hand over"
	// ReasonDisabled: the election was disabled.
	ReasonDisabled Reason = "the election is disabled"
	// ReasonDemoted: the candidate became an observer.
	ReasonDemoted Reason = "became an observer"
	// ReasonNotReady: the candidate is not ready to lead any more.
	ReasonNotReady Reason = "not ready"
	// ReasonWorkReturned: the work returned by itself.
	ReasonWorkReturned Reason = "the work has returned"

	// ReasonLeaderSeen: another candidate leads.
	ReasonLeaderSeen Reason = "another process leads"
	// ReasonNoLeader: no leader is known any more.
	ReasonNoLeader Reason = "there is no leader"
	// ReasonRole: the role or the aim of the candidate changed.
	ReasonRole Reason = "the role has changed"
)
