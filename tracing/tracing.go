// Package tracing makes OpenTelemetry spans of the electors of a process.
//
//	el, err := elector.New(db, e, elector.Options{Tracer: tracing.New(otel.GetTracerProvider())})
//
// There is a span for each claim, each change of state and each hand-over. A change of state is
// a child of the claim or the hand-over that it is part of. Everything else begins a new
// trace. Renewals and followers have no spans.
//
// # Links
//
// A challenger writes the trace context of its claim into its preemption request. The hand-over
// of the leader that it challenges links to that claim. The context is one W3C traceparent of 55
// bytes. It comes from another process by way of the database, so it never becomes a parent,
// and does not decide what is sampled. A context that is not valid is ignored.
//
// # Attributes
//
// docs/monitoring.md lists the spans and their attributes. Text from the database is in them
// only after it was made printable and cut to 128 bytes. Metadata are not in them.
package tracing

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/fdbelection/fdbelection/elector"
)

// scope is the name of the instrumentation.
const scope = "github.com/fdbelection/fdbelection/tracing"

// names are the names of the spans. They are few, so that they can be counted and grouped.
var names = map[elector.SpanKind]string{
	elector.SpanClaim:      "claim leadership",
	elector.SpanTransition: "change state",
	elector.SpanHandOver:   "hand over leadership",
}

// New returns a Tracer for elector.Options. Its spans go to provider. If provider is nil, it
// returns nil, which makes no spans. Several electors may share a Tracer.
func New(provider trace.TracerProvider) elector.Tracer {
	if provider == nil {
		return nil
	}
	return &tracer{provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
}

type tracer struct{ trace.Tracer }

type span struct{ trace.Span }

// context returns a context with the span and nothing else.
func (s *span) context() context.Context {
	return trace.ContextWithSpan(context.Background(), s.Span)
}

// Start begins a span. A span without a parent begins a trace.
func (t *tracer) Start(parent elector.Span, start elector.SpanStart) elector.Span {
	options := []trace.SpanStartOption{
		trace.WithTimestamp(start.At), trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(startAttributes(&start)...),
	}
	ctx := context.Background()
	if p, ok := parent.(*span); ok {
		ctx = p.context()
	}
	if link, ok := linkTo(start.Link); ok {
		options = append(options, trace.WithLinks(link))
	}
	_, begun := t.Tracer.Start(ctx, names[start.Kind], options...)
	return &span{begun}
}

// traceparent is the name of the trace context in a carrier.
const traceparent = "traceparent"

// TraceParent returns the trace context of the span, or an empty text if it has none.
func (s *span) TraceParent() string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(s.context(), carrier)
	return carrier[traceparent]
}

// linkTo returns a link to the span of a trace context, if it is valid.
func linkTo(text string) (trace.Link, bool) {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceparent: text})
	remote := trace.SpanContextFromContext(ctx)
	return trace.Link{SpanContext: remote}, remote.IsValid()
}

// End ends the span. It is an error if the claim failed, if leadership could not be released,
// or if it was released in another way than it should.
func (s *span) End(end elector.SpanEnd) {
	s.SetAttributes(endAttributes(&end)...)
	if link, ok := linkTo(end.Link); ok {
		s.AddLink(link)
	}
	if end.Err != nil && end.Outcome != elector.OutcomeStopped {
		s.SetAttributes(errorType(end.Err))
		s.SetStatus(codes.Error, safe(end.Err.Error()))
	}
	s.Span.End(trace.WithTimestamp(end.At))
}
