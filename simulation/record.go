package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// recorder keeps hashes of everything that happens, and passes lines to Options.Trace.
type recorder struct {
	result  Result
	tracing bool
	ticks   uint64
}

func newRecorder(opts Options) recorder {
	const offset = 14695981039346656037
	r := recorder{tracing: opts.Trace != nil, result: Result{
		Seed: opts.Seed, Commits: offset, Calls: offset, Faults: map[string]int{}, Situations: map[string]int{},
	}}
	for _, name := range &faultNames {
		r.result.Faults[name] = 0
	}
	return r
}

// traceLine is one line of the timeline.
type traceLine struct {
	at    time.Duration
	cells []string // the state of each process
	text  string
}

// format returns the line as Options.Trace describes it.
func (l *traceLine) format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%14.6fs |", l.at.Seconds())
	for _, cell := range l.cells {
		fmt.Fprintf(&b, " %-4s|", cell)
	}
	b.WriteString(" " + l.text)
	return b.String()
}

// tick is the next place in the order of calls, commits and returns.
func (k *kernel) tick() uint64 {
	k.ticks++
	return k.ticks
}

// count counts an injected fault.
func (k *kernel) count(kind Fault) { k.result.Faults[kind.String()]++ }

// situation counts a situation that a sweep must reach.
func (k *kernel) situation(name string) { k.result.Situations[name]++ }

// traceOf adds a line about a process, or about the database if there is no name. Callers check
// tracing first, because formatting is expensive.
func (k *kernel) traceOf(name, format string, args ...any) {
	line := traceLine{at: k.now, text: fmt.Sprintf(format, args...), cells: k.model.cells()}
	if name != "" {
		line.text = name + ": " + line.text
	}
	k.opts.Trace(line.format())
}

// mixNumbers adds numbers to the hash of the calls and returns.
func (k *kernel) mixNumbers(numbers ...uint64) {
	h := k.result.Calls
	for _, n := range numbers {
		for range 8 {
			h = (h ^ n&0xff) * 1099511628211
			n >>= 8
		}
	}
	k.result.Calls = h
}

// mixBytes adds bytes to the hash of the commits.
func (k *kernel) mixBytes(b []byte) {
	h := k.result.Commits
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	k.result.Commits = (h ^ uint64(len(b))) * 1099511628211
}

// broken reports whether an invariant has failed.
func (k *kernel) broken(invariant Invariant) bool {
	return slices.ContainsFunc(k.result.Violations, func(v ViolationError) bool { return v.Invariant == invariant })
}

// violated records that an invariant failed. Each one is recorded once.
func (k *kernel) violated(invariant Invariant, format string, args ...any) {
	if k.broken(invariant) || len(k.result.Violations) > 0 && !k.opts.keepGoing {
		return
	}
	v := ViolationError{Invariant: invariant, Text: fmt.Sprintf(format, args...), At: k.now}
	k.result.Violations = append(k.result.Violations, v)
	if k.tracing {
		k.traceOf("", "VIOLATION of %s: %s", invariant, v.Text)
	}
}
