package simulation

import (
	"fmt"
	"time"
)

// Options describe one run. Equal options give equal runs.
type Options struct {
	Seed uint64 `json:"seed"`
	// Groups runs a group of many shards instead of an election.
	Groups bool `json:"groups,omitempty"`
	// Faulty is how long faults last. The default is 2 minutes, or 30 seconds if the seed
	// has short leases. FaultFree is how long the run continues without faults. By default
	// that is as long as the election may take to recover.
	Faulty    time.Duration `json:"faulty,omitempty"`
	FaultFree time.Duration `json:"quiet,omitempty"`
	// Processes is how many processes take part. The default is 5.
	Processes int `json:"processes,omitempty"`
	// Without are the kinds of faults that are switched off.
	Without []Fault `json:"without,omitempty"`
	// Trace, if set, receives each line of the timeline: the time, a column for each
	// process, and what happened. In a column, L5 leads in term 5 and D5 drains in term 5.
	// "*" holds leadership without leading, "." follows, "z" is paused and "/" is cut off.
	// If a column is empty, there is no process.
	Trace func(line string) `json:"-"`
	// Linearize says whether porcupine checks the history of the leader record too.
	Linearize bool `json:"linearize,omitempty"`
	// deletions switches faultDelete on. Otherwise half of the seeds have it.
	deletions bool
	// keepGoing continues after a violation, to find all of them.
	keepGoing bool
}

// Result is the result of one run.
type Result struct {
	Seed uint64
	// Commits is a hash of the commit log. Calls is a hash of all calls and returns.
	Commits, Calls uint64
	// Simulated is how much time passed in the run.
	Simulated time.Duration
	Events    uint64
	// Faults counts the injected faults, by name.
	Faults map[string]int
	// Situations counts the situations that the run has reached.
	Situations map[string]int
	// Tenures counts the tenures, and Fenced the fenced writes that were committed.
	Tenures, Fenced int
	// Violations are the invariants that failed. A run ends at the first one.
	Violations []ViolationError
}

// ViolationError is an invariant that failed in a run.
type ViolationError struct {
	Invariant Invariant
	Text      string
	At        time.Duration
}

// Error says which invariant failed, when, and how.
func (v *ViolationError) Error() string {
	return fmt.Sprintf("invariant %s, at %s: %s", v.Invariant, v.At, v.Text)
}

// Failed reports whether an invariant failed.
func (r *Result) Failed() bool { return len(r.Violations) > 0 }

// Run runs one seed.
func Run(opts Options) Result {
	if opts.Groups {
		w := newGroupWorld(opts)
		w.play()
		return w.result
	}
	w := newWorld(opts)
	w.play()
	return w.result
}
