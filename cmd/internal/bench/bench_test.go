package bench

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestBenchLeavesNothing: however a bench ends, it shows what it has measured and leaves
// the store as it was.
func TestBenchLeavesNothing(t *testing.T) {
	errDisk := errors.New("the disk is full")
	for name, c := range map[string]struct {
		before func(n int, cancel func()) error
		want   string // part of the error; empty for none
	}{
		"all rounds":    {func(int, func()) error { return nil }, ""},
		"interrupted":   {func(n int, cancel func()) error { stopAt(n, 40, cancel); return nil }, "the bench was interrupted"},
		"a failed step": {func(n int, _ func()) error { return failAt(n, 41, errDisk) }, "the disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			db := memkv.New(memkv.Options{})
			require.NoError(t, db.Transact(ctx, func(tr kv.Transaction) error {
				_, err := election.New(subspace.New("fdbelection", "default")).Initialize(tr)
				return err
			}))
			before := clitest.Contents(t, db)
			m := &clitest.Meddled{Database: db, Before: func(n int) error { return c.before(n, cancel) }}
			stdout, stderr, err := execOn(ctx, elector.SystemClock(), m, "bench", "--count", "20", "--output", "json")
			var result benchResult
			require.NoError(t, json.Unmarshal([]byte(stdout), &result))
			require.Equal(t, before, clitest.Contents(t, db))
			require.Len(t, result.Operations, 7)
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, 20, result.Rounds)
				for _, o := range result.Operations {
					require.Equal(t, 20, o.Count, o.Name)
					require.True(t, 0 < o.P50 && o.P50 <= o.P90 && o.P90 <= o.P99 && o.P99 <= o.Max, "%+v", o)
					require.Equal(t, o.Against != "", o.Ratio != nil, "%+v", o)
				}
				return
			}
			require.Equal(t, exit.CodeFailure, exit.Code(err))
			require.Contains(t, stderr, c.want)
			require.Equal(t, name == "interrupted", result.Interrupted)
			require.Less(t, result.Rounds, 20)
			require.Positive(t, result.Operations[0].Count, "it shows what it has measured")
		})
	}
}

func stopAt(n, at int, cancel func()) {
	if n == at {
		cancel()
	}
}

func failAt(n, at int, err error) error {
	if n == at {
		return err
	}
	return nil
}

// TestBenchThatCannotCleanUp: if nothing can be removed, the bench says what is left.
func TestBenchThatCannotCleanUp(t *testing.T) {
	db := memkv.New(memkv.Options{})
	m := &clitest.Meddled{Database: db, Before: func(n int) error {
		if n > 30 {
			return errors.New("the disk is full")
		}
		return nil
	}}
	_, stderr, err := execOn(t.Context(), elector.SystemClock(), m, "bench", "--count", "20")
	require.Equal(t, exit.CodeFailure, exit.Code(err))
	require.Contains(t, stderr, `could not be removed: they are in the subspace ("fdbelect-bench", "`)
}

// TestFigures: the summary of an operation has its percentiles, rate and ratio. Times have three
// significant digits.
func TestFigures(t *testing.T) {
	bare := figures{name: "bare", took: []time.Duration{2 * time.Millisecond}}
	var took []time.Duration
	for i := 200; i > 0; i-- {
		took = append(took, time.Duration(i)*time.Millisecond)
	}
	ratio := 50.0
	millis := func(n int) output.Duration { return output.Duration(time.Duration(n) * time.Millisecond) }
	o := (&figures{name: "x", bare: &bare, took: took}).summary()
	require.Equal(t, benchOperation{
		Name: "x", Count: 200, P50: millis(100), P90: millis(180), P99: millis(198), Max: millis(200),
		PerSecond: 9.95, Ratio: &ratio, Against: "bare",
	}, o)
	require.Equal(t, 200*time.Millisecond, took[0], "the order of the times stays")
	one := bare.summary()
	require.Equal(t, millis(2), one.P99)
	require.Equal(t, millis(2), one.P50)
	require.Equal(t, benchOperation{Name: "none"}, (&figures{name: "none"}).summary())

	for us, want := range map[float64]string{
		0: "0.00µs", 3.456: "3.46µs", 34.56: "34.6µs", 345.6: "346µs", 999.4: "999µs", 999.6: "1.00ms",
		12345: "12.3ms", 999_499: "999ms", 999_500: "1.00s", 7_654_321: "7.65s",
	} {
		require.Equal(t, want, output.ShortTime(output.Duration(us*1000)), us)
	}
}
