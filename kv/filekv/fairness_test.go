//go:build unix

package filekv_test

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
)

// loadOrder is the order to a child that runs a load. loadResult is its report.
type loadOrder struct {
	Number  int
	Warmup  time.Duration // its commits do not count
	Measure time.Duration
}

type loadResult struct {
	Commits   int
	Conflicts int
	Latencies []time.Duration
}

// runLoad runs transactions without a pause. Each reads four keys in one batch and
// writes the child's own key.
func runLoad(c *childSide) error {
	db, err := c.open()
	if err != nil {
		return err
	}
	var order loadOrder
	if err := c.ready(&order); err != nil {
		return err
	}
	own := []byte("own/" + strconv.Itoa(order.Number))
	begin := time.Now()
	var result loadResult
	for time.Since(begin) < order.Warmup+order.Measure {
		start := time.Now()
		runs := 0
		err := db.Transact(context.Background(), func(tr kv.Transaction) error {
			runs++
			for _, key := range []string{"config", "leader", "intent"} {
				tr.Get([]byte(key))
			}
			if _, err := tr.Get(own).Get(); err != nil {
				return err
			}
			tr.Set(own, []byte(strconv.Itoa(result.Commits)))
			return nil
		})
		if err != nil {
			return err
		}
		if start.Sub(begin) > order.Warmup {
			result.Commits++
			result.Conflicts += runs - 1
			result.Latencies = append(result.Latencies, time.Since(start))
		}
	}
	if err := db.Close(); err != nil {
		return err
	}
	return c.out.Encode(result)
}

// runLoads runs the load in n processes on one store.
func runLoads(t *testing.T, n int, warmup, measure time.Duration) []loadResult {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	children := make([]*child, n)
	for i := range children {
		children[i] = spawn(t, "load", path)
	}
	for _, c := range children {
		c.await()
	}
	for i, c := range children {
		c.send(loadOrder{Number: i, Warmup: warmup, Measure: measure})
	}
	results := make([]loadResult, n)
	for i, c := range children {
		c.receive(&results[i])
	}
	return results
}

// TestFairnessOfTwentyProcesses: each of twenty busy processes gets at least half of its
// fair share of the commits.
func TestFairnessOfTwentyProcesses(t *testing.T) {
	longtest.Only(t)
	results := runLoads(t, 20, time.Second, 3*time.Second)
	commits := make([]int, len(results))
	total := 0
	for i, r := range results {
		commits[i] = r.Commits
		total += r.Commits
	}
	slices.Sort(commits)
	t.Logf("20 processes: %d commits in 3 s; the share of a process is between %.2f and %.2f of a twentieth: %v", total,
		20*float64(commits[0])/float64(total), 20*float64(commits[19])/float64(total), commits)
	require.GreaterOrEqual(t, 40*commits[0], total, "a process got less than a fortieth of the commits")
}

// TestLatencyOfThreeProcesses logs the latency of three processes at once. It fails only
// if a transaction fails.
func TestLatencyOfThreeProcesses(t *testing.T) {
	longtest.Only(t)
	var all []time.Duration
	for _, r := range runLoads(t, 3, 200*time.Millisecond, 2*time.Second) {
		all = append(all, r.Latencies...)
	}
	require.NotEmpty(t, all)
	t.Logf("3 processes, one batch of reads and a commit each: %d transactions in 2 s, %s", len(all), percentiles(all))
}

func percentiles(d []time.Duration) string {
	slices.Sort(d)
	at := func(p float64) string {
		return d[min(int(p*float64(len(d))), len(d)-1)].Round(time.Microsecond).String()
	}
	return "p50 " + at(0.5) + ", p99 " + at(0.99) + ", max " + at(1)
}
