package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

func TestErrorTypes(t *testing.T) {
	store := kv.Error{Code: kv.CodeIOError}
	for want, err := range map[string]error{
		"timeout":           fmt.Errorf("%w: %w", store, context.DeadlineExceeded),
		"1510":              &elector.LeaveError{Err: store},
		"process_not_found": errors.Join(fmt.Errorf("%w: b", fdbelection.ErrProcessNotFound)),
		"_OTHER":            errors.New("anything"),
	} {
		got := errorType(err)
		require.Equal(t, "error.type", string(got.Key))
		require.Equal(t, want, got.Value.AsString())
	}
}

// Text from the database is printable and short in an attribute.
func TestTextFromTheDatabaseIsSafe(t *testing.T) {
	for _, id := range []string{"\x1b[31m", "a\nb", "\xff\xfe", strings.Repeat("é", 5000), strings.Repeat("\x1b", 5000)} {
		all := endAttributes(&elector.SpanEnd{Leader: election.LeaderRecord{Identity: election.Identity{ID: id}}})
		require.Len(t, all, 1)
		text := all[0].Value.AsString()
		require.LessOrEqual(t, len(text), maxTextBytes)
		require.True(t, utf8.ValidString(text))
		require.Equal(t, text, election.SafeText(text))
	}
	require.Equal(t, "b-1", safe("b-1"))
}

// A span that has not ended its work has no duration, and a transition no outcome.
func TestMissingAttributes(t *testing.T) {
	require.Empty(t, endAttributes(&elector.SpanEnd{At: time.Unix(1, 0)}))
}

// A span has the times that the elector says, and a second link to the successor. An elector
// that was stopped has not failed.
func TestASpanAsTheElectorSays(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	tracer := New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)))
	contexts := []string{"00-00000000000000000000000000000001-0000000000000001-01", "00-00000000000000000000000000000002-0000000000000002-01"}
	began := time.Unix(1000, 5)
	span := tracer.Start(nil, elector.SpanStart{Kind: elector.SpanHandOver, At: began, Link: contexts[0]})
	span.End(elector.SpanEnd{At: began.Add(time.Minute), Link: contexts[1], Outcome: elector.OutcomeStopped, Err: errors.New("abandoned")})
	got := exporter.GetSpans()[0]
	require.Equal(t, span.TraceParent(), "00-"+got.SpanContext.TraceID().String()+"-"+got.SpanContext.SpanID().String()+"-01")
	require.True(t, began.Equal(got.StartTime))
	require.True(t, began.Add(time.Minute).Equal(got.EndTime))
	require.Equal(t, codes.Unset, got.Status.Code)
	require.Len(t, got.Links, 2)
	for i, link := range got.Links {
		require.Contains(t, contexts[i], link.SpanContext.TraceID().String())
	}
	for _, text := range []string{"", "00-x", contexts[0][:54]} {
		_, ok := linkTo(text)
		require.False(t, ok, text)
	}
}
