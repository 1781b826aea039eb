package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// minimise searches for the smallest run in which the same invariant fails. It ends the
// faults right after the violation, switches one kind of faults off after another, and
// removes processes. It returns the options of the smallest run and its result.
func minimise(opts Options, invariant Invariant) (Options, Result) {
	opts.keepGoing = false
	best := Run(opts)
	try := func(smaller Options) bool {
		r := Run(smaller)
		if !r.Failed() || r.Violations[0].Invariant != invariant {
			return false
		}
		opts, best = smaller, r
		return true
	}
	shorten := func() {
		if !best.Failed() {
			return
		}
		smaller := opts
		if at := best.Violations[0].At; at+time.Second < faultyTime(&opts) {
			smaller.Faulty = at + time.Second
			try(smaller)
		}
	}
	shorten()
	for kind := range faultKinds {
		if !slices.Contains(opts.Without, kind) {
			smaller := opts
			smaller.Without = append(slices.Clone(opts.Without), kind)
			try(smaller)
		}
	}
	for n := 2; n < max(opts.Processes, 5); n++ {
		smaller := opts
		smaller.Processes = n
		if try(smaller) {
			break
		}
	}
	shorten()
	return opts, best
}

func faultyTime(opts *Options) time.Duration {
	if opts.Faulty > 0 {
		return opts.Faulty
	}
	return 2 * time.Minute
}

// Explain describes a failed run: the command that replays it, the command of the smallest
// run that still fails, and the last lines of its timeline (0: all lines). opts are the
// options of the failed run without its seed. It also returns the smallest run, or nil if
// that run does not fail again.
func Explain(opts Options, failed *Result, lines int) (string, *SavedRun) {
	v := failed.Violations[0]
	opts.Seed, opts.Linearize = failed.Seed, v.Invariant == invLinearizable
	told := fmt.Sprintf("seed %d: %v\n  %s\n", failed.Seed, &v, opts.command())
	if v.Invariant == invDeterminism {
		return told, nil
	}
	small, result := minimise(opts, v.Invariant)
	if !result.Failed() {
		return told + "it does not fail again\n", nil
	}
	told += fmt.Sprintf("minimised: %v\n  %s\n%s\n", &result.Violations[0], small.command(), strings.Join(timeline(small, lines), "\n"))
	return told, &SavedRun{Options: small, Found: result.Violations[0].Error()}
}

// command is the command line that runs exactly these options.
func (o *Options) command() string {
	parts := []string{"fdbelect simulate --seed", fmt.Sprint(o.Seed)}
	if o.Groups {
		parts[0] = "fdbelect simulate --groups --seed"
	}
	if o.Faulty > 0 {
		parts = append(parts, "--faulty", o.Faulty.String())
	}
	if o.FaultFree > 0 {
		parts = append(parts, "--quiet", o.FaultFree.String())
	}
	if o.Processes > 0 {
		parts = append(parts, "--processes", fmt.Sprint(o.Processes))
	}
	if len(o.Without) > 0 {
		names := make([]string, len(o.Without))
		for i, kind := range o.Without {
			names[i] = kind.String()
		}
		parts = append(parts, "--without", strings.Join(names, ","))
	}
	return strings.Join(parts, " ")
}

// timeline runs the options and returns a heading and the last n lines of the trace. If n
// is 0, it returns all lines.
func timeline(opts Options, n int) []string {
	var lines []string
	opts.Trace = func(line string) { lines = append(lines, line) }
	Run(opts)
	if n > 0 && len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	processes := max(opts.Processes, 1)
	if opts.Processes == 0 {
		processes = 5
	}
	heading := traceLine{}
	for i := range processes {
		heading.cells = append(heading.cells, string(rune('a'+i)))
	}
	out := []string{strings.Repeat(" ", 15) + strings.TrimRight(heading.format()[15:], " ")}
	return append(out, lines...)
}
