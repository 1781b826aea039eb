package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Minimise makes a failing run smaller, for as long as the same invariant fails:
// it ends the faults right where that was, takes away one kind of faults after the
// other, then processes. It returns the options of the smallest, and its result.
func Minimise(opts Options, invariant Invariant) (Options, Result) {
	opts.KeepGoing = false
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

// Explain tells how a run failed: the command that runs it again, the same made
// small, and the last lines of its timeline (zero: all). Options are those of the
// run but for its seed. It returns what to keep of it, or nil where there is
// nothing to run again.
func Explain(opts Options, failed *Result, lines int) (string, *SavedRun) {
	v := failed.Violations[0]
	opts.Seed, opts.Linearize = failed.Seed, v.Invariant == Linearizable
	told := fmt.Sprintf("seed %d: %v\n  %s\n", failed.Seed, &v, opts.Command())
	if v.Invariant == Determinism {
		return told, nil
	}
	small, result := Minimise(opts, v.Invariant)
	if !result.Failed() {
		return told + "it does not fail again\n", nil
	}
	told += fmt.Sprintf("made small: %v\n  %s\n%s\n", &result.Violations[0], small.Command(), strings.Join(Timeline(small, lines), "\n"))
	return told, &SavedRun{Options: small, Found: result.Violations[0].Error()}
}

// Command is the command that runs exactly these options.
func (o *Options) Command() string {
	parts := []string{"fdbelect simulate --seed", fmt.Sprint(o.Seed)}
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

// Timeline runs the options once more, and returns the last lines of what
// happened, under a heading; n is how many, zero all.
func Timeline(opts Options, n int) []string {
	var lines []Line
	opts.Trace = func(line Line) { lines = append(lines, line) }
	Run(opts)
	if n > 0 && len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	processes := max(opts.Processes, 1)
	if opts.Processes == 0 {
		processes = 5
	}
	heading := Line{}
	for i := range processes {
		heading.Hosts = append(heading.Hosts, string(rune('a'+i)))
	}
	out := []string{strings.Repeat(" ", 15) + strings.TrimRight(heading.Format()[15:], " ")}
	for i := range lines {
		out = append(out, lines[i].Format())
	}
	return out
}

// SavedRun is a failing run as it is kept in a file, to be run for ever.
type SavedRun struct {
	Options Options `json:"options"`
	// Found is the invariant that did not hold then, and how.
	Found string `json:"found"`
	// Fixed says what was wrong; empty: not mended yet.
	Fixed string `json:"mended,omitempty"`
}

// MarshalText writes the name of a kind of faults.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads one.
func (f *Fault) UnmarshalText(text []byte) error {
	kind, ok := ParseFault(string(text))
	if !ok {
		return fmt.Errorf("there is no kind of faults %q", text)
	}
	*f = kind
	return nil
}

// Encode returns the file.
func (k *SavedRun) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(k, "", "\t")
	return append(b, '\n'), err
}
