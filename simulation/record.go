package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// recorder takes down what happens: hashes of it always, lines for a reader
// where somebody wants them.
type recorder struct {
	result  Result
	tracing bool
	ticks   uint64
}

func newRecorder(opts Options) recorder {
	const offset = 14695981039346656037
	return recorder{
		tracing: opts.Trace != nil,
		result:  Result{Seed: opts.Seed, Commits: offset, Calls: offset, Situations: map[string]int{}},
	}
}

// Line is one line of a trace.
type Line struct {
	At    time.Duration
	Host  int      // of whom it tells; -1: of nobody in particular
	Hosts []string // what each host is at that time
	Text  string
}

// Format returns the line: the time, a column for each host, and what happened.
//
// In a column L5 leads in term 5 and D5 drains it; * holds the seat without
// believing in it, . follows, z is paused, / is cut off, and an empty one is not
// there.
func (l *Line) Format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%14.6fs |", l.At.Seconds())
	for _, lane := range l.Hosts {
		fmt.Fprintf(&b, " %-4s|", lane)
	}
	b.WriteString(" " + l.Text)
	return b.String()
}

// tick is the next place in the order of calls, commits and returns.
func (w *World) tick() uint64 {
	w.ticks++
	return w.ticks
}

// count counts a fault that was injected.
func (w *World) count(kind Fault) { w.result.Faults[kind]++ }

// situation notes that something happened that is worth to have been there.
func (w *World) situation(name string) { w.result.Situations[name]++ }

// trace tells what has happened to a process, or to the database (nil). Callers
// ask first whether anybody wants to know.
func (w *World) trace(p *process, format string, args ...any) {
	line := Line{At: w.now, Host: -1, Text: fmt.Sprintf(format, args...), Hosts: make([]string, len(w.hosts))}
	for _, other := range w.live {
		if other.host.lane >= 0 {
			line.Hosts[other.host.lane] = other.lane()
		}
	}
	if p != nil {
		line.Host, line.Text = p.host.lane, p.name+": "+line.Text
	}
	w.opts.Trace(line)
}

// lane is what a process is, in a few characters.
func (p *process) lane() string {
	w := p.world
	mark := ""
	switch {
	case p.pausedUntil > w.now:
		mark = "z"
	case p.deafUntil > w.now || p.blindUntil > w.now:
		mark = "/"
	}
	switch {
	case !p.belief.Stop.IsZero():
		return fmt.Sprintf("L%d%s", p.belief.Term, mark)
	case !p.belief.End.IsZero():
		return fmt.Sprintf("D%d%s", p.belief.Term, mark)
	case w.state.Leader.HeldBy(p.me.Identity):
		return "*" + mark
	default:
		return "." + mark
	}
}

func (w *World) traceAction(p *process, action machine.Action) {
	switch a := action.(type) {
	case machine.Lead:
		w.trace(p, "LEADS in term %d, ballot %d", a.Leader.Term, a.Leader.Ballot)
	case machine.Drain:
		w.trace(p, "drains term %d: %s", a.Term, a.Reason)
	case machine.Expire:
		w.trace(p, "ends term %d", a.Term)
	case machine.StateChanged:
		w.trace(p, "is %s, was %s: %s", a.To, a.From, a.Reason)
	case machine.LeaderChanged:
		w.trace(p, "sees %s", a.Leader)
	case machine.Evicted:
		w.trace(p, "evicted %v", a.IDs)
	case machine.IDInUse:
		w.trace(p, "finds %s under its id", a.Existing.Identity)
	case machine.HoldOff:
		w.trace(p, "holds off for %s after %d failures", a.For, a.Failures)
	case machine.Report:
		if a.Err != nil {
			w.trace(p, "reports: %v", a.Err)
		}
	case machine.Finish:
		w.trace(p, "has left: %v", a.Err)
	case machine.StartOperation, machine.CancelOperation, machine.Wake, machine.ConfigChanged:
	}
}

// mixNumbers takes numbers into the hash of the calls and returns.
func (w *World) mixNumbers(numbers ...uint64) {
	h := w.result.Calls
	for _, n := range numbers {
		for range 8 {
			h = (h ^ n&0xff) * 1099511628211
			n >>= 8
		}
	}
	w.result.Calls = h
}

// mixBytes takes bytes into the hash of the commits.
func (w *World) mixBytes(b []byte) {
	h := w.result.Commits
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	w.result.Commits = (h ^ uint64(len(b))) * 1099511628211
}

// broken reports whether an invariant was found not to hold.
func (w *World) broken(invariant Invariant) bool {
	return slices.ContainsFunc(w.result.Violations, func(v ViolationError) bool { return v.Invariant == invariant })
}

// violated notes that an invariant does not hold. Each is noted once.
func (w *World) violated(invariant Invariant, format string, args ...any) {
	if w.broken(invariant) || len(w.result.Violations) > 0 && !w.opts.KeepGoing {
		return
	}
	v := ViolationError{Invariant: invariant, Text: fmt.Sprintf(format, args...), At: w.now}
	w.result.Violations = append(w.result.Violations, v)
	if w.tracing {
		w.trace(nil, "VIOLATION of %s: %s", invariant, v.Text)
	}
}
