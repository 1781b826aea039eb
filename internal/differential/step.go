package differential

import (
	"fmt"
	"strings"
)

// action is the kind of a step.
type action int

const (
	doReadVersion action = iota
	doGet
	doGetRange
	doSet
	doClear
	doClearRange
	doStampKey
	doStampValue
	doReadConflict
	doWriteConflict
	doWatch
	doStamp
	doCommit
	doOnError
	doReset
	doCancel
	doBegin
	doRetryLimit
	actions // number of actions
)

var actionNames = [actions]string{
	"read version", "get", "range", "set", "clear", "clear range", "set stamped key", "set stamped value",
	"read conflict", "write conflict", "watch", "versionstamp", "commit", "on error", "reset", "cancel", "begin",
	"retry limit",
}

// step is one operation of a script. Steps do not depend on each other, so that
// each can be removed.
type step struct {
	slot     int // index of the transaction
	action   action
	key, end string // end is empty for a single key
	value    string
	offset   int32 // of a template
	limit    int
	reverse  bool
	snapshot bool
	ignored  bool // a read that is not awaited
	code     int
}

// String formats the step.
func (s step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%c: %s", 'A'+rune(s.slot), actionNames[s.action])
	switch s.action {
	case doGet, doSet, doClear, doStampKey, doStampValue, doWatch:
		fmt.Fprintf(&b, " %s", brief(s.key))
	case doGetRange, doClearRange:
		fmt.Fprintf(&b, " %s to %s", brief(s.key), brief(s.end))
	case doReadConflict, doWriteConflict:
		fmt.Fprintf(&b, " %s", brief(s.key))
		if s.end != "" {
			fmt.Fprintf(&b, " to %s", brief(s.end))
		}
	case doOnError:
		fmt.Fprintf(&b, " %d", s.code)
	case doRetryLimit:
		fmt.Fprintf(&b, " %d", s.limit)
	default: // no arguments
	}
	switch s.action {
	case doSet:
		fmt.Fprintf(&b, " = %s", brief(s.value))
	case doStampKey, doStampValue:
		fmt.Fprintf(&b, ", template %s at %d", brief(s.value), s.offset)
	default: // no value
	}
	if s.limit != 0 && s.action == doGetRange {
		fmt.Fprintf(&b, ", limit %d", s.limit)
	}
	for flag, name := range map[string]bool{", snapshot": s.snapshot, ", reverse": s.reverse, ", not awaited": s.ignored} {
		if name {
			b.WriteString(flag)
		}
	}
	return b.String()
}

// brief quotes a key or a value, and shortens a long one.
func brief(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q...(%d bytes)", s[:4], len(s))
	}
	return fmt.Sprintf("%q", s)
}
