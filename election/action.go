package election

// Action is what a cycle did about the leadership.
type Action int

const (
	// Followed changed nothing: another candidate leads, or this one may not claim.
	Followed Action = iota
	// Claimed began a new tenure.
	Claimed
	// Renewed extended the lease of the caller's tenure, or accepted a leadership that was
	// handed over.
	Renewed
	// Draining changed nothing: the caller holds leadership, and must not renew because
	// the election is disabled or the caller is not ready. It stops its work before the
	// lease ends, then resigns. A caller that is not ready need not resign: the first cycle
	// after the last ValidUntil vacates leadership, or one with WorkEnded.
	Draining
	// Vacated gave up the caller's leadership, because it is an observer, is not ready or
	// was asked to resign.
	Vacated
	// RequestedPreemption asked the leader to hand over, or repeated that request.
	RequestedPreemption
	// Withdrew removed the caller's preemption request, which is void. An observer and a
	// candidate that is not ready also remove a request to transfer leadership to them.
	Withdrew
	// HandedOver gave the caller's leadership to the candidate that the request names.
	HandedOver
)

// String returns the action in one or two words.
func (a Action) String() string {
	names := [...]string{"followed", "claimed", "renewed", "draining", "vacated", "challenged", "withdrew", "handed over"}
	if a < 0 || int(a) >= len(names) {
		return "unknown"
	}
	return names[a]
}

// Leads reports whether the caller leads after the action.
func (a Action) Leads() bool { return a == Claimed || a == Renewed }

// Holds reports whether the caller holds leadership after the action. It is false once the
// lease has expired by the caller's clock, although the leader record may still name it.
func (a Action) Holds() bool { return a.Leads() || a == Draining }

// needsNoRecord reports whether a holder takes the action even if its candidate record is
// missing or unreadable.
func (a Action) needsNoRecord() bool {
	return a == Renewed || a == Draining || a == Vacated || a == HandedOver
}
