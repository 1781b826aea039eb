package election

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestRangesOfRecords: a range of records contains the lowest and the highest possible key, and
// ends before the first key of another type, which may belong to another election.
func TestRangesOfRecords(t *testing.T) {
	k := newKeys(subspace.New("ranges"))
	rank := func(priority int32) []byte {
		return k.rankOf(&Candidate{Registration: Registration{Priority: priority}})
	}
	for name, c := range map[string]struct {
		prefix       []byte
		first, after byte
		next         byte // the type code after those of these keys
		lowest, top  []byte
	}{
		"candidates": {k.candidates, record.TextCode, record.AfterText, 0x03, k.candidate("\x01"), k.candidate("\U0010ffff")},
		"rank":       {k.rank, record.IntegerCode, record.AfterInteger, 0x1e, rank(math.MaxInt32), rank(math.MinInt32)},
		"history":    {k.history, record.ZeroCode, record.AfterInteger, 0x1e, k.firstEvent(0), k.event(math.MaxUint64, EventDuplicate)},
	} {
		begin, end := record.Below(c.prefix, c.first, c.after)
		inside := func(key []byte) bool { return bytes.Compare(begin, key) <= 0 && bytes.Compare(key, end) < 0 }
		require.True(t, inside(c.lowest), name)
		require.True(t, inside(c.top), name)
		others := append(bytes.Clone(c.prefix), c.next)
		require.False(t, inside(others), "%s: a key of another type", name)
	}
}
