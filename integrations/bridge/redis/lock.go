// Package redis is a bridge.Lock for fleets that hold one key of one Redis server with SET NX PX, as
// bsm/redislock and many electors of this kind do. It needs no client library: pass a function that
// evaluates a script.
//
// What it cannot promise: Redis acknowledges a write before its replicas have it, and by default
// before it is on a disk. A failover or a restart can forget the lock, and a second process can then
// take it. The lock has no fencing token.
package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/hold"
)

// ErrNotHeld means that the key was gone or had another value when it was to be released. Two
// processes may have worked at the same time.
var ErrNotHeld = errors.New("the key in Redis was not held any more")

// The scripts return 1 if they succeed. They compare the value before they change the key.
const (
	take    = `if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end return 0`
	renew   = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`
	release = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`
)

// Lock is a key in Redis.
type Lock struct {
	// Eval evaluates a script and returns its number. With go-redis it is
	// client.Eval(ctx, script, keys, args...).Int64().
	Eval func(ctx context.Context, script string, keys []string, args ...any) (int64, error)
	// Key is the key of the old fleet, with every prefix that its library adds.
	Key string
	// TTL is that of the old fleet. A renewal is made after each third of it.
	TTL time.Duration
	// Value returns the value of the key. Each call must return another value, and one that no old
	// process has: a process that finds its own value takes the key for its own. Nil means a UUID.
	Value func() string
	// Retry is the time between two attempts while another process has the key. Zero means a
	// tenth of TTL.
	Retry time.Duration
	// Clock measures the TTL. Nil means elector.SystemClock.
	Clock elector.Clock
}

var _ bridge.Lock = (*Lock)(nil)

// Acquire tries to set the key until it succeeds or ctx ends. It fails if Redis does not answer for
// a TTL.
func (l *Lock) Acquire(ctx context.Context) (bridge.Held, error) {
	if l.Eval == nil || l.Key == "" || l.TTL < 10*time.Millisecond {
		return nil, errors.New("redis: a Lock needs Eval, Key and a TTL of at least 10ms")
	}
	h := &held{Lock: l, value: uuid.NewString(), clock: hold.Clock(l.Clock)}
	if l.Value != nil {
		h.value = l.Value()
	}
	retry := l.Retry
	if retry <= 0 {
		retry = l.TTL / 10
	}
	answered := h.clock.Now()
	var left error // of the last clean-up
	for {
		begun := h.clock.Now()
		taken, err := h.eval(ctx, take, h.value, l.TTL.Milliseconds())
		switch {
		case err == nil && taken:
			h.start(ctx, begun)
			return h, nil
		case err == nil:
			answered = h.clock.Now()
		default: // the answer may be lost, and the key may be set
			if left = h.cleanUp(ctx); left == nil {
				answered = h.clock.Now()
			} else if h.clock.Now().Sub(answered) >= l.TTL {
				return nil, fmt.Errorf("redis does not answer: %w", errors.Join(err, left))
			}
		}
		if !hold.Wait(ctx, h.clock, retry, nil) {
			return nil, errors.Join(context.Cause(ctx), left)
		}
	}
}

// held is the key with one value.
type held struct {
	*Lock
	*hold.Hold
	clock elector.Clock
	value string

	stop func()        // ends the renewals
	kept chan struct{} // closed when they have ended
}

func (h *held) eval(ctx context.Context, script string, args ...any) (bool, error) {
	n, err := h.Eval(ctx, script, []string{h.Key}, args...)
	return n == 1, err
}

// start renews the key from now on.
func (h *held) start(ctx context.Context, begun time.Time) {
	h.Hold = hold.New(h.clock, begun.Add(hold.Trust(h.TTL)))
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.kept = make(chan struct{})
	go func() {
		defer close(h.kept)
		h.Keep(ctx, h.TTL, func(ctx context.Context) (bool, error) {
			return h.eval(ctx, renew, h.value, h.TTL.Milliseconds())
		})
	}()
}

// cleanUp deletes the key if an attempt without an answer has set it.
func (h *held) cleanUp(ctx context.Context) error {
	ctx, stop := hold.Within(context.WithoutCancel(ctx), h.clock, h.TTL/3)
	defer stop()
	_, err := h.eval(ctx, release, h.value)
	return err
}

// Release deletes the key if it still has the value of this lock. If it has not, and no loss was
// noticed before, the error is ErrNotHeld.
func (h *held) Release(ctx context.Context) error {
	h.stop()
	select {
	case <-h.kept:
	case <-ctx.Done(): // Eval ignores the end of its context
	}
	known := h.Holds()
	h.End()
	deleted, err := h.eval(ctx, release, h.value)
	if err == nil && !deleted && known {
		return ErrNotHeld
	}
	return err
}
