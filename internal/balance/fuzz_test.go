package balance_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/balance"
)

// FuzzPlan checks that no input makes Plan panic. Indexes are out of range, weights and
// capacities negative, ids equal, and shards unsorted.
func FuzzPlan(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 1}, []byte{0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte("two members of any kind"), []byte("a few shards of any kind, and their leaders and pins"))
	f.Fuzz(func(t *testing.T, memberBytes, shardBytes []byte) {
		var w world
		for ; len(memberBytes) >= 10; memberBytes = memberBytes[10:] {
			w.members = append(w.members, balance.Member{
				ID:     string(memberBytes[8:9]),
				Weight: int32(binary.LittleEndian.Uint32(memberBytes)), Capacity: int32(binary.LittleEndian.Uint32(memberBytes[4:])),
				Ready: memberBytes[9]&1 > 0, Draining: memberBytes[9]&6 == 6,
			})
		}
		index := func(b []byte) int32 {
			if b[0] < 0xf0 {
				return int32(int8(b[1])) % 4
			}
			return int32(binary.LittleEndian.Uint32(b))
		}
		for ; len(shardBytes) >= 9; shardBytes = shardBytes[9:] {
			w.shards = append(w.shards, balance.Shard{
				Rank: uint64(shardBytes[8]), Leader: index(shardBytes), Pin: index(shardBytes[4:]),
			})
		}
		plan := w.plan()
		require.Len(t, plan, len(w.shards))
		for _, to := range plan {
			require.True(t, to >= balance.None && int(to) < len(w.members))
		}
		for i := range w.shards {
			w.shards[i].Leader = plan[i]
		}
		require.Equal(t, plan, w.plan(), "the plan is not carried out after its moves")
	})
}

// TestOutOfRange checks what counts as 0, and what as None.
func TestOutOfRange(t *testing.T) {
	forSeeds(t, 2_000, 10_000, func(random *rand.Rand) error {
		proper := randomWorld(random, all)
		odd := world{slices.Clone(proper.members), slices.Clone(proper.shards)}
		for i := range odd.members {
			m := &odd.members[i]
			if m.Weight == 0 {
				m.Weight = -1 - random.Int32N(math.MaxInt32)
			}
			if m.Capacity == 0 {
				m.Capacity = []int32{-1, math.MinInt32, math.MaxInt32}[random.IntN(3)]
			}
		}
		none := func() int32 {
			return []int32{math.MinInt32, -2, int32(len(odd.members)), math.MaxInt32}[random.IntN(4)]
		}
		for i := range odd.shards {
			s := &odd.shards[i]
			if s.Leader == balance.None {
				s.Leader = none()
			}
			if s.Pin == balance.None {
				s.Pin = none()
			}
		}
		if plan := odd.plan(); !slices.Equal(proper.plan(), plan) {
			return odd.explain(plan, fmt.Errorf("expected %v", proper.plan()))
		}
		return nil
	})
}
