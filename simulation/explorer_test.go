package simulation

import "slices"

// This file explores small worlds completely. It runs every order in which the reads and
// commits of a few actors can reach the database, with the real protocol, the engine in
// memory and the checks of the commit log. Nothing is random.

// reduction says which schedules are left out because they reach nothing new.
type reduction int

// The reductions. Each includes those before it.
const (
	everySchedule reduction = iota // none: each schedule runs from its beginning to its end
	everyState                     // each state is continued once, however it was reached
	everyTrace                     // if two actors read, only one of the two orders runs
)

// explored is the result of an exploration.
type explored struct {
	schedules  float64          // every order there is; not counted under everyTrace
	states     int              // different states of the database and of what the actors know
	ends       int              // states in which all actors have ended
	digest     uint64           // of the set of all states
	steps      int              // calls and steps of time that were taken from these states
	violations []ViolationError // of the first schedule with a violation, which ends the exploration
}

// explorer walks the tree of schedules. A node is a list of choices from the beginning.
// Nothing is undone: to try a second choice, the explorer runs the whole list again.
type explorer struct {
	small smallWorld
	how   reduction
	seen  map[uint64]*vertex
	out   explored
}

// vertex is a state that was reached.
type vertex struct {
	schedules float64
	asleep    []uint64 // the sleep sets with which it was explored
}

// explore runs every schedule of a small world, up to a reduction.
//
// A state is identified by a hash. It covers the database, with the time of each write. For
// each actor it covers its act, what it kept, every answer that it got in this attempt, and
// what was written since its read version, with what it still sees instead. Before a commit,
// the last one is reduced to whether the commit will be refused. Two reads of different actors
// commute, so only one of their orders runs (sleep sets). TestReductions and
// TestGroupReductions compare both reductions with a run of every schedule.
func explore(small smallWorld, how reduction) explored {
	x := &explorer{small: small, how: how, seen: map[uint64]*vertex{}}
	x.out.schedules = x.visit(x.small.open(), nil, 0)
	x.out.states = len(x.seen)
	return x.out
}

// visit continues from the state at the end of path with every choice that is not in the
// sleep set. It returns the number of schedules from there, and consumes the schedule.
func (x *explorer) visit(s *schedule, path []int, sleep uint64) float64 {
	if len(x.out.violations) == 0 {
		x.out.violations = s.result.Violations
	}
	if len(x.out.violations) > 0 { // one is enough
		s.close()
		return 0
	}
	choices, reads := s.choices()
	n, again := x.note(s, len(choices) == 0, sleep)
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
		if sleep&bit != 0 || len(x.out.violations) > 0 {
			continue
		}
		x.out.steps++
		inner := uint64(0)
		if x.how == everyTrace && reads&bit != 0 { // earlier choices that commute with this one
			inner = (sleep | done) & reads
		}
		if s == nil {
			s = x.replay(path)
		}
		s.choose(choice)
		schedules += x.visit(s, append(slices.Clip(path), choice), inner)
		s, done = nil, done|bit
	}
	if s != nil {
		s.close()
	}
	n.schedules = schedules
	return schedules
}

// note records a state. It reports whether everything was explored from it before, with
// no more choices asleep than now.
func (x *explorer) note(s *schedule, end bool, sleep uint64) (*vertex, bool) {
	key := s.hash()
	n := x.seen[key]
	if n == nil {
		n = &vertex{}
		x.seen[key] = n
		x.out.digest += key * 0x9e3779b97f4a7c15
		if end {
			x.out.ends++
		}
	}
	switch {
	case x.how == everySchedule:
		return n, false
	case slices.ContainsFunc(n.asleep, func(before uint64) bool { return before&^sleep == 0 }):
		return n, true
	}
	n.asleep = append(n.asleep, sleep)
	return n, false
}

// replay runs a schedule from the beginning.
func (x *explorer) replay(path []int) *schedule {
	s := x.small.open()
	for _, choice := range path {
		s.choose(choice)
	}
	return s
}
