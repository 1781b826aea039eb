package simulation

import (
	"context"
	"sync"
	"time"
)

// SweepOptions say which seeds to run, and how.
type SweepOptions struct {
	// First is the first seed, Seeds how many there are, Jobs how many run at a
	// time.
	First, Seeds uint64
	Jobs         int
	// Twice is how many of 100 seeds are run twice, to see that they give the same
	// hashes; Linearize how many are checked by porcupine.
	Twice, Linearize uint64
	// Run is what all runs have in common.
	Run Options
	// Progress is called after each seed, one call at a time, with the summary so
	// far.
	Progress func(*Summary)
}

// Summary is what became of many seeds.
type Summary struct {
	Seeds, Twice, Linearized uint64
	Simulated                time.Duration
	Events                   uint64
	Tenures, Fenced          int
	Faults                   map[string]int
	Situations               map[string]int
	// Failures are the runs in which an invariant did not hold, by seed; at most
	// MostFailures.
	Failures []Result
}

// GCPercent is the setting of the collector (debug.SetGCPercent) that suits many runs:
// each makes much garbage and keeps little, and a third of the time goes to collecting
// it by the usual one.
const GCPercent = 800

// MostFailures is how many failures end a sweep.
const MostFailures = 10

// Sweep runs many seeds, until all are done, ctx has ended or too many have
// failed.
func Sweep(ctx context.Context, opts SweepOptions) *Summary {
	s := &Summary{Faults: map[string]int{}, Situations: map[string]int{}}
	next := opts.First
	var mu sync.Mutex
	var group sync.WaitGroup
	for range max(opts.Jobs, 1) {
		group.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				over := seed-opts.First >= opts.Seeds || ctx.Err() != nil || len(s.Failures) >= MostFailures
				mu.Unlock()
				if over {
					return
				}
				run := opts.Run
				run.Seed, run.Linearize = seed, seed*37%100 < opts.Linearize
				twice := seed*61%100 < opts.Twice
				result := runSeed(run, twice)
				mu.Lock()
				s.add(&result, run.Linearize, twice)
				if opts.Progress != nil {
					opts.Progress(s)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return s
}

// runSeed runs a seed once or twice. It is invariant 24, which proves that what
// was found can be found again: a seed gives one commit log, and one history of
// calls and returns.
func runSeed(opts Options, twice bool) Result {
	result := Run(opts)
	if !twice || result.Failed() {
		return result
	}
	if again := Run(opts); again.Commits != result.Commits || again.Calls != result.Calls {
		result.Violations = append(result.Violations, ViolationError{
			Invariant: Determinism, Text: "the same seed gives another run",
		})
	}
	return result
}

func (s *Summary) add(r *Result, linearized, twice bool) {
	s.Seeds++
	if linearized {
		s.Linearized++
	}
	if twice {
		s.Twice++
	}
	s.Simulated += r.Simulated
	s.Events += r.Events
	s.Tenures += r.Tenures
	s.Fenced += r.Fenced
	for kind, n := range r.Faults {
		s.Faults[Fault(kind).String()] += n
	}
	for name := range r.Situations {
		s.Situations[name]++
	}
	if r.Failed() {
		s.Failures = append(s.Failures, *r)
	}
}

// Situations are those that must have been there once in 1,000 seeds: what is
// not reached is not tested.
func Situations() []string {
	return []string{
		"a tenure was missed", "acknowledgement lost twice", "asked by hand", "attempt settled", "challenger outbid", "commit lost in a recovery",
		"commit of one who gave up", "crash between commit and acknowledgement", "disabled leader drains",
		"displaced leader still believes", "duplicate id found", "election deleted", "expiry in mid-commit", "expiry judged by hand",
		"fenced write refused", "fenced write with a renewal", "handed over by hand", "late claim applied", "late commit refused", "late renewal applied",
		"leader of a deleted election still believes", "leader record deleted", "message of a deleted election",
		"leader finds its seat lost", "leader replaced while cut off", "leader replaced while paused", "led by hand",
		"lease shortened under a leader", "living candidate evicted", "paused for a lease to the nanosecond",
		"preemption at once", "preemption during drain", "preemption with grace", "recovery during hand-over",
		"refused by the sink", "registered again", "request sent late", "resigned by hand on request", "seat reclaimed", "successor never accepted",
		"transfer on request", "two recoveries within a lease",
	}
}

// Missing are the situations that the sweep has not reached.
func (s *Summary) Missing() []string {
	var missing []string
	for _, name := range Situations() {
		if s.Situations[name] == 0 {
			missing = append(missing, name)
		}
	}
	return missing
}
