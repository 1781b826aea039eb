package balance_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/balance"
)

// TestRank compares with values from another implementation.
func TestRank(t *testing.T) {
	for name, rank := range map[string]uint64{
		"":         0xefd01f60ba992926,
		"a":        0x82a2a958a9bece5b,
		"shard-1":  0xa99a990fd006d40f,
		"shard-2":  0xc5638351e5af3e5c,
		"\xff\x00": 0x6697e69689e5177a,
		"ключ":     0x590520d718275ed5,
	} {
		require.Equal(t, rank, balance.Rank(name), "%q", name)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { balance.Rank("a name that is longer than 32 bytes, to be sure") }))
}

// TestCompare checks that the rank decides, and that the name decides between equal ranks.
func TestCompare(t *testing.T) {
	require.Equal(t, -1, balance.Compare(1, "b", 2, "a"))
	require.Equal(t, 1, balance.Compare(2, "a", 1, "b"))
	require.Equal(t, -1, balance.Compare(1, "a", 1, "b"))
	require.Equal(t, 1, balance.Compare(1, "b", 1, "a"))
	require.Equal(t, 0, balance.Compare(1, "a", 1, "a"))
}

// TestStoredPlans compares with stored plans. If it fails, processes of two versions disagree:
// the changed rule needs a balance version of its own.
func TestStoredPlans(t *testing.T) {
	members, shards := pool(7, 60)
	members[1].Weight, members[2].Weight = 3, 0
	members[3].Capacity, members[4].Ready = 4, false
	members[5].Draining = true
	for i := range shards {
		if i%3 > 0 {
			shards[i].Leader = int32(i / 3 % 7)
		}
		if i%5 == 0 {
			shards[i].Pin = int32(i / 5 % 7)
		}
	}
	w := world{members, shards}
	plan := w.plan()
	require.NoError(t, w.check(plan))
	require.Equal(t, "aaaabbaaggcdgeedgggggbaabbbbbbgdbbeebbbbbgbaacbbbbdbbbbeebbb", show(plan))

	members[0].Capacity, members[1].Capacity, members[2].Capacity, members[6].Capacity = 12, 6, 7, 9
	plan = w.plan()
	require.True(t, w.tally(plan).scarce)
	require.NoError(t, w.check(plan))
	require.Equal(t, "aaaabbaccaddaeeaffggggaagbbgccgdd.ee.ff.gg.aacbb.cc.dd.ee.ff", show(plan))
}

// show writes a plan as one letter for each shard.
func show(plan []int32) string {
	var text strings.Builder
	for _, to := range plan {
		text.WriteByte(".abcdefg"[to+1])
	}
	return text.String()
}
