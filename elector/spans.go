package elector

import (
	"context"
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// spans are the open spans of a session. It is nil without a tracer, and its methods do
// nothing then. The session guards it.
type spans struct {
	session        *session
	tracer         Tracer
	election, node string
	claim          openSpan
	handOver       openSpan
}

// openSpan is a span that has not ended, if there is one. If its outcome is set, it ends
// after the present event.
type openSpan struct {
	span  Span
	began machine.Now
	// term is the term that is handed over, or the one whose leader a challenger asks. For
	// another claim it is zero.
	term uint64
	link string
	end  SpanEnd
}

func (o *openSpan) open() bool { return o.span != nil }

// traceSpans makes the spans of a session if there is a tracer.
func (s *session) traceSpans() {
	e := s.elector
	if e.options.Tracer == nil {
		return
	}
	space, node := names(e.election, e.options.NodeID)
	s.spans = &spans{session: s, tracer: e.options.Tracer, election: space, node: node}
	s.executor.TraceParent = s.spans.traceParent
}

// start begins a span at an instant.
func (t *spans) start(parent Span, at machine.Now, start SpanStart) openSpan {
	start.At, start.Election, start.Node = at.Wall, t.election, t.node
	return openSpan{span: t.tracer.Start(parent, start), began: at, term: start.Term, link: start.Link}
}

// finish ends a span now, if it is open.
func (t *spans) finish(o *openSpan, outcome Outcome) {
	if !o.open() {
		return
	}
	end := o.end
	end.Outcome = outcome
	end.At = o.began.Wall.Add(t.session.clock.Now().Sub(o.began.Local))
	o.span.End(end)
	*o = openSpan{}
}

// startClaim begins the span of a claim.
func (t *spans) startClaim(began machine.Now) {
	leader := t.session.machine.View().Leader
	t.claim = t.start(nil, began, SpanStart{Kind: SpanClaim, Term: leader.Term, Leader: leader})
	t.claim.term = 0
}

// traceParent returns the trace context of the claim that requests leadership from the
// leader of a term, and begins its span with the first request. It is called in a
// transaction, without the lock of the session.
func (t *spans) traceParent(term uint64) string {
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return ""
	}
	if t.claim.open() && t.claim.term != term {
		t.finish(&t.claim, OutcomeLost)
	}
	if !t.claim.open() {
		t.startClaim(s.now())
		t.claim.term = term
	}
	return t.claim.span.TraceParent()
}

// transition makes the span of a change of state. Its parent is the claim or the hand-over
// that it is part of.
func (t *spans) transition(change Transition) {
	if t == nil {
		return
	}
	parent := t.claim.span
	if t.handOver.open() {
		parent = t.handOver.span
	}
	t.tracer.Start(parent, SpanStart{
		Kind: SpanTransition, At: change.At, Election: t.election, Node: t.node,
		From: change.From, To: change.To, Reason: change.Reason, Term: change.Term, Leader: change.Leader,
	}).End(SpanEnd{At: change.At, Leader: change.Leader})
}

// answered handles the answer of an operation before the machine does. If the session is
// over, its spans have ended.
func (t *spans) answered(op *machine.Operation, event machine.Event, began time.Time) {
	if t == nil || t.session.over {
		return
	}
	e, ok := event.(machine.Answered)
	switch {
	case !ok:
	case op.Kind == machine.ElectionCycle && op.Token.Term == 0:
		t.claimAnswered(&e.Answer, began)
	case op.Kind == machine.Resign, op.Kind == machine.HandOver, op.Kind == machine.Unregister:
		t.releaseAnswered(op, &e.Answer)
	}
}

// handled ends the spans whose outcome is known, after the machine has handled an answer.
func (t *spans) handled() {
	if t == nil {
		return
	}
	for _, o := range [...]*openSpan{&t.claim, &t.handOver} {
		if o.end.Outcome != "" {
			t.finish(o, o.end.Outcome)
		}
	}
}

// claimAnswered handles the answer of a cycle by a process without a tenure. A request
// that failed is repeated by the next cycle, so its span goes on.
func (t *spans) claimAnswered(a *machine.Answer, began time.Time) {
	if !t.claim.open() {
		if !a.Claims {
			return
		}
		now := t.session.now()
		t.startClaim(machine.Now{Local: began, Wall: now.Wall.Add(began.Sub(now.Local))})
	}
	end, requested := &t.claim.end, t.claim.term != 0
	end.Err, end.Leader = a.Err, a.Status.Leader
	switch {
	case a.Err != nil && requested, a.Action == election.RequestedPreemption:
	case errors.Is(a.Err, context.Canceled):
		end.Outcome = OutcomeStopped
	case a.Err != nil:
		end.Outcome = OutcomeFailed
	case a.Action.Leads():
		end.Outcome = OutcomeElected
	case requested && a.Status.Leader.Term == t.claim.term:
		end.Outcome = OutcomeWithdrawn
	default:
		end.Outcome = OutcomeLost
	}
}

// drained begins the span of a hand-over, unless leadership is lost.
func (t *spans) drained(d machine.Drain) {
	if t == nil || d.Reason == machine.ReasonUnrenewed || d.Reason == machine.ReasonLeadershipLost {
		return
	}
	t.handOver = t.start(nil, t.session.now(), SpanStart{
		Kind: SpanHandOver, Reason: Reason(d.Reason), Term: d.Term,
		Leader: t.session.machine.View().Leader, Link: d.Request.TraceParent,
	})
}

// workReturned notes how long the work took to return.
func (t *spans) workReturned() {
	if t != nil && t.handOver.open() {
		t.handOver.end.WorkTook = t.session.clock.Now().Sub(t.handOver.began.Local)
	}
}

// releaseAnswered handles the answer of an operation that gives up leadership. One that has
// failed is tried again.
func (t *spans) releaseAnswered(op *machine.Operation, a *machine.Answer) {
	h := &t.handOver
	if !h.open() {
		return
	}
	leader := a.Status.Leader
	h.end.Err, h.end.Leader = errors.Join(a.Err, a.Refused), leader
	switch {
	case errors.Is(a.Err, fdbelection.ErrNotLeader):
		h.end.Outcome, h.end.Err = OutcomeLost, nil
	case a.Err != nil:
	case leader.Vacant():
		h.end.Outcome = OutcomeResigned
	case leader.Term == h.term:
		h.end.Outcome = OutcomeKept
	case leader.Nonce == op.Succession.Nonce:
		h.end.Outcome = OutcomeHandedOver
	case leader.Nonce == a.Status.Request.Nonce:
		h.end.Outcome = OutcomeHandedOver
		if context := a.Status.Request.TraceParent; context != h.link {
			h.end.Link = context
		}
	default:
		h.end.Outcome = OutcomeLost
	}
}

// released ends the span of a hand-over when leadership is not held any more, or the session
// is over. err is why it was not released.
func (t *spans) released(err error) {
	if t == nil || !t.handOver.open() {
		return
	}
	h := &t.handOver
	outcome := h.end.Outcome
	if err != nil {
		h.end.Err = err
	}
	switch {
	case outcome != "":
	case errors.Is(err, errAbandoned):
		outcome = OutcomeStopped
	case h.end.Err != nil:
		outcome = OutcomeFailed
	case t.session.machine.View().Leader.Term == h.term:
		outcome = OutcomeKept
	default:
		outcome = OutcomeLost
	}
	t.finish(h, outcome)
}

// ended ends the span of a claim, because the session is over.
func (t *spans) ended(err error) {
	if t == nil {
		return
	}
	if t.claim.end.Outcome == "" {
		t.claim.end.Err, t.claim.end.Outcome = err, OutcomeStopped
	}
	t.finish(&t.claim, t.claim.end.Outcome)
}
