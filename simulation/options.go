package simulation

import (
	"fmt"
	"time"
)

// Options are what a run is made of. Equal options give equal runs.
type Options struct {
	Seed uint64 `json:"seed"`
	// Faulty is how long faults go on; zero: 2 minutes, and 30 seconds where leases
	// are short. Quiet is how long the world has after that to become what it
	// should be; zero: what liveness promises.
	Faulty    time.Duration `json:"faulty,omitempty"`
	FaultFree time.Duration `json:"quiet,omitempty"`
	// Processes is how many take part; zero: 5.
	Processes int `json:"processes,omitempty"`
	// Without are the kinds of faults that are switched off.
	Without []Fault `json:"without,omitempty"`
	// Trace gets each line of the run, where it is set.
	Trace func(line Line) `json:"-"`
	// Linearize has porcupine check the history of the seat as well.
	Linearize bool `json:"linearize,omitempty"`
	// deletions switches the kind Delete on, which half of the seeds have.
	deletions bool
	// KeepGoing has the run go on after a violation, to find all of them.
	KeepGoing bool `json:"-"`
}

// Result is what a run was like.
type Result struct {
	Seed uint64
	// Commits is the hash of the commit log, Calls that of the calls and returns.
	Commits, Calls uint64
	Simulated      time.Duration
	Events         uint64
	Faults         [faultKinds]int
	Situations     map[string]int
	Tenures        int
	Fenced         int
	// Violations are the invariants that did not hold, in the order in which that
	// was found: one, unless the run was to go on.
	Violations []ViolationError
}

// ViolationError is an invariant that did not hold.
type ViolationError struct {
	Invariant Invariant
	Text      string
	At        time.Duration
}

// Error says which invariant did not hold, and how.
func (v *ViolationError) Error() string {
	return fmt.Sprintf("invariant %s, at %s: %s", v.Invariant, v.At, v.Text)
}

// Failed reports whether an invariant did not hold.
func (r *Result) Failed() bool { return len(r.Violations) > 0 }

// Run runs one seed.
func Run(opts Options) Result {
	w := newWorld(opts)
	w.play()
	return w.result
}
