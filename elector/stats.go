package elector

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/internal/executor"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// Stats is what an elector is at present, and what it has counted since New. It is for
// metrics. Package monitor exports it to Prometheus.
type Stats struct {
	State State
	// Term and Ballot are the newest that this process knows, as Term returns it.
	Term, Ballot uint64
	// Remaining is how long this process leads if no further renewal is acknowledged. It is
	// zero if the process does not lead.
	Remaining time.Duration
	// NotReady says why this process is not ready to lead. It is empty if it is ready.
	NotReady string
	// Delays are the rules that keep this process from claiming or preempting, and how much
	// longer.
	Delays map[DelayRule]time.Duration

	// Transitions counts the changes of state.
	Transitions map[TransitionKind]uint64
	// Renewals are the durations of the acknowledged renewals, from the start of the cycle to
	// the answer, with retries.
	Renewals Latency
	// Callbacks are the durations of the callbacks that have returned, by their name, such
	// as "OnElected".
	Callbacks map[string]Latency
	// Retries counts the attempts that were not the first one of their transaction.
	Retries uint64
	// Conflicts counts the attempts of election cycles that failed with a conflict.
	Conflicts uint64
	// Fenced counts how often Leadership.Fence and Leadership.Transact have returned
	// fdbelection.ErrFenced, once per attempt.
	Fenced uint64
	// WatchesFired and WatchesFailed count the ends of armed watches. A watch that several
	// electors share counts for each.
	WatchesFired, WatchesFailed map[WatchKind]uint64
}

// TransitionKind is a change of state with its reason.
type TransitionKind struct {
	From, To State
	Reason   Reason
}

// WatchKind is what a watch is for.
type WatchKind string

const (
	// WatchLeader is the watch of the leader notice.
	WatchLeader WatchKind = "leader"
	// WatchRequest is the watch of the request. A leader has it.
	WatchRequest WatchKind = "request"
	// WatchCandidates is the watch of the candidates notice.
	WatchCandidates WatchKind = "candidates"
)

// watchKinds are all kinds. The index is that of the counters.
var watchKinds = [...]WatchKind{WatchLeader, WatchRequest, WatchCandidates}

// Stats returns what this elector is and has counted. It does no I/O and does not wait for
// the loop. Counts only rise, and stay when the elector stops and starts again.
func (e *Elector) Stats() Stats {
	st, now := e.status.Load(), e.options.Clock.Now()
	s := Stats{
		State: e.State(), Term: st.Leader.Term, Ballot: st.Leader.Ballot, NotReady: st.Me.NotReady,
		Delays: map[DelayRule]time.Duration{},
	}
	if l := st.leads(); l != nil {
		s.Remaining = max(l.Deadlines().Stop.Sub(now), 0)
	}
	for _, d := range st.Delays {
		if left := d.Until.Sub(now); left > 0 {
			s.Delays[DelayRule(d.Rule)] = left
		}
	}
	e.counts.read(&s)
	return s
}

// counts are the counters of an elector. What a cycle counts is atomic and allocates
// nothing. The rest is rare.
type counts struct {
	transactions  executor.Counters
	renewals      loop.LatencyCounter
	fenced        atomic.Uint64
	fired, failed [len(watchKinds)]atomic.Uint64

	mu          sync.Mutex
	transitions map[TransitionKind]uint64
	callbacks   map[string]*loop.LatencyCounter
}

// watchEnded counts the end of an armed watch that was not cancelled.
func (c *counts) watchEnded(kind machine.Kind, err error) {
	i := 0
	switch kind {
	case machine.WatchRequest:
		i = 1
	case machine.WatchCandidates:
		i = 2
	default:
	}
	if err == nil {
		c.fired[i].Add(1)
	} else {
		c.failed[i].Add(1)
	}
}

// transition counts a change of state.
func (c *counts) transition(t Transition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transitions == nil {
		c.transitions = make(map[TransitionKind]uint64)
	}
	c.transitions[TransitionKind{t.From, t.To, t.Reason}]++
}

// callback counts a callback that has returned.
func (c *counts) callback(name string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callbacks == nil {
		c.callbacks = make(map[string]*loop.LatencyCounter)
	}
	l := c.callbacks[name]
	if l == nil {
		l = &loop.LatencyCounter{}
		c.callbacks[name] = l
	}
	l.Add(took)
}

// read copies the counts.
func (c *counts) read(s *Stats) {
	s.Renewals, s.Fenced = c.renewals.Read(), c.fenced.Load()
	s.Retries, s.Conflicts = c.transactions.Retries(), c.transactions.Conflicts()
	s.WatchesFired, s.WatchesFailed = make(map[WatchKind]uint64, len(watchKinds)), make(map[WatchKind]uint64, len(watchKinds))
	for i, kind := range watchKinds {
		s.WatchesFired[kind], s.WatchesFailed[kind] = c.fired[i].Load(), c.failed[i].Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Transitions = maps.Clone(c.transitions)
	s.Callbacks = make(map[string]Latency, len(c.callbacks))
	for name, l := range c.callbacks {
		s.Callbacks[name] = l.Read()
	}
}
