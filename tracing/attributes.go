package tracing

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// The attributes. OpenTelemetry has no conventions for elections, so they have a namespace of
// their own, as its rules for names ask.
const (
	electionKey      = attribute.Key("fdbelection.election")
	nodeKey          = attribute.Key("fdbelection.node")
	termKey          = attribute.Key("fdbelection.term")
	reasonKey        = attribute.Key("fdbelection.reason")
	fromKey          = attribute.Key("fdbelection.state.from")
	toKey            = attribute.Key("fdbelection.state.to")
	leaderKey        = attribute.Key("fdbelection.leader")
	outcomeKey       = attribute.Key("fdbelection.outcome")
	acquireReasonKey = attribute.Key("fdbelection.acquire_reason")
	workDurationKey  = attribute.Key("fdbelection.work.duration") // in seconds
)

func startAttributes(start *elector.SpanStart) []attribute.KeyValue {
	all := []attribute.KeyValue{electionKey.String(start.Election), nodeKey.String(start.Node)}
	if start.Kind == elector.SpanClaim {
		return all // its term and its leader are those of its end
	}
	all = append(all, termKey.Int64(int64(start.Term)), reasonKey.String(string(start.Reason)))
	if start.Kind == elector.SpanTransition {
		all = append(all, fromKey.String(start.From.String()), toKey.String(start.To.String()))
	}
	return all
}

func endAttributes(end *elector.SpanEnd) []attribute.KeyValue {
	var all []attribute.KeyValue
	if end.Outcome != "" {
		all = append(all, outcomeKey.String(string(end.Outcome)))
	}
	if end.Leader.ID != "" {
		all = append(all, leaderKey.String(safe(end.Leader.ID)))
	}
	if end.Outcome == elector.OutcomeElected {
		all = append(all, termKey.Int64(int64(end.Leader.Term)), acquireReasonKey.String(end.Leader.AcquireReason.String()))
	}
	if end.WorkTook > 0 {
		all = append(all, workDurationKey.Float64(end.WorkTook.Seconds()))
	}
	return all
}

// errorTypes are the errors that have a word of their own.
var errorTypes = [...]struct {
	err  error
	word string
}{
	{context.DeadlineExceeded, "timeout"},
	{fdbelection.ErrProcessNotFound, "process_not_found"},
	{fdbelection.ErrNotVoting, "not_voting"},
	{fdbelection.ErrNotReady, "not_ready"},
	{fdbelection.ErrElectionDisabled, "election_disabled"},
	{fdbelection.ErrInvalidCandidate, "invalid_candidate"},
	{fdbelection.ErrInvalidState, "invalid_state"},
	{fdbelection.ErrNotInitialized, "not_initialized"},
	{fdbelection.ErrUnregisteredCandidate, "unregistered"},
	{fdbelection.ErrDuplicateID, "duplicate_id"},
}

// errorType returns an error as one of few words. An error of the store is its code, which
// has the meaning that FoundationDB gives it.
func errorType(err error) attribute.KeyValue {
	for _, known := range errorTypes {
		if errors.Is(err, known.err) {
			return semconv.ErrorTypeKey.String(known.word)
		}
	}
	if code := kv.CodeOf(err); code != 0 {
		return semconv.ErrorTypeKey.String(strconv.Itoa(code)) // the conventions want text
	}
	return semconv.ErrorTypeOther
}

// maxTextBytes is the length to which a text is cut.
const maxTextBytes = 128

// safe returns text from the database or of an error as valid UTF-8, printable and short.
func safe(text string) string {
	const more = "..."
	text = election.SafeText(text)
	if len(text) <= maxTextBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxTextBytes-len(more)], "") + more // without half a character
}
