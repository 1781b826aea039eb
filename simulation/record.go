package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/internal/machine"
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
	for _, name := range faultNames {
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
func (w *world) tick() uint64 {
	w.ticks++
	return w.ticks
}

// count counts an injected fault.
func (w *world) count(kind Fault) { w.result.Faults[kind.String()]++ }

// situation counts a situation that a sweep must reach.
func (w *world) situation(name string) { w.result.Situations[name]++ }

// trace adds a line about a process, or about the database if p is nil. Callers check
// w.tracing first, because formatting is expensive.
func (w *world) trace(p *process, format string, args ...any) {
	line := traceLine{at: w.now, text: fmt.Sprintf(format, args...), cells: make([]string, len(w.hosts))}
	for _, other := range w.live {
		if other.host.column >= 0 {
			line.cells[other.host.column] = other.cell()
		}
	}
	if p != nil {
		line.text = p.name + ": " + line.text
	}
	w.opts.Trace(line.format())
}

// cell is the state of a process in a few characters.
func (p *process) cell() string {
	w := p.world
	mark := ""
	switch {
	case p.pausedUntil > w.now:
		mark = "z"
	case p.requestsHeldUntil > w.now || p.repliesHeldUntil > w.now:
		mark = "/"
	}
	switch {
	case !p.deadlines.Stop.IsZero():
		return fmt.Sprintf("L%d%s", p.deadlines.Term, mark)
	case !p.deadlines.End.IsZero():
		return fmt.Sprintf("D%d%s", p.deadlines.Term, mark)
	case w.state.Leader.HeldBy(p.me.Identity):
		return "*" + mark
	default:
		return "." + mark
	}
}

func (w *world) traceAction(p *process, action machine.Action) {
	switch a := action.(type) {
	case machine.Lead:
		w.trace(p, "LEADS in term %d, ballot %d", a.Leader.Term, a.Leader.Ballot)
	case machine.Drain:
		w.trace(p, "drains term %d: %s", a.Term, a.Reason)
	case machine.Expire:
		w.trace(p, "ends term %d", a.Term)
	case machine.StateChanged:
		w.trace(p, "changes to %s from %s: %s", a.To, a.From, a.Reason)
	case machine.LeaderChanged:
		if a.Metadata {
			w.trace(p, "sees new metadata of %s", a.Leader)
		} else {
			w.trace(p, "sees %s", a.Leader)
		}
	case machine.CandidatesChanged:
		w.trace(p, "sees the candidates change")
	case machine.Evicted:
		w.trace(p, "evicted %v", a.IDs)
	case machine.IDInUse:
		w.trace(p, "finds %s registered under its id", a.Existing.Identity)
	case machine.HoldOff:
		w.trace(p, "holds off for %s after %d failures", a.For, a.Failures)
	case machine.Delayed:
		w.trace(p, "is delayed by the %s until %s", a.Rule, a.Until.Sub(epoch))
	case machine.Report:
		if a.Err != nil {
			w.trace(p, "reports: %v", a.Err)
		}
	case machine.Finish:
		w.trace(p, "has left: %v", a.Err)
	case machine.StartOperation, machine.CancelOperation, machine.Wake, machine.ConfigChanged:
	}
}

// mixNumbers adds numbers to the hash of the calls and returns.
func (w *world) mixNumbers(numbers ...uint64) {
	h := w.result.Calls
	for _, n := range numbers {
		for range 8 {
			h = (h ^ n&0xff) * 1099511628211
			n >>= 8
		}
	}
	w.result.Calls = h
}

// mixBytes adds bytes to the hash of the commits.
func (w *world) mixBytes(b []byte) {
	h := w.result.Commits
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	w.result.Commits = (h ^ uint64(len(b))) * 1099511628211
}

// broken reports whether an invariant has failed.
func (w *world) broken(invariant Invariant) bool {
	return slices.ContainsFunc(w.result.Violations, func(v ViolationError) bool { return v.Invariant == invariant })
}

// violated records that an invariant failed. Each one is recorded once.
func (w *world) violated(invariant Invariant, format string, args ...any) {
	if w.broken(invariant) || len(w.result.Violations) > 0 && !w.opts.keepGoing {
		return
	}
	v := ViolationError{Invariant: invariant, Text: fmt.Sprintf(format, args...), At: w.now}
	w.result.Violations = append(w.result.Violations, v)
	if w.tracing {
		w.trace(nil, "VIOLATION of %s: %s", invariant, v.Text)
	}
}
