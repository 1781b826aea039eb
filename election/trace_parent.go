package election

import (
	"strings"

	"github.com/fdbelection/fdbelection/subspace"
)

// decodeTraceParent reads the trace context of a request, the last element of its record. If
// there is none, or one that is not valid, it returns "". It is only for traces, so it never
// makes the record unreadable.
func decodeTraceParent(r subspace.Reader) string {
	if !r.More() || r.Peek() != subspace.KindString {
		return ""
	}
	text := r.Text()
	if r.Err() != nil {
		return ""
	}
	return knownTraceParent(text)
}

// knownTraceParent returns text if it is a W3C traceparent of version 00, and "" otherwise:
// 00, the trace id in 32 digits, the span id in 16 and the flags in 2, with hyphens between
// them. All digits are hexadecimal and in lower case, and neither id is zero.
func knownTraceParent(text string) string {
	const version, traceEnd, spanEnd, end = 3, 35, 52, 55
	if len(text) != end || text[:version] != "00-" || text[traceEnd] != '-' || text[spanEnd] != '-' {
		return ""
	}
	trace, span, flags := text[version:traceEnd], text[traceEnd+1:spanEnd], text[spanEnd+1:]
	for _, digits := range [...]string{trace, span, flags} {
		if strings.Trim(digits, "0123456789abcdef") != "" {
			return ""
		}
	}
	if strings.Trim(trace, "0") == "" || strings.Trim(span, "0") == "" {
		return ""
	}
	return text
}
