package election

import "time"

// CycleOption tells a cycle or a claim what only its process can know.
type CycleOption func(*cycleOptions)

// cycleOptions is what the options of one cycle set. Without WithObservation, seen and at
// come from the notes in the candidate record and the clock of the election.
type cycleOptions struct {
	observed  bool
	seen      Observation
	at        time.Time // on the clock of the observation
	endedTerm uint64
	abstain   bool
	workEnded bool
	noPreempt bool
	// leadUnready is how long leadership must have been free before a candidate that is not
	// ready claims it. Zero means that it never leads.
	leadUnready time.Duration
	traceParent func(term uint64) string // nil: none
}

func (c *cycleOptions) apply(opts []CycleOption) {
	for _, opt := range opts {
		opt(c)
	}
}

// WithObservation passes what this process has seen of the leader record, and the time at
// which the attempt begins. Both are readings of one monotonic clock, which need not be the
// clock of the now of the cycle. It is for a caller that keeps its own observation, as
// package elector does. Such a caller also decides by itself when to do what a request
// asks (CanHandOver, HandOver), when its own tenure has ended (EndedTerm), when it resigns
// because it is not ready, and how long it waits before it preempts.
//
// Without it, the cycle keeps all of that in the candidate record.
func WithObservation(seen Observation, at time.Time) CycleOption {
	return func(c *cycleOptions) { c.observed, c.seen, c.at = true, seen, at }
}

// EndedTerm says that this process has ended its own tenures up to a term and told its work
// to stop. If it still holds leadership in such a term, the cycle does not renew. It claims
// a new term at once.
func EndedTerm(term uint64) CycleOption {
	return func(c *cycleOptions) { c.endedTerm = term }
}

// WorkEnded says that no work of this process runs under its leadership. A request that
// counts is then met at once, without waiting for the end of the grace. A preemption
// request counts once its author was seen to be alive. A holder that is not ready vacates
// at once.
func WorkEnded() CycleOption {
	return func(c *cycleOptions) { c.workEnded = true }
}

// Abstain makes the cycle neither claim nor request preemption. It still writes the
// heartbeat, renews its own tenure, and accepts a leadership that was handed over. It is for
// a process that drains or stands by.
func Abstain() CycleOption {
	return func(c *cycleOptions) { c.abstain = true }
}

// LeadUnready lets a candidate that is not ready lead if there is no ready one. It claims
// a leadership after it has seen it vacant or expired for a duration, since a ready
// candidate would have claimed it meanwhile. It also accepts one, and renews its tenure. It
// never preempts. Zero means that the candidate does not lead while it is not ready.
func LeadUnready(after time.Duration) CycleOption {
	return func(c *cycleOptions) { c.leadUnready = after }
}

// NoPreempt makes the cycle neither preempt nor request preemption. It still renews, and
// claims a leadership that is vacant or expired. It is for a candidate that was not
// registered for long enough (fdbelection.Config.PreemptDelay). A preemption request of
// this candidate that stands is withdrawn.
func NoPreempt() CycleOption {
	return func(c *cycleOptions) { c.noPreempt = true }
}

// WithTraceParent adds the trace context of the caller to the preemption request that the
// cycle writes or repeats, so that the leader can link its trace to that of the caller
// (Request.TraceParent). of returns a W3C traceparent of version 00 for a request to the
// leader of a term. Other texts are left out. It is called in each attempt that writes a
// request, so it should return the same text for the same term.
func WithTraceParent(of func(term uint64) string) CycleOption {
	return func(c *cycleOptions) { c.traceParent = of }
}
