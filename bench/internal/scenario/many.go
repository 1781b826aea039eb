package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
)

// many leads many elections in one process, and measures what each costs.
func many(ctx context.Context, b *bench) (figures.Result, error) {
	values := make(map[string]float64)
	sizes := []int{1000, 10_000}
	if b.Quick {
		sizes = []int{20}
	}
	for _, n := range sizes {
		if err := b.manyOf(ctx, n, values); err != nil {
			return figures.Result{Values: values}, fmt.Errorf("%d elections: %w", n, err)
		}
	}
	return figures.Result{Values: values}, nil
}

func (b *bench) manyOf(ctx context.Context, n int, values map[string]float64) error {
	limit := 45 * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not all were led in %s", limit))
	defer cancel()
	client, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	memory, goroutines := heap(), runtime.NumGoroutine()
	begin := time.Now()
	all, err := leadAll(ctx, client, fmt.Sprintf("many-%d-", n), n)
	defer func() {
		for _, one := range all {
			one.Crash()
		}
	}()
	if err != nil {
		return err
	}
	name := func(what string) string { return fmt.Sprintf("%s, %d elections", what, n) }
	values[name("until all are led, s")] = time.Since(begin).Seconds()
	pause(ctx, b.settings.Heartbeat) // in calm
	values[name("memory of each, KiB")] = float64(heap()-memory) / 1024 / float64(n)
	values[name("goroutines of each")] = float64(runtime.NumGoroutine()-goroutines) / float64(n)
	cpu, begin := b.processorTime(), time.Now()
	pause(ctx, 2*b.settings.Heartbeat)
	values[name("processor, percent of a core")] = 100 * (b.processorTime() - cpu).Seconds() / time.Since(begin).Seconds()
	return nil
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse) //nolint:gosec // it is less than 2^63
}

// processorTime returns the processor time of this process and of the server.
func (b *bench) processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	sum := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	for _, pid := range b.server.PIDs() {
		sum += timeOf(pid)
	}
	return sum
}

// timeOf returns the processor time of a process, or zero if it has ended.
func timeOf(pid int) time.Duration {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0
	}
	stat, err := process.Stat()
	if err != nil {
		return 0
	}
	return time.Duration(stat.CPUTime() * float64(time.Second))
}

// random draws the phases of the kills. They differ from run to run, since the systems are not
// deterministic either.
type random struct{ *rand.Rand }

func newRandom() *random { return &random{rand.New(rand.NewPCG(rand.Uint64(), 0))} } //nolint:gosec // it hides nothing

func (r *random) part(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
