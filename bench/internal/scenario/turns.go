package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
)

// acquire leads an election without other candidates and resigns, once per round.
func acquire(ctx context.Context, b *bench) (figures.Result, error) {
	client, err := b.connect(ctx)
	if err != nil {
		return figures.Result{}, err
	}
	defer client.Close()
	acquired, released := figures.NewRecorder(), figures.NewRecorder()
	err = b.rounds(ctx, 200, 8*time.Second, func(round int) error {
		begin := time.Now()
		one, err := campaign(ctx, client, "acquire", fmt.Sprint("a", round), 0)
		if err != nil {
			return err
		}
		at, err := one.await(ctx)
		if err != nil {
			return err
		}
		acquired.Add(at.Sub(begin))
		begin = time.Now()
		err = one.Resign(ctx)
		released.Add(time.Since(begin))
		return err
	})
	return figures.Result{Times: acquired.Times(), Values: map[string]float64{"release, p50 ms": p50(released)}}, err
}

func p50(r *figures.Recorder) float64 {
	if t := r.Times(); t != nil {
		return t.P50
	}
	return 0
}

// resign measures the time from the call of Resign in one process until the successor in another
// one leads. Two processes lead in turn.
func resign(ctx context.Context, b *bench) (figures.Result, error) {
	return b.takeTurns(ctx, func(round int) int32 { return 0 }, func(leader, next *contender, begun time.Time) (time.Duration, error) {
		pause(ctx, settled)
		begin := time.Now()
		gone := make(chan error, 1)
		go func() { gone <- leader.Resign(ctx) }()
		at, err := next.await(ctx)
		if err == nil {
			err = <-gone
		}
		return at.Sub(begin), err
	})
}

// preempt measures the time from the start of a candidate with a higher priority until it leads.
func preempt(ctx context.Context, b *bench) (figures.Result, error) {
	return b.takeTurns(ctx, func(round int) int32 { return int32(round) }, func(leader, next *contender, begun time.Time) (time.Duration, error) {
		at, err := next.await(ctx)
		if err == nil {
			err = leader.Resign(ctx)
		}
		return at.Sub(begun), err
	})
}

// takeTurns starts a candidate in one process and then in the other. turn makes the newer one lead
// and returns how long that took. begun is when the newer one was started.
func (b *bench) takeTurns(ctx context.Context, priority func(round int) int32,
	turn func(leader, next *contender, begun time.Time) (time.Duration, error),
) (figures.Result, error) {
	var r figures.Result
	one, err := b.connect(ctx)
	if err != nil {
		return r, err
	}
	defer one.Close()
	other, err := b.connect(ctx)
	if err != nil {
		return r, err
	}
	defer other.Close()
	leader, err := campaign(ctx, one, "turns", "c0", priority(0))
	if err != nil {
		return r, err
	}
	if _, err := leader.await(ctx); err != nil {
		return r, err
	}
	took := figures.NewRecorder()
	err = b.rounds(ctx, 200, 60*time.Second, func(round int) error {
		one, other = other, one
		begun := time.Now()
		next, err := campaign(ctx, one, "turns", fmt.Sprint("c", round+1), priority(round+1))
		if err != nil {
			return err
		}
		d, err := turn(leader, next, begun)
		took.Add(d)
		leader = next
		return err
	})
	r.Times = took.Times()
	if err == nil {
		err = leader.Resign(ctx)
	}
	return r, err
}
