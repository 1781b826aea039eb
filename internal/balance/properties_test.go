package balance_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/balance"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

// TestRule checks plans of random worlds against the rule.
func TestRule(t *testing.T) {
	scarce, ample := 0, 0
	forSeeds(t, 20_000, 100_000, func(random *rand.Rand) error {
		w := randomWorld(random, all)
		plan := w.plan()
		if w.tally(plan).scarce {
			scarce++
		} else {
			ample++
		}
		return w.check(plan)
	})
	t.Logf("capacity suffices in %d worlds and does not in %d", ample, scarce)
}

// TestOrderOfMembers checks that the order in which a process lists the members does not
// matter.
func TestOrderOfMembers(t *testing.T) {
	forSeeds(t, 5_000, 25_000, func(random *rand.Rand) error {
		w := randomWorld(random, all)
		order := random.Perm(len(w.members)) // the new index of each member
		other := world{make([]balance.Member, len(w.members)), slices.Clone(w.shards)}
		at := func(i int32) int32 {
			if i == balance.None {
				return i
			}
			return int32(order[i])
		}
		for i, m := range w.members {
			other.members[order[i]] = m
		}
		for i := range other.shards {
			s := &other.shards[i]
			s.Leader, s.Pin = at(s.Leader), at(s.Pin)
		}
		plan, otherPlan := w.plan(), other.plan()
		for i := range plan {
			if at(plan[i]) != otherPlan[i] {
				return w.explain(plan, fmt.Errorf("shard %d depends on the order of members", i))
			}
		}
		return nil
	})
}

// TestConfluence checks that after any part of the moves the new plan is the same. If the
// capacities suffice, a shard may also be free on its way.
func TestConfluence(t *testing.T) {
	forSeeds(t, 20_000, 100_000, func(random *rand.Rand) error {
		w := randomWorld(random, all)
		plan := w.plan()
		moves := w.moves(plan)
		random.Shuffle(len(moves), func(i, j int) { moves[i], moves[j] = moves[j], moves[i] })
		some := moves[:random.IntN(len(moves)+1)]
		if err := w.confluent(plan, some); err != nil {
			return err
		}
		if err := w.confluent(plan, moves); err != nil {
			return err
		}
		if w.tally(plan).scarce {
			return nil
		}
		between := w.move(plan, some)
		for _, i := range moves[len(some):] {
			if random.IntN(2) == 0 {
				between.shards[i].Leader = balance.None
			}
		}
		if !slices.Equal(plan, between.plan()) {
			return w.explain(plan, fmt.Errorf("other plan after the moves %v, with free shards\n%+v\n%v", some, between.shards, between.plan()))
		}
		return nil
	})
}

// confluent checks that the plan is the same after some of its moves.
func (w world) confluent(plan []int32, some []int) error {
	if after := w.move(plan, some).plan(); !slices.Equal(plan, after) {
		return w.explain(plan, fmt.Errorf("after the moves %v the plan is %v", some, after))
	}
	return nil
}

// TestSmallWorlds checks the rule and confluence in all worlds of a few members and shards.
func TestSmallWorlds(t *testing.T) {
	smallWorlds(t, 2, 3, memberStates(2))
	if longtest.Enabled() {
		smallWorlds(t, 2, 4, memberStates(2))
		smallWorlds(t, 3, 3, memberStates(1))
	}
}

// memberStates are the states of a member with a weight and a capacity of at most most.
func memberStates(most int32) []balance.Member {
	states := []balance.Member{{Weight: 1}, {Weight: 1, Ready: true, Draining: true}}
	for weight := range most + 1 {
		for capacity := range most + 1 {
			states = append(states, balance.Member{Weight: weight, Capacity: capacity, Ready: true})
		}
	}
	return states
}

func smallWorlds(t *testing.T, memberCount, shardCount int, states []balance.Member) {
	t.Helper()
	members, shards := pool(memberCount, shardCount)
	w := world{members, shards}
	choices := memberCount + 1
	digits(memberCount, len(states), func(state []int) {
		for i, s := range state {
			id := members[i].ID
			members[i] = states[s]
			members[i].ID = id
		}
		digits(2*shardCount, choices, func(at []int) {
			for i := range shards {
				shards[i].Leader, shards[i].Pin = int32(at[2*i]-1), int32(at[2*i+1]-1)
			}
			plan := w.plan()
			require.NoError(t, w.check(plan))
			moves := w.moves(plan)
			for set := range 1 << len(moves) {
				var some []int
				for bit, i := range moves {
					if set&(1<<bit) != 0 {
						some = append(some, i)
					}
				}
				require.NoError(t, w.confluent(plan, some))
			}
		})
	})
}

// digits calls do with every number of n digits in a base.
func digits(n, base int, do func([]int)) {
	number := make([]int, n)
	for {
		do(number)
		at := 0
		for at < n && number[at] == base-1 {
			number[at] = 0
			at++
		}
		if at == n {
			return
		}
		number[at]++
	}
}

// TestEqualWeights checks that the numbers of shards differ by at most 1, with the fewest moves.
func TestEqualWeights(t *testing.T) {
	forSeeds(t, 5_000, 25_000, func(random *rand.Rand) error {
		w := randomWorld(random, features{})
		if len(w.members) == 0 {
			return nil
		}
		plan := w.plan()
		c := w.tally(plan)
		if slices.Max(c.final)-slices.Min(c.final) > 1 {
			return w.explain(plan, errors.New("the numbers differ by more than 1"))
		}
		// The fewest moves: the members with the most shards get the higher number.
		slices.Sort(c.found)
		slices.Reverse(c.found)
		stay := 0
		for i, found := range c.found {
			share := len(w.shards) / len(w.members)
			if i < len(w.shards)%len(w.members) {
				share++
			}
			stay += min(found, share)
		}
		if moves := len(w.moves(plan)); moves != len(w.shards)-stay {
			return w.explain(plan, fmt.Errorf("%d moves instead of %d", moves, len(w.shards)-stay))
		}
		return nil
	})
}

// TestFewestMovesWithWeights compares the number of moves with that of every other way to
// share the shards out that the rule of Sainte-Laguë allows.
func TestFewestMovesWithWeights(t *testing.T) {
	forSeeds(t, 2_000, 10_000, func(random *rand.Rand) error {
		w := randomWorld(random, features{weights: true, capacities: true})
		w.members, w.shards = w.members[:min(len(w.members), 4)], w.shards[:min(len(w.shards), 10)]
		for i := range w.shards {
			w.shards[i].Leader = min(w.shards[i].Leader, int32(len(w.members))-1)
		}
		plan := w.plan()
		c := w.tally(plan)
		if c.scarce {
			return nil
		}
		noPins := make([][]int, len(w.members))
		fewest := len(w.shards) + 1
		digits(len(w.members), len(w.shards)+1, func(quota []int) {
			sum, moves := 0, len(w.shards)
			for i, q := range quota {
				sum += q
				moves -= min(q, c.found[i])
				if q > w.limit(i) || q > 0 && !eligible(w.members[i]) {
					return
				}
			}
			if sum == len(w.shards) && w.allows(quota, noPins) {
				fewest = min(fewest, moves)
			}
		})
		if moves := len(w.moves(plan)); moves != fewest {
			return w.explain(plan, fmt.Errorf("%d moves instead of %d", moves, fewest))
		}
		return nil
	})
}

// TestShares checks the distance of each quota to the exact share.
func TestShares(t *testing.T) {
	forSeeds(t, 5_000, 25_000, func(random *rand.Rand) error {
		w := randomWorld(random, features{weights: true})
		plan := w.plan()
		c := w.tally(plan)
		var total, positive int64
		for _, m := range w.members {
			total += int64(m.Weight)
			positive += int64(min(m.Weight, 1))
		}
		if total == 0 {
			return nil
		}
		for i, m := range w.members {
			// All numbers are times 2*total.
			weight := int64(m.Weight)
			distance := 2 * (total*int64(c.final[i]) - weight*int64(len(w.shards)))
			if max(distance, -distance) > total+positive*weight {
				return w.explain(plan, fmt.Errorf("member %d is too far from its share", i))
			}
		}
		return nil
	})
}

// TestJoin checks that a member that joins is the only one that receives shards.
func TestJoin(t *testing.T) {
	forSeeds(t, 5_000, 25_000, func(random *rand.Rand) error {
		for _, f := range []features{{}, {weights: true, capacities: true}} {
			w := randomWorld(random, f).carryOut()
			before := w.tally(w.plan())
			if before.scarce || len(w.members) == 0 {
				continue
			}
			at := int32(len(w.members))
			w.members = append(w.members, member("joiner"))
			if f.weights {
				w.members[at].Weight = int32(random.IntN(5))
			}
			plan := w.plan()
			moves := w.moves(plan)
			for _, i := range moves {
				if plan[i] != at {
					return w.explain(plan, fmt.Errorf("shard %d moves elsewhere", i))
				}
			}
			if !f.weights && len(moves) != len(w.shards)/len(w.members) {
				return w.explain(plan, fmt.Errorf("%d moves", len(moves)))
			}
		}
		return nil
	})
}

// TestDeath checks that only the shards of a member that died move.
func TestDeath(t *testing.T) {
	forSeeds(t, 5_000, 25_000, func(random *rand.Rand) error {
		for _, f := range []features{{}, {weights: true, capacities: true}} {
			w := randomWorld(random, f).carryOut()
			if len(w.members) == 0 {
				continue
			}
			w = w.without(random.IntN(len(w.members)))
			plan := w.plan()
			for _, i := range w.moves(plan) {
				if w.shards[i].Leader != balance.None {
					return w.explain(plan, fmt.Errorf("shard %d moves, although its leader lives", i))
				}
			}
		}
		return nil
	})
}
