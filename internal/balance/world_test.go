package balance_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fdbelection/fdbelection/internal/balance"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

var (
	firstSeed = flag.Uint64("balance.seed", 1, "the first seed of each random test")
	seedCount = flag.Uint64("balance.seeds", 0, "how many seeds each random test runs; 0 runs the default")
)

// forSeeds runs a check with many seeds. A failure names its seed and how to replay it.
func forSeeds(t *testing.T, quick, long uint64, check func(random *rand.Rand) error) {
	t.Helper()
	count := *seedCount
	if count == 0 {
		count = longtest.Pick(quick, long)
	}
	for seed := *firstSeed; seed < *firstSeed+count; seed++ {
		if err := check(rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatalf("seed %d: %v\nreplay: go test ./internal/balance -run '^%s$' -balance.seed=%d -balance.seeds=1", seed, err, t.Name(), seed)
		}
	}
}

// world is what a plan depends on.
type world struct {
	members []balance.Member
	shards  []balance.Shard
}

// plan returns the plan for the world.
func (w world) plan() []int32 { return balance.Plan(w.members, w.shards) }

// move returns the world after some shards have got the leaders of the plan.
func (w world) move(plan []int32, moves []int) world {
	after := world{w.members, slices.Clone(w.shards)}
	for _, i := range moves {
		after.shards[i].Leader = plan[i]
	}
	return after
}

// carryOut returns the world after all moves of its plan.
func (w world) carryOut() world {
	plan := w.plan()
	return w.move(plan, w.moves(plan))
}

// moves returns the shards that do not have the leader of the plan.
func (w world) moves(plan []int32) []int {
	var moves []int
	for i, s := range w.shards {
		if s.Leader != plan[i] {
			moves = append(moves, i)
		}
	}
	return moves
}

// limit is the number of shards that member i may lead.
func (w world) limit(i int) int {
	if c := int(w.members[i].Capacity); c > 0 {
		return min(c, len(w.shards))
	}
	return len(w.shards)
}

func usable(m balance.Member) bool   { return m.Ready && !m.Draining }
func eligible(m balance.Member) bool { return usable(m) && m.Weight > 0 }

// stays reports whether the leader of the shard is neither ready nor draining.
func (w world) stays(s balance.Shard) bool {
	return s.Leader != balance.None && !w.members[s.Leader].Ready && !w.members[s.Leader].Draining
}

// ledByUsable reports whether a usable member leads the shard.
func (w world) ledByUsable(s balance.Shard) bool {
	return s.Leader != balance.None && usable(w.members[s.Leader])
}

// pin is the usable member to which the shard is pinned, or None.
func (w world) pin(s balance.Shard) int32 {
	if s.Pin != balance.None && usable(w.members[s.Pin]) {
		return s.Pin
	}
	return balance.None
}

// without returns the world without a member. Its shards become free, its pins void.
func (w world) without(gone int) world {
	after := world{slices.Delete(slices.Clone(w.members), gone, gone+1), slices.Clone(w.shards)}
	shift := func(i int32) int32 {
		switch {
		case i == int32(gone):
			return balance.None
		case i > int32(gone):
			return i - 1
		}
		return i
	}
	for i := range after.shards {
		s := &after.shards[i]
		s.Leader, s.Pin = shift(s.Leader), shift(s.Pin)
	}
	return after
}

// member returns a member that is ready.
func member(id string) balance.Member { return balance.Member{ID: id, Weight: 1, Ready: true} }

// pool returns members that are ready, and free shards in order.
func pool(members, shards int) ([]balance.Member, []balance.Shard) {
	var m []balance.Member
	for i := range members {
		m = append(m, member(fmt.Sprint("member-", i)))
	}
	var s []balance.Shard
	for i := range shards {
		name := fmt.Sprint("shard-", i)
		s = append(s, balance.Shard{Name: name, Rank: balance.Rank(name), Leader: balance.None, Pin: balance.None})
	}
	slices.SortFunc(s, func(a, b balance.Shard) int { return balance.Compare(a.Rank, a.Name, b.Rank, b.Name) })
	return m, s
}

// features are what a random world may have.
type features struct{ weights, capacities, pins, flags bool }

var all = features{true, true, true, true}

// randomWorld returns a small world. How often each feature occurs differs from world to world.
func randomWorld(random *rand.Rand, f features) world {
	members, shards := pool(random.IntN(7), random.IntN(25))
	random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	w := world{members, shards}
	chance := func(percent int) func() bool { return func() bool { return random.IntN(100) < percent } }
	often := func() func() bool { return chance([]int{0, 10, 30, 70, 100}[random.IntN(5)]) }
	scale := []int32{1, 1, math.MaxInt32 / 4}[random.IntN(3)]
	weighted, limited, flagged := often(), often(), chance([]int{0, 20, 50}[random.IntN(3)])
	for i := range members {
		m := &members[i]
		if f.weights && weighted() {
			m.Weight = scale * int32(random.IntN(5))
		}
		if f.capacities && limited() {
			m.Capacity = int32(random.IntN(2 + 2*len(shards)/len(members)))
		}
		if f.flags && flagged() {
			m.Ready, m.Draining = random.IntN(2) == 0, random.IntN(2) == 0
		}
	}
	if len(members) == 0 {
		return w
	}
	led, pinned, few := often(), often(), 1+random.IntN(len(members))
	for i := range shards {
		if led() {
			shards[i].Leader = int32(random.IntN(few))
		}
		if f.pins && pinned() {
			shards[i].Pin = int32(random.IntN(len(members)))
		}
	}
	if random.IntN(4) == 0 {
		return w.carryOut()
	}
	return w
}
