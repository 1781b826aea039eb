package simulation

import (
	"context"
	"sync"
	"time"
)

// SweepOptions describe many runs.
type SweepOptions struct {
	// First is the first seed, and Seeds is how many there are. Jobs is how many run at a
	// time.
	First, Seeds uint64
	Jobs         int
	// Twice is how many of 100 seeds run twice, to compare their hashes. Linearize is how
	// many of 100 seeds porcupine checks.
	Twice, Linearize uint64
	// Run are the options that all runs share.
	Run Options
	// Progress, if set, is called after each seed with the summary so far. Calls do not
	// overlap.
	Progress func(*Summary)
}

// Summary is the result of a sweep.
type Summary struct {
	Seeds, Twice, Linearized uint64
	Simulated                time.Duration
	Events                   uint64
	Tenures, Fenced          int
	Faults                   map[string]int // injected faults, by name
	Situations               map[string]int // in how many seeds
	// Failures are the failed runs, in the order in which they ended.
	Failures []Result

	required []string // situations
}

// maxFailures is how many failures end a sweep.
const maxFailures = 10

// Sweep runs many seeds. It ends early if ctx ends or 10 runs have failed.
func Sweep(ctx context.Context, opts SweepOptions) *Summary {
	s := &Summary{Faults: map[string]int{}, Situations: map[string]int{}, required: requiredSituations()}
	if opts.Run.Groups {
		s.required, opts.Linearize = requiredOfGroups(), 0
	}
	next := opts.First
	var mu sync.Mutex
	var group sync.WaitGroup
	for range max(opts.Jobs, 1) {
		group.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				over := seed-opts.First >= opts.Seeds || ctx.Err() != nil || len(s.Failures) >= maxFailures
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

// runSeed runs a seed once or twice. It is invariant 24: a seed gives one commit log and
// one history of calls and returns, so a failure can be replayed.
func runSeed(opts Options, twice bool) Result {
	result := Run(opts)
	if !twice || result.Failed() {
		return result
	}
	if again := Run(opts); again.Commits != result.Commits || again.Calls != result.Calls {
		result.Violations = append(result.Violations, ViolationError{
			Invariant: invDeterminism, Text: "the same seed gives another run",
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
	for name, n := range r.Faults {
		s.Faults[name] += n
	}
	for name := range r.Situations {
		s.Situations[name]++
	}
	if r.Failed() {
		s.Failures = append(s.Failures, *r)
	}
}

// requiredSituations are those that 1,000 seeds must reach. A sweep that does not reach a
// situation does not test it.
func requiredSituations() []string {
	return []string{
		"a tenure was missed", "acknowledgement lost twice", "application claims an expired leadership",
		"application hands over", "application leads", "application must hand over",
		"application resigns on request", "application that is not ready drains",
		"application that is not ready gives up leadership", "attempt settled", "candidate that is not ready claims", "challenger outranked", "change of candidates reported",
		"commit after its process gave up", "commit lost in a recovery",
		"crash between commit and acknowledgement", "database away for all", "database away for some", "deadline reached during a commit",
		"disabled leader drains", "duplicate id detected", "election deleted", "fail-over after a short outage",
		"fail-over beside an outage", "fenced write refused",
		"fenced write with a renewal", "forced resignation refused after a renewal", "handed over to a successor", "head start given", "late claim applied",
		"late commit refused", "late renewal applied", "leader detects that it lost leadership",
		"leader forced to resign", "leader is not ready any more", "leader of a deleted election still leads", "leader record deleted",
		"leader replaced while cut off", "leader replaced while paused", "leadership reclaimed",
		"left without a successor",
		"lease shortened under a leader", "live candidate evicted", "message of a deleted election",
		"message refused outside", "metadata of a leader reported", "paused for a lease to the nanosecond", "preemption at once",
		"preemption during drain", "preemption with grace", "recovery during hand-over", "registered again",
		"replaced leader still leads", "request sent late", "same leader after an outage",
		"successor after the head start", "successor never accepted", "successor that outranks the last leader",
		"term of a leader raised", "term of a vacant leadership raised", "transfer on request",
		"two recoveries within a lease",
	}
}

// requiredOfGroups are the situations that 1,000 seeds of groups must reach.
func requiredOfGroups() []string {
	return []string{
		"calm", "calm beside a shard that cannot be read", "commit after its process gave up", "commit lost in a recovery", "could not leave", "crash between commit and acknowledgement",
		"database away for all", "database away for some", "database restored", "fenced write on a shard refused", "join moved one share",
		"late claim of a shard", "late commit refused", "late release of a shard", "left while work goes on", "nothing moved in an outage",
		"only the shards of one member moved: death", "only the shards of one member moved: stop", "paused for a lease to the nanosecond",
		"planned stop without a vacancy", "session evicted", "session of a live process evicted", "shard claimed from an ended session",
		"shard created again", "shard handed over: balance", "shard handed over: drain", "shard handed over: not ready",
		"shard handed over: pin", "shard handed over: resign", "shard handed over: stop", "shard moved for balance again",
		"shard removed by its leader", "two recoveries within a lease",
	}
}

// Missing returns the situations that 1,000 seeds must reach and this sweep did not.
func (s *Summary) Missing() []string {
	var missing []string
	for _, name := range s.required {
		if s.Situations[name] == 0 {
			missing = append(missing, name)
		}
	}
	return missing
}
