package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/system"
)

// renew measures renewals: of one client, one after the other, and of 16 clients at once, each in
// an election of its own.
func renew(ctx context.Context, b *bench) (figures.Result, error) {
	client, err := b.connect(ctx)
	if err != nil {
		return figures.Result{}, err
	}
	defer client.Close()
	renewer, ok := client.(system.Renewer)
	if !ok {
		return figures.Result{}, errors.New("it has no renewal")
	}
	const clients = 16
	var renewals [clients]func(context.Context) error
	for i := range renewals {
		if renewals[i], err = renewer.Hold(ctx, fmt.Sprint("renew", i), "holder"); err != nil {
			return figures.Result{}, err
		}
	}
	took := figures.NewRecorder()
	begin := time.Now()
	err = b.rounds(ctx, 100_000, 2*time.Second, func(int) error {
		begin := time.Now()
		err := renewals[0](ctx)
		took.Add(time.Since(begin))
		return err
	})
	alone := float64(took.Len()) / time.Since(begin).Seconds()
	if err != nil {
		return figures.Result{}, err
	}
	cpu, begin := b.processorTime(), time.Now()
	var wait sync.WaitGroup
	var done atomic.Int64
	var failed atomic.Pointer[error]
	for _, renewal := range renewals {
		wait.Go(func() {
			err := b.rounds(ctx, 100_000, 2*time.Second, func(int) error { done.Add(1); return renewal(ctx) })
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	wait.Wait()
	if e := failed.Load(); e != nil {
		return figures.Result{}, *e
	}
	n := float64(done.Load())
	return figures.Result{Times: took.Times(), Values: map[string]float64{
		"per second, 1 client": alone, "per second, 16 clients": n / time.Since(begin).Seconds(),
		"processor time, µs": float64((b.processorTime() - cpu).Microseconds()) / n,
	}}, nil
}

// fence measures fenced and unfenced writes in turn.
func fence(ctx context.Context, b *bench) (figures.Result, error) {
	client, err := b.connect(ctx)
	if err != nil {
		return figures.Result{}, err
	}
	defer client.Close()
	fencer, ok := client.(system.Fencer)
	if !ok {
		return figures.Result{}, errors.New("it does not store the data, so it cannot refuse a write of an old leader")
	}
	fenced, plain, err := fencer.Fence(ctx, "fence", "leader")
	if err != nil {
		return figures.Result{}, err
	}
	times := [2]*figures.Recorder{figures.NewRecorder(), figures.NewRecorder()}
	err = b.rounds(ctx, 2000, 8*time.Second, func(round int) error {
		for i := range 2 {
			i = (i + round) % 2 // each is first in every other round
			begin := time.Now()
			if err := [2]func(context.Context) error{fenced, plain}[i](ctx); err != nil {
				return err
			}
			times[i].Add(time.Since(begin))
		}
		return nil
	})
	r := figures.Result{Times: times[0].Times()}
	if plain := times[1].Times(); plain != nil {
		r.Values = map[string]float64{"unfenced, p50 ms": plain.P50, "fenced / unfenced, p50": r.Times.P50 / max(plain.P50, 1e-6)}
	}
	return r, err
}

// idle measures what followers and the leader of one election send in calm, each in a process of
// its own.
func idle(ctx context.Context, b *bench) (figures.Result, error) {
	values := make(map[string]float64)
	sizes := []int{2, 10, 100}
	switch {
	case b.Quick:
		sizes = []int{2}
	case !b.settings.Durable: // at long leases, one size shows it
		sizes = []int{10}
	}
	for _, n := range sizes {
		if err := b.idleOf(ctx, n, values); err != nil {
			return figures.Result{Values: values}, fmt.Errorf("%d candidates: %w", n, err)
		}
	}
	return figures.Result{Values: values}, nil
}

func (b *bench) idleOf(ctx context.Context, n int, values map[string]float64) error {
	name := fmt.Sprint("idle", n)
	clients, leader, err := b.crowd(ctx, name, n)
	defer func() { disperse(clients) }()
	if err != nil {
		return err
	}
	window := max(4*b.settings.Heartbeat, b.settings.Lease, 2*time.Second)
	if !b.Quick {
		pause(ctx, max(2*b.settings.Heartbeat, b.settings.Lease)) // in calm
	}
	counts := func() (leading, following system.Counts) {
		for _, one := range clients {
			c := one.client.Traffic().Counts()
			if one == leader {
				leading = c
			} else {
				following = following.Plus(c)
			}
		}
		return leading, following
	}
	leading, following := counts()
	begin := time.Now()
	pause(ctx, window)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	hours := time.Since(begin).Hours()
	leadingNow, followingNow := counts()
	leading, following = leadingNow.Minus(leading), followingNow.Minus(following)
	values[fmt.Sprintf("requests of a follower per hour, of %d", n)] = float64(following.Requests) / hours / float64(n-1)
	values[fmt.Sprintf("requests of the leader per hour, of %d", n)] = float64(leading.Requests) / hours
	if following.Bytes+leading.Bytes > 0 {
		values[fmt.Sprintf("bytes of a follower per hour, of %d", n)] = float64(following.Bytes) / hours / float64(n-1)
	}
	return nil
}

// member is one candidate of a crowd.
type member struct {
	*contender
	client system.Client
}

// disperse ends the processes of a crowd.
func disperse(all []*member) {
	for _, one := range all {
		one.Crash()
		one.client.Close()
	}
}

// crowd starts candidates of one election, each in a process of its own. The first one leads.
func (b *bench) crowd(ctx context.Context, election string, n int) (all []*member, leader *member, err error) {
	for i := range n {
		client, err := b.connect(ctx)
		if err != nil {
			return all, nil, err
		}
		one, err := campaign(ctx, client, election, fmt.Sprintf("c%03d", i), 0)
		if err != nil {
			client.Close()
			return all, nil, err
		}
		all = append(all, &member{one, client})
		if i == 0 {
			if _, err := one.await(ctx); err != nil {
				return all, nil, err
			}
		}
	}
	pause(ctx, settled+time.Duration(n)*time.Millisecond)
	return all, all[0], nil
}

// herd lets the leader of 100 candidates resign.
func herd(ctx context.Context, b *bench) (figures.Result, error) {
	n := 100
	if b.Quick {
		n = 5
	}
	all, leader, err := b.crowd(ctx, "herd", n)
	defer func() { disperse(all) }()
	if err != nil {
		return figures.Result{}, err
	}
	took := figures.NewRecorder()
	total := func() (sum system.Counts) {
		for _, one := range all {
			sum = sum.Plus(one.client.Traffic().Counts())
		}
		return sum
	}
	var cost system.Counts
	rounds := 0
	err = b.rounds(ctx, 10, 10*time.Second, func(int) error {
		pause(ctx, settled)
		before, begin := total(), time.Now()
		if err := leader.Resign(ctx); err != nil {
			return err
		}
		next, at, err := firstOf(ctx, all, leader)
		if err != nil {
			return err
		}
		took.Add(at.Sub(begin))
		pause(ctx, settled)
		cost = cost.Plus(total().Minus(before))
		leader = next
		rounds++
		return nil
	})
	each := func(n int64) float64 { return float64(n) / float64(max(rounds, 1)) }
	r := figures.Result{Times: took.Times(), Values: map[string]float64{"requests of all candidates": each(cost.Requests)}}
	if cost.Transactions > 0 { // the conflicts of a peer are inside of its server
		r.Values["conflicts"] = each(cost.Conflicts)
	}
	return r, err
}

// firstOf waits until any candidate but one leads.
func firstOf(ctx context.Context, all []*member, but *member) (*member, time.Time, error) {
	for ctx.Err() == nil {
		for _, one := range all {
			select {
			case at := <-one.leads:
				if one != but {
					return one, at, nil
				}
			default:
			}
		}
		pause(ctx, 100*time.Microsecond)
	}
	return nil, time.Time{}, context.Cause(ctx)
}
