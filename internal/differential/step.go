package differential

import (
	"fmt"
	"strings"
)

// action is what a step does.
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
	actions // how many there are
)

var actionNames = [actions]string{
	"read version", "get", "range", "set", "clear", "clear range", "set stamped key", "set stamped value",
	"read conflict", "write conflict", "watch", "versionstamp", "commit", "on error", "reset", "cancel", "begin",
	"retry limit",
}

// step is one thing that a transaction of a script does. Steps need nothing of
// those before them, so that any of them can be left out.
type step struct {
	slot     int // which transaction
	action   action
	key, end string // end is empty where a single key is meant
	value    string
	offset   int32 // of a template
	limit    int
	reverse  bool
	snapshot bool
	ignored  bool // a read that nobody awaits
	code     int
}

// String returns the step as a failure shows it.
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
	default: // takes nothing
	}
	switch s.action {
	case doSet:
		fmt.Fprintf(&b, " = %s", brief(s.value))
	case doStampKey, doStampValue:
		fmt.Fprintf(&b, ", template %s at %d", brief(s.value), s.offset)
	default: // has no value
	}
	if s.limit != 0 && s.action == doGetRange {
		fmt.Fprintf(&b, ", limit %d", s.limit)
	}
	for flag, name := range map[string]bool{", snapshot": s.snapshot, ", backwards": s.reverse, ", not awaited": s.ignored} {
		if name {
			b.WriteString(flag)
		}
	}
	return b.String()
}

// brief shows a key or a value, a long one by its length.
func brief(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q...(%d bytes)", s[:4], len(s))
	}
	return fmt.Sprintf("%q", s)
}
