package simulation

import (
	"slices"
	"time"
)

// This file explores small worlds whole: every order in which the reads and the
// commits of a few actors can reach the database, with the real protocol, the
// engine in memory, and the checks of the commit log. Nothing is left to chance.

// Act is what an actor does in one transaction, retries included.
type Act int

// The acts.
const (
	ActRegister Act = iota // enter as a candidate
	ActCycle               // an election cycle, by the clock
	ActFenced              // a fenced write under the tenure that an attempt told it of last, committed or not
	ActResign              // give up that tenure
	ActLeave               // unregister
	ActEvict               // evict who is silent for too long
)

// SmallWorld is what is explored.
type SmallWorld struct {
	// Actors are the acts of each, in their order; Priorities those of the actors.
	Actors     [][]Act
	Priorities []int32
	// Registered says that all are candidates before it begins.
	Registered bool
	// Lost is how many acknowledgements may be lost (1021, applied).
	Lost int
	// Passing is the time that passes, step by step, each at any place. No sum of
	// steps may come within a millisecond of the five seconds after which a read
	// version is too old: that goes by versions, which commits raise as well.
	Passing []time.Duration
}

// Reduction is which schedules are left out, because they lead nowhere new.
type Reduction int

// The reductions, each with those before it.
const (
	EverySchedule Reduction = iota // none: each is run from its beginning to its end
	EveryState                     // a state is gone on from once, however it was reached
	EveryTrace                     // of two reads of different actors one order is run
)

// Explored is how much there was to explore.
type Explored struct {
	Schedules  float64          // every order there is; not counted under EveryTrace
	States     int              // different ones, of the database and of all that actors know
	Ends       int              // those in which everybody has come to the end
	Digest     uint64           // of the set of all states
	Steps      int              // that were taken from them
	Violations []ViolationError // of the first schedule that has any, which is the last one that was run
}

// explorer walks the tree of schedules. A node is a list of choices from the
// beginning: nothing is undone, and what follows a second choice is reached by
// running all of it again.
type explorer struct {
	small SmallWorld
	how   Reduction
	seen  map[uint64]*node
	out   Explored
}

// node is a state that was reached.
type node struct {
	schedules float64
	asleep    []uint64 // the sleep sets that it was explored with
}

// Explore runs every schedule of a small world, up to a reduction.
//
// A state is told by a hash of the database, with the time of each write, and of
// each actor: at which act it is and under which tenure, every answer that it got
// in this attempt, and what was written since its read version, which before a
// commit comes down to whether that will be refused. Two reads of different actors
// commute: of their orders one is run (sleep sets). TestReductions holds both
// reductions against the run of every schedule.
func Explore(small SmallWorld, how Reduction) Explored {
	x := &explorer{small: small, how: how, seen: map[uint64]*node{}}
	x.out.Schedules = x.visit(newStage(&x.small), nil, 0)
	x.out.States = len(x.seen)
	return x.out
}

// visit goes on from a state, which a path has led to, with all choices but those
// in the sleep set, and returns how many schedules there are from there. It uses
// the stage up.
func (x *explorer) visit(s *stage, path []int, sleep uint64) float64 {
	if len(x.out.Violations) == 0 {
		x.out.Violations = s.result.Violations
	}
	if len(x.out.Violations) > 0 { // one is enough
		s.close()
		return 0
	}
	choices, reads := s.choices()
	n, again := x.enter(s, len(choices) == 0, sleep)
	if again {
		s.close()
		return n.schedules
	}
	schedules, done := 0.0, uint64(0)
	if len(choices) == 0 {
		schedules = 1
	}
	for _, choice := range choices {
		bit := uint64(1) << choice
		if sleep&bit != 0 || len(x.out.Violations) > 0 {
			continue
		}
		x.out.Steps++
		inner := uint64(0)
		if x.how == EveryTrace && reads&bit != 0 { // what was tried before, and commutes with this
			inner = (sleep | done) & reads
		}
		if s == nil {
			s = x.replay(path)
		}
		s.take(choice)
		schedules += x.visit(s, append(slices.Clip(path), choice), inner)
		s, done = nil, done|bit
	}
	if s != nil {
		s.close()
	}
	n.schedules = schedules
	return schedules
}

// enter notes a state, and reports whether all was explored from it before, with
// no more asleep than now.
func (x *explorer) enter(s *stage, end bool, sleep uint64) (*node, bool) {
	key := s.hash()
	n := x.seen[key]
	if n == nil {
		n = &node{}
		x.seen[key] = n
		x.out.Digest += key * 0x9e3779b97f4a7c15
		if end {
			x.out.Ends++
		}
	}
	switch {
	case x.how == EverySchedule:
		return n, false
	case slices.ContainsFunc(n.asleep, func(before uint64) bool { return before&^sleep == 0 }):
		return n, true
	}
	n.asleep = append(n.asleep, sleep)
	return n, false
}

// replay runs a schedule from the beginning.
func (x *explorer) replay(path []int) *stage {
	s := newStage(&x.small)
	for _, choice := range path {
		s.take(choice)
	}
	return s
}
