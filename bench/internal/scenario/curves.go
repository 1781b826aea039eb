package scenario

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/system"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Curves measures what elections cost by their size, on memkv.
func Curves(ctx context.Context, full bool, say func(string)) ([]figures.Curve, error) {
	lease := system.Memkv().Lease
	if !full {
		lease = time.Second
	}
	sizes := func(all ...int) []int {
		if full {
			return all
		}
		return all[:3]
	}
	calm := func(start func(context.Context, *bench, int) ([]*contender, []system.Client, error)) func(context.Context, int) (map[string]float64, error) {
		return func(ctx context.Context, n int) (map[string]float64, error) {
			return inCalm(ctx, lease, func(b *bench) ([]*contender, []system.Client, error) { return start(ctx, b, n) })
		}
	}
	curves := []struct {
		name, x string
		sizes   []int
		at      func(context.Context, int) (map[string]float64, error)
	}{
		{"elections in one process", "elections", sizes(1, 10, 100, 1000, 10_000), calm(elections)},
		{"candidates of one election", "candidates", sizes(2, 10, 50, 200, 500, 2000), calm(candidates)},
		{"length of the history", "terms", sizes(1, 10, 100, 1000), cycleWithHistory},
		{"metadata of a candidate", "bytes", sizes(0, 100, 1000, 4000), cycleWithMetadata},
	}
	var all []figures.Curve
	for _, c := range curves {
		curve := figures.Curve{Name: c.name, X: c.x}
		for _, n := range c.sizes {
			costs, err := c.at(ctx, n)
			if err != nil {
				return nil, fmt.Errorf("%s, %d %s: %w", c.name, n, c.x, err)
			}
			curve.Points = append(curve.Points, figures.Point{X: float64(n), Costs: costs})
			say(fmt.Sprintf("%s: %d %s: %v", c.name, n, c.x, costs))
		}
		all = append(all, curve)
	}
	return all, nil
}

// elections leads n elections in one process.
func elections(ctx context.Context, b *bench, n int) ([]*contender, []system.Client, error) {
	client, err := b.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := leadAll(ctx, client, "curve", n)
	return all, []system.Client{client}, err
}

// candidates has n candidates in one election.
func candidates(ctx context.Context, b *bench, n int) ([]*contender, []system.Client, error) {
	members, _, err := b.crowd(ctx, "curve", n)
	var all []*contender
	var clients []system.Client
	for _, m := range members {
		all, clients = append(all, m.contender), append(clients, m.client)
	}
	return all, clients, err
}

// inCalm starts candidates, and measures what they cost for two heartbeats.
func inCalm(ctx context.Context, lease time.Duration, start func(*bench) ([]*contender, []system.Client, error)) (map[string]float64, error) {
	y := system.Memkv()
	b := &bench{system: y, settings: system.Settings{Lease: lease, Heartbeat: 3 * lease / 10}, random: newRandom()}
	var err error
	if b.server, err = y.Start(ctx, b.settings); err != nil {
		return nil, err
	}
	defer func() { _ = b.server.Close() }()
	memory, goroutines := heap(), runtime.NumGoroutine()
	all, clients, err := start(b)
	defer func() {
		for _, one := range all {
			one.Crash()
		}
		settle(ctx, goroutines)
	}()
	if err != nil {
		return nil, err
	}
	pause(ctx, 2*b.settings.Heartbeat)
	costs := map[string]float64{
		"memory, KiB": float64(heap()-memory) / 1024, "goroutines": float64(runtime.NumGoroutine() - goroutines),
	}
	count := func() (sum system.Counts) {
		for _, c := range clients {
			sum = sum.Plus(c.Traffic().Counts())
		}
		return sum
	}
	for _, c := range clients {
		costs["watches"] += float64(c.Traffic().Watches())
	}
	before, cpu, begin := count(), b.processorTime(), time.Now()
	pause(ctx, 2*b.settings.Heartbeat)
	seconds, sent := time.Since(begin).Seconds(), count().Minus(before)
	costs["requests per second"] = float64(sent.Requests) / seconds
	costs["transactions per second"] = float64(sent.Transactions) / seconds
	costs["processor, percent of a core"] = 100 * (b.processorTime() - cpu).Seconds() / seconds
	return costs, nil
}

// settle waits until the goroutines of a measurement have ended, so that the next one is without them.
func settle(ctx context.Context, goroutines int) {
	for limit := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(limit); {
		pause(ctx, 10*time.Millisecond)
	}
}

// cycleWithHistory measures cycles of a leader while so many past terms are kept, and the read of
// all of them.
func cycleWithHistory(ctx context.Context, n int) (map[string]float64, error) {
	db, e, me := memkv.New(memkv.Options{}), election.New(subspace.New("curve")), registration("one")
	config := fdbelection.ConfigWithLease(time.Hour)
	config.HistoryLimit = n
	if err := initialize(ctx, db, e, config); err != nil {
		return nil, err
	}
	for range n + 1 {
		me = registration(me.ID)
		if err := register(ctx, db, e, me); err != nil {
			return nil, err
		}
		result, err := cycleOnce(ctx, db, e, me)
		if err != nil {
			return nil, err
		}
		token := result.Leader.Token()
		err = db.Transact(ctx, func(tr kv.Transaction) error {
			if err := e.ResignLeadership(tr, token, clock.Wall()); err != nil {
				return err
			}
			return e.UnregisterCandidate(tr, me.Identity, clock.Wall())
		})
		if err != nil {
			return nil, err
		}
	}
	me = registration(me.ID)
	costs, err := cyclesOf(ctx, db, e, me)
	if err != nil {
		return nil, err
	}
	read, err := medianOf(200, func() error {
		return db.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
			_, err := e.History(tr, n)
			return err
		})
	})
	costs["read of the history, µs"] = read
	return costs, err
}

// cycleWithMetadata measures cycles of a leader with so many bytes of metadata.
func cycleWithMetadata(ctx context.Context, n int) (map[string]float64, error) {
	db, e, me := memkv.New(memkv.Options{}), election.New(subspace.New("curve")), registration("one")
	if n > 0 {
		me.Metadata = map[string]string{"tag": strings.Repeat("x", n)}
	}
	if err := initialize(ctx, db, e, fdbelection.ConfigWithLease(time.Hour)); err != nil {
		return nil, err
	}
	return cyclesOf(ctx, db, e, me)
}

func registration(id string) election.Registration {
	return election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
}

func initialize(ctx context.Context, db kv.Database, e *election.LeaderElection, config fdbelection.Config) error {
	return db.Transact(ctx, func(tr kv.Transaction) error {
		_, err := e.InitializeWithConfig(tr, config)
		return err
	})
}

func register(ctx context.Context, db kv.Database, e *election.LeaderElection, me election.Registration) error {
	return db.Transact(ctx, func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, clock.Wall()) })
}

func cycleOnce(ctx context.Context, db kv.Database, e *election.LeaderElection, me election.Registration) (election.CycleResult, error) {
	return kv.Transact(ctx, db, func(tr kv.Transaction) (election.CycleResult, error) {
		return e.RunElectionCycle(tr, me, clock.Wall(), election.WithObservation(election.Observation{}, time.Unix(0, 0)))
	})
}

// cyclesOf measures the renewals of a leader.
func cyclesOf(ctx context.Context, db kv.Database, e *election.LeaderElection, me election.Registration) (map[string]float64, error) {
	if err := register(ctx, db, e, me); err != nil {
		return nil, err
	}
	if result, err := cycleOnce(ctx, db, e, me); err != nil || result.Action != election.Claimed {
		return nil, errors.Join(err, fmt.Errorf("the first cycle returned %s", result.Action))
	}
	us, err := medianOf(2000, func() error { _, err := cycleOnce(ctx, db, e, me); return err })
	return map[string]float64{"renewal, µs": us}, err
}

// medianOf returns the median time of some calls, in microseconds.
func medianOf(n int, do func() error) (float64, error) {
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return float64(took[n/2].Nanoseconds()) / 1000, nil
}
