package balance_test

import (
	"fmt"
	"slices"
	"testing"
)

// BenchmarkPlan measures a plan without moves, the first placement, a join, a death, and too
// little capacity with many pins.
func BenchmarkPlan(b *testing.B) {
	for _, size := range []struct{ members, shards int }{{5, 10_000}, {100, 100_000}} {
		members, shards := pool(size.members, size.shards)
		free := world{members, shards}
		calm := free.carryOut()
		joined := world{append(slices.Clip(members), member("joiner")), calm.shards}
		scarce := world{slices.Clone(members), slices.Clone(calm.shards)}
		for i := range scarce.members {
			scarce.members[i].Capacity = int32(size.shards/size.members - 1)
		}
		for i := range scarce.shards {
			scarce.shards[i].Pin = int32(i % (2 * size.members)) // half of them to absent members
		}
		for _, c := range []struct {
			name string
			world
		}{{"calm", calm}, {"free", free}, {"join", joined}, {"death", calm.without(0)}, {"scarce", scarce}} {
			b.Run(fmt.Sprintf("%dx%d/%s", size.members, size.shards, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.plan()
				}
			})
		}
	}
}
