package elector

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// Tracer gets the spans of electors: one for each claim, each transition and each hand-over.
// The module github.com/fdbelection/fdbelection/tracing has one for OpenTelemetry.
//
// A Tracer and its spans are safe for concurrent use. They must not block and must not call
// the elector, since renewals would wait for them.
type Tracer interface {
	// Start begins a span. parent is a span of this Tracer that has not ended, or nil.
	Start(parent Span, start SpanStart) Span
}

// Span is a span that has begun.
type Span interface {
	// TraceParent returns the trace context of the span, a W3C traceparent of version 00, or
	// an empty text. A challenger writes that of its claim into its preemption request.
	TraceParent() string
	// End ends the span. It is called once.
	End(end SpanEnd)
}

// SpanKind is what a span covers.
type SpanKind string

const (
	// SpanClaim is a claim: from the start of the cycle that claims or accepts leadership to its
	// answer. If leadership is requested from a leader, it is from the first request to
	// the end of the challenge. A cycle that claims nothing has no span.
	SpanClaim SpanKind = "claim"
	// SpanTransition is a change of state. It takes no time.
	SpanTransition SpanKind = "transition"
	// SpanHandOver is the end of a tenure that could have continued: from the call on the work
	// to stop to the commit that hands over or resigns. A tenure that is lost has no such span.
	SpanHandOver SpanKind = "hand over"
)

// SpanStart is how a span begins.
type SpanStart struct {
	Kind SpanKind
	// At is the time on the wall clock of this process.
	At time.Time
	// Election and Node name the election and this process. They are safe to print.
	Election, Node string
	// From and To are the states of a transition.
	From, To State
	// Reason is why the state changed, or why the work is told to stop. A claim has none.
	Reason Reason
	// Term is that of the transition, or the term that is handed over. For a claim it is the
	// newest term that this process knows.
	Term uint64
	// Leader is the leader record as this process knows it.
	Leader election.LeaderRecord
	// Link is the trace context of the challenger that asks for a hand-over. It is a valid W3C
	// traceparent, or empty. It comes from another process, so it is for a link and not for
	// a parent.
	Link string
}

// SpanEnd is how a span ends.
type SpanEnd struct {
	// At is the start of the span plus the time that has passed on the process clock.
	At time.Time
	// Outcome is how a claim or a hand-over ended. A transition has none.
	Outcome Outcome
	// Leader is the leader record after a claim or a hand-over. It is zero if it is not known.
	Leader election.LeaderRecord
	// WorkTook is how long the work, and the callbacks of the loss, took to return after they
	// were told to stop. It is zero if they have not returned.
	WorkTook time.Duration
	// Link is the trace context of the successor if it is not the challenger of SpanStart.
	// Otherwise it is empty.
	Link string
	// Err is the last error, if the outcome is OutcomeFailed or an error decided on it.
	Err error
}

// Outcome is how a claim or a hand-over ended.
type Outcome string

const (
	// OutcomeElected means that this process has claimed or accepted leadership.
	OutcomeElected Outcome = "elected"
	// OutcomeHandedOver means that leadership was handed over to a successor.
	OutcomeHandedOver Outcome = "handed over"
	// OutcomeResigned means that leadership is vacant. If Err is set, it was to be handed over.
	OutcomeResigned Outcome = "resigned"
	// OutcomeKept means that the process still holds leadership, because the request for which
	// it stopped its work is void. It claims leadership in a new term.
	OutcomeKept Outcome = "kept"
	// OutcomeLost means that another process holds leadership.
	OutcomeLost Outcome = "lost"
	// OutcomeWithdrawn means that the request of this process does not stand any more: it does
	// not want leadership, or the request of a stronger challenger or of an operator stands.
	OutcomeWithdrawn Outcome = "withdrawn"
	// OutcomeFailed means that the claim failed with an error, or that leadership could not be
	// released. Its lease runs out by itself.
	OutcomeFailed Outcome = "failed"
	// OutcomeStopped means that the elector stopped before the end.
	OutcomeStopped Outcome = "stopped"
)
