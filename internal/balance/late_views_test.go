package balance_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fdbelection/fdbelection/internal/balance"
)

// group is a group of processes that act on views of the past.
type group struct {
	random   *rand.Rand
	delay    int     // no view is older than this many steps
	latest   bool    // whether all views are that old, so that the processes act in waves
	maxMoves int     // how many shards a process hands over in one step
	knowsOwn bool    // whether a process sees its own moves at once
	history  []state // the state before each step; the last one is the present
	seen     []int   // for each process: the step of its view
	moved    [][]int // for each shard: the steps in which it moved
	own      []map[int]ownMove
	lastMove int // the step of it
}

// ownMove is a move that a process made itself.
type ownMove struct {
	step, term int
	to         int32
}

// state is the members and the shards before a step. The members include absent ones.
type state struct {
	world
	present []bool
	terms   []int // of each shard
}

func newGroup(random *rand.Rand, w world) *group {
	n := len(w.members)
	g := &group{
		random: random, delay: 1 + random.IntN(3), latest: random.IntN(2) == 0,
		maxMoves: 1 + random.IntN(4), knowsOwn: random.IntN(2) == 0,
		history: []state{{w, slices.Repeat([]bool{true}, n), make([]int, len(w.shards))}},
		seen:    make([]int, n), moved: make([][]int, len(w.shards)), own: make([]map[int]ownMove, n),
	}
	for i := range g.own {
		g.own[i] = map[int]ownMove{}
	}
	return g
}

// now returns the present state. Only run changes it.
func (g *group) now() state { return g.history[len(g.history)-1] }

func (s state) clone() state {
	return state{world{slices.Clone(s.members), slices.Clone(s.shards)}, slices.Clone(s.present), slices.Clone(s.terms)}
}

// step lets each present process act once, in any order.
func (g *group) step() {
	next := g.now().clone()
	for _, i := range g.random.Perm(len(next.members)) {
		// A view of the present step does not have the moves that others make in it.
		late := g.delay
		if !g.latest {
			late = g.random.IntN(g.delay + 1)
		}
		g.seen[i] = max(g.seen[i], len(g.history)-1-late)
		if next.present[i] {
			g.act(int32(i), &next)
		}
	}
	g.history = append(g.history, next)
}

// act makes the moves of one process: what its view tells it to do, if the present allows it.
func (g *group) act(self int32, next *state) {
	view := g.history[g.seen[self]]
	if g.knowsOwn {
		view = view.clone()
		for shard, own := range g.own[self] {
			if own.step >= g.seen[self] {
				view.shards[shard].Leader, view.terms[shard] = own.to, own.term
			}
		}
	}
	plan := view.presentPlan(int(self))
	handOvers := 0
	for i, to := range plan {
		from := view.leader(i)
		switch {
		case from == self && to != self && handOvers < g.maxMoves:
			handOvers++
			if next.leader(i) == self && next.terms[i] == view.terms[i] && next.present[to] && usable(next.members[to]) {
				g.move(self, next, i, to)
			}
		case from == balance.None && to == self && next.leader(i) == balance.None && next.members[self].Ready:
			g.move(self, next, i, to)
		}
	}
}

// leader returns the leader of a shard if it is present.
func (s state) leader(shard int) int32 {
	if led := s.shards[shard].Leader; led != balance.None && s.present[led] {
		return led
	}
	return balance.None
}

// move gives a shard to a member in the present step.
func (g *group) move(self int32, next *state, shard int, to int32) {
	now := len(g.history) - 1
	next.shards[shard].Leader = to
	next.terms[shard]++
	g.moved[shard] = append(g.moved[shard], now)
	g.lastMove = now
	g.own[self][shard] = ownMove{now, next.terms[shard], to}
}

// presentPlan returns the plan for the present members. Each process lists them in an order of
// its own.
func (s state) presentPlan(rotate int) []int32 {
	var w world
	var at []int32 // the member of each index
	index := slices.Repeat([]int32{balance.None}, len(s.members))
	for k := range s.members {
		i := (k + rotate) % len(s.members)
		if s.present[i] {
			index[i] = int32(len(at))
			at = append(at, int32(i))
			w.members = append(w.members, s.members[i])
		}
	}
	w.shards = slices.Clone(s.shards)
	for i := range w.shards {
		shard := &w.shards[i]
		if shard.Leader != balance.None {
			shard.Leader = index[shard.Leader]
		}
		if shard.Pin != balance.None {
			shard.Pin = index[shard.Pin]
		}
	}
	plan := w.plan()
	for i, to := range plan {
		if to != balance.None {
			plan[i] = at[to]
		}
	}
	return plan
}

// bound is within how many steps all moves must be done, if no member changes.
func (g *group) bound() int {
	plan, most := g.now().presentPlan(0), 0
	count := make([]int, len(g.now().members))
	for i, s := range g.now().shards {
		if s.Leader != balance.None && plan[i] != s.Leader {
			count[s.Leader]++
			most = max(most, count[s.Leader])
		}
	}
	return (g.delay + 1) * (most/g.maxMoves + 2)
}

// settle runs until all moves must be done. It checks that exactly the moves of the present plan
// happen, each once.
func (g *group) settle() error {
	begin, first := len(g.history)-1, g.now()
	plan := first.presentPlan(0)
	for range g.bound() {
		g.step()
	}
	for i := range g.moved {
		moves, led := g.movesSince(begin, i), g.now().leader(i)
		if led != plan[i] || moves > 1 {
			return first.explain(plan, fmt.Errorf("shard %d went to %d with %d moves (delay %d)", i, led, moves, g.delay))
		}
	}
	return nil
}

// movesSince returns how often a shard moved from a step on.
func (g *group) movesSince(begin, shard int) int {
	moves := 0
	for _, step := range g.moved[shard] {
		if step >= begin {
			moves++
		}
	}
	return moves
}

// change changes one thing. The processes see it as late as everything else.
func (g *group) change() {
	next := g.now().clone()
	g.history = append(g.history, next)
	if len(next.members) == 0 {
		return
	}
	i := g.random.IntN(len(next.members))
	m := &next.members[i]
	switch g.random.IntN(7) {
	case 0, 1: // a death, or a join: the shards of its last session are free
		next.present[i] = !next.present[i]
		m.Ready, m.Draining, g.own[i], g.seen[i] = true, false, map[int]ownMove{}, len(g.history)-1
		for s := range next.shards {
			if next.shards[s].Leader == int32(i) {
				next.shards[s].Leader = balance.None
			}
		}
	case 2:
		m.Ready = !m.Ready
	case 3:
		m.Draining = !m.Draining
	case 4:
		m.Weight = int32(g.random.IntN(5))
	case 5:
		m.Capacity = int32(g.random.IntN(len(next.shards) + 1))
	default:
		if len(next.shards) > 0 {
			next.shards[g.random.IntN(len(next.shards))].Pin = int32(i)
		}
	}
}

// TestLateViews lets processes act on late views while the members stay the same. Each shard
// moves at most once, to where the first plan wants it, within a bounded number of steps.
func TestLateViews(t *testing.T) {
	forSeeds(t, 3_000, 15_000, func(random *rand.Rand) error {
		return newGroup(random, randomWorld(random, all)).settle()
	})
}

// TestOneChange changes a group at rest. Processes that do not see the change yet do not move
// anything, so each shard moves at most once.
func TestOneChange(t *testing.T) {
	forSeeds(t, 3_000, 15_000, func(random *rand.Rand) error {
		g := newGroup(random, randomWorld(random, all).carryOut())
		g.change()
		return g.settle()
	})
}

// TestChanges changes a group while moves are under way. Processes that do not see the last
// change make moves of an earlier plan, and others do not see these. The group still comes to
// rest, and hardly any shard moves more than once after the last change.
func TestChanges(t *testing.T) {
	var moves [4]int // how many shards moved this often
	forSeeds(t, 5_000, 25_000, func(random *rand.Rand) error {
		g := newGroup(random, randomWorld(random, all))
		begin := 0
		for range 1 + random.IntN(8) {
			begin = len(g.history)
			g.change()
			for range random.IntN(4) {
				g.step()
			}
		}
		// A process with an early view may claim all shards that are free. Then it hands them over,
		// and needs a present view after each batch.
		for range (g.delay + 1) * (len(g.moved) + 10) {
			g.step()
			if len(g.history)-max(begin, g.lastMove) > 2*g.delay+2 {
				break
			}
		}
		for i := range g.moved {
			n := g.movesSince(begin, i)
			if n >= len(moves) {
				return fmt.Errorf("shard %d moved %d times", i, n)
			}
			moves[n]++
		}
		rest := len(g.history) - 1
		if err := g.settle(); err != nil {
			return err
		}
		for i := range g.moved {
			if g.movesSince(rest, i) > 0 {
				return fmt.Errorf("shard %d does not come to rest", i)
			}
		}
		return nil
	})
	t.Logf("so many shards moved 0, 1, 2 and 3 times: %v", moves)
}
