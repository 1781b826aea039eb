package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	// benchRoot is the root of what a bench writes. It is beside the roots of elections.
	benchRoot = "fdbelect-bench"
	// benchLease is so long that no lease expires during a bench.
	benchLease = time.Hour
)

// benchLoad is an election of two candidates, created to be measured.
type benchLoad struct {
	clock    elector.Clock
	db       kv.Database
	name     string // of the subspace
	space    subspace.Subspace
	election *election.LeaderElection
	// The two candidates lead in turn.
	holder, other election.Registration
	token         election.Token // of the holder

	read, write, cycle, follow, fence, claim, handover figures
}

func newBenchLoad(p *session.Program, db kv.Database) (*benchLoad, error) {
	var ids [3]uuid.UUID
	for i := range ids {
		var err error
		if ids[i], err = p.NewNonce(); err != nil {
			return nil, err
		}
	}
	name := ids[0].String()
	space := subspace.New(benchRoot, name)
	b := &benchLoad{
		clock: p.Clock, db: db, name: name, space: space, election: election.New(space.Sub("election")),
		holder: election.Registration{Identity: election.Identity{ID: "one", Incarnation: ids[1]}},
		other:  election.Registration{Identity: election.Identity{ID: "two", Incarnation: ids[2]}, UserVersion: 1},
	}
	b.read = figures{name: "read", what: "a transaction that reads one key"}
	b.write = figures{name: "write", what: "a transaction that reads one key and writes it"}
	b.cycle = figures{name: "cycle", what: "the leader's heartbeat and renewal", bare: &b.write}
	b.follow = figures{name: "follow", what: "a follower's heartbeat", bare: &b.write}
	b.fence = figures{name: "fence", what: "the same write, fenced", bare: &b.write}
	b.claim = figures{name: "claim", what: "a claim of vacant leadership", bare: &b.write}
	b.handover = figures{name: "hand-over", what: "from the resignation until the successor, notified by a watch, has claimed", bare: &b.write}
	return b, nil
}

func (b *benchLoad) all() []*figures {
	return []*figures{&b.read, &b.write, &b.cycle, &b.follow, &b.fence, &b.claim, &b.handover}
}

// set creates the election and makes the first candidate the leader.
func (b *benchLoad) set(ctx context.Context) error {
	err := b.db.Transact(ctx, func(tr kv.Transaction) error {
		if _, err := b.election.InitializeWithConfig(tr, fdbelection.ConfigWithLease(benchLease)); err != nil {
			return err
		}
		for _, r := range []election.Registration{b.holder, b.other} {
			if err := b.election.RegisterCandidate(tr, r, b.clock.Wall()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.tryClaim(ctx)
}

// clear removes everything.
func (b *benchLoad) clear(ctx context.Context) error {
	begin, end := b.space.Range()
	return b.db.Transact(ctx, func(tr kv.Transaction) error {
		tr.ClearRange(begin, end)
		return nil
	})
}

// round measures each operation once, so that a slow moment of the machine affects all of
// them.
func (b *benchLoad) round(ctx context.Context) error {
	for _, step := range []struct {
		of *figures
		do func(context.Context) error
	}{
		{&b.read, b.bareRead},
		{&b.write, b.bareWrite},
		{&b.cycle, func(ctx context.Context) error { return b.runCycle(ctx, b.holder) }},
		{&b.follow, func(ctx context.Context) error { return b.runCycle(ctx, b.other) }},
		{&b.fence, b.fencedWrite},
		{nil, b.resign},
		{&b.claim, b.tryClaim},
	} {
		if err := b.timed(ctx, step.of, step.do); err != nil {
			return err
		}
	}
	return b.handOver(ctx)
}

// timed records how long a successful operation took.
func (b *benchLoad) timed(ctx context.Context, of *figures, do func(context.Context) error) error {
	begin := b.clock.Now()
	err := do(ctx)
	took := b.clock.Now().Sub(begin)
	switch {
	case err == nil && of != nil:
		of.took = append(of.took, took)
	case err != nil && of != nil:
		err = fmt.Errorf("%s: %w", of.name, err)
	}
	return err
}

func (b *benchLoad) key() []byte { return b.space.Sub("row").Bytes() }

func (b *benchLoad) bareRead(ctx context.Context) error {
	return b.db.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		_, err := tr.Get(b.key()).Get()
		return err
	})
}

func (b *benchLoad) bareWrite(ctx context.Context) error { return b.db.Transact(ctx, b.count) }

// count is the write of bareWrite and fencedWrite: it raises a number.
func (b *benchLoad) count(tr kv.Transaction) error {
	value, err := tr.Get(b.key()).Get()
	if err != nil {
		return err
	}
	next := uint64(1)
	if len(value) == 8 {
		next += binary.BigEndian.Uint64(value)
	}
	tr.Set(b.key(), binary.BigEndian.AppendUint64(nil, next))
	return nil
}

// option returns the observation that cycles and claims require. It is empty, because no
// claim here waits for an expiry.
func (b *benchLoad) option() election.CycleOption {
	return election.WithObservation(election.Observation{}, b.clock.Now())
}

// runCycle runs one cycle of a candidate, which renews if it leads.
func (b *benchLoad) runCycle(ctx context.Context, me election.Registration) error {
	result, err := kv.Transact(ctx, b.db, func(tr kv.Transaction) (election.CycleResult, error) {
		return b.election.RunElectionCycle(tr, me, b.clock.Wall(), b.option())
	})
	want := election.Followed
	if me.Identity == b.holder.Identity {
		want = election.Renewed
	}
	if err == nil && result.Action != want {
		err = fmt.Errorf("the cycle of %s returned %s, not %s", me.Identity, result.Action, want)
	}
	return err
}

func (b *benchLoad) fencedWrite(ctx context.Context) error {
	return b.db.Transact(ctx, func(tr kv.Transaction) error {
		if err := b.election.RequireLeadership(tr, b.token); err != nil {
			return err
		}
		return b.count(tr)
	})
}

func (b *benchLoad) resign(ctx context.Context) error {
	return b.db.Transact(ctx, func(tr kv.Transaction) error {
		return b.election.ResignLeadership(tr, b.token, b.clock.Wall())
	})
}

// tryClaim claims the vacant leadership for the holder.
func (b *benchLoad) tryClaim(ctx context.Context) error {
	result, err := kv.Transact(ctx, b.db, func(tr kv.Transaction) (election.CycleResult, error) {
		return b.election.TryClaimLeadership(tr, b.holder.Identity, b.clock.Wall(), b.option())
	})
	if err == nil && !result.Leads() {
		err = fmt.Errorf("the claim of vacant leadership returned %s", result.Action)
	}
	b.token = result.Leader.Token()
	return err
}

// handOver measures the time from the resignation of the holder until the other candidate,
// which waits with a watch, has claimed leadership.
func (b *benchLoad) handOver(ctx context.Context) error {
	watch, err := kv.Transact(ctx, b.db, func(tr kv.Transaction) (kv.Watch, error) { return b.election.Watch(tr), nil })
	if err != nil {
		return err
	}
	defer watch.Cancel()
	return b.timed(ctx, &b.handover, func(ctx context.Context) error {
		if err := b.resign(ctx); err != nil {
			return err
		}
		select {
		case <-watch.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := watch.Err(); err != nil {
			return err
		}
		b.holder, b.other = b.other, b.holder
		return b.tryClaim(ctx)
	})
}

// run measures rounds until more returns false or ctx ends. Each round may take as long as
// the timeout.
func (b *benchLoad) run(ctx context.Context, timeout time.Duration, more func(rounds int) bool) (rounds int, err error) {
	limited := func(do func(context.Context) error) error {
		ctx, cancel := clock.WithTimeout(ctx, b.clock, timeout)
		defer cancel()
		err := do(ctx)
		if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			err = fmt.Errorf("not done within %s: %w", timeout, context.DeadlineExceeded)
		}
		return err
	}
	if err := limited(b.set); err != nil {
		return 0, err
	}
	for more(rounds) && ctx.Err() == nil {
		if err := limited(b.round); err != nil {
			return rounds, err
		}
		rounds++
	}
	return rounds, nil
}
