package browsertest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSeries: from the differences of each second and the loads of now, the page tells the past.
func TestSeries(t *testing.T) {
	p := open(t, newWorld(t).serve().URL)
	p.waits(`document.querySelector('.empty').hidden === false`)
	const seconds = `[
		{ second: 100, loads: { a: 4 }, free_shards: -4, unknown: 0, moves: { vacancy: 4 } },
		{ second: 110, loads: { a: -4 }, free_shards: 4, unknown: 0, moves: {} },
		{ second: 111, loads: { b: 5 }, free_shards: -4, unknown: -1, moves: { expiry: 4, balance: 1 } },
	]`
	spans := eval[[][]any](p, `import('/page/series.js').then((s) => s.spansOf(`+seconds+`, [['b', 5]], 0, 120)
		.map((one) => [Number.isFinite(one.from) ? one.from : 0, one.to, [...one.loads].join(), one.free, one.unknown]))`)
	require.Equal(t, [][]any{
		{111.0, 120.0, "b,5", 0.0, 0.0}, {110.0, 111.0, "", 4.0, 1.0}, {100.0, 110.0, "a,4", 0.0, 1.0}, {0.0, 100.0, "", 4.0, 1.0},
	}, spans)

	// The short time without a leader is seen in a column of ten seconds. Each move counts once.
	columns := eval[[][]any](p, `import('/page/series.js').then((s) => s.columnsOf(s.spansOf(`+seconds+`, [['b', 5]], 0, 120), 100, 120, 2)
		.map((one) => [one.span.free, one.total, s.movesText(one.moves)]))`)
	require.Equal(t, [][]any{{0.0, 4.0, "4 moves: 4 vacancy"}, {4.0, 5.0, "5 moves: 4 expiry, 1 balance"}}, columns)
	require.Equal(t, "no moves", eval[string](p, `import('/page/series.js').then((s) => s.movesText({}))`))
}
