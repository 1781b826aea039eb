package redis_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bsm/redislock"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/rollout"
	"github.com/fdbelection/fdbelection/integrations/bridge/redis"
)

const (
	key = "billing:leader"
	ttl = time.Second
)

// startServer returns the address of a Redis that ends with the test.
func startServer(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const absent = "not run: redis-server is not installed (Debian package redis-server)"
		if os.Getenv("CI") != "" {
			t.Fatal(absent)
		}
		t.Skip(absent)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	server := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--daemonize", "no")
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	client := connect(t, address)
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 30*time.Second, time.Millisecond)
	return address
}

func connect(tb testing.TB, address string) *goredis.Client {
	tb.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: address, DisableIdentity: true})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// newLock returns the lock as a program with go-redis makes it.
func newLock(client *goredis.Client) *redis.Lock {
	// begin README
	lock := &redis.Lock{
		Eval: func(ctx context.Context, script string, keys []string, args ...any) (int64, error) {
			return client.Eval(ctx, script, keys, args...).Int64()
		},
		Key: "billing:leader", // as it is in Redis, with every prefix
		TTL: time.Second,      // that of the old fleet
	}
	// end README
	return lock
}

// old is a program with bsm/redislock: it refreshes the lock at each third of the TTL, and stops at
// the first failure.
func old(client *goredis.Client, m *rollout.Member) {
	locker := redislock.New(client)
	for m.Stopped.Err() == nil {
		lock, err := locker.Obtain(m.Stopped, key, ttl, &redislock.Options{RetryStrategy: redislock.LinearBackoff(ttl / 20)})
		if err != nil {
			if client.Ping(m.Stopped).Err() != nil {
				return // killed
			}
			continue // Obtain gives up after a TTL
		}
		ctx, stop := context.WithCancel(m.Stopped)
		refreshed := make(chan struct{})
		go func() {
			defer close(refreshed)
			defer stop()
			for tick := time.NewTicker(ttl / 3); ; {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					if lock.Refresh(ctx, ttl, nil) != nil {
						return
					}
				}
			}
		}()
		m.Work(ctx)
		stop()
		<-refreshed
		_ = lock.Release(context.WithoutCancel(ctx))
	}
}

func TestRollout(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	rollout.Run(t, rollout.Fleets{
		Old: func(tb testing.TB, m *rollout.Member) (run, kill func()) {
			client := connect(tb, address)
			return func() { old(client, m) }, func() { _ = client.Close() }
		},
		Lock: func(tb testing.TB, _ *rollout.Member) (lock bridge.Lock, kill func()) {
			client := connect(tb, address)
			return newLock(client), func() { _ = client.Close() }
		},
	})
}

// A failover can forget the key. The holder notices with its next renewal, and leaves the key of
// another process alone.
func TestKeyOfAnother(t *testing.T) {
	t.Parallel()
	client := connect(t, startServer(t))
	lock := newLock(client)
	lock.Value = func() string { return "host-1" }
	held, err := lock.Acquire(t.Context())
	require.NoError(t, err)
	require.Equal(t, "host-1", client.Get(t.Context(), key).Val())
	require.NoError(t, client.Set(t.Context(), key, "host-2", time.Hour).Err())
	select {
	case <-held.Lost():
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: the loss")
	}
	require.False(t, held.Holds())
	require.NoError(t, held.Release(t.Context()), "the loss is known already")
	require.Equal(t, "host-2", client.Get(t.Context(), key).Val())

	require.NoError(t, client.Del(t.Context(), key).Err())
	held, err = lock.Acquire(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Set(t.Context(), key, "host-2", time.Hour).Err())
	require.ErrorIs(t, held.Release(t.Context()), redis.ErrNotHeld, "before a renewal has noticed it")
	require.Equal(t, "host-2", client.Get(t.Context(), key).Val())
}

// A process that stops waiting leaves nothing behind, also if its attempt came through and the answer
// did not.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	client := connect(t, startServer(t))
	lock := newLock(client)
	eval := lock.Eval
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lock.Eval = func(ctx context.Context, script string, keys []string, args ...any) (int64, error) {
		n, err := eval(ctx, script, keys, args...)
		if strings.Contains(script, "'NX'") {
			cancel()
			return 0, os.ErrDeadlineExceeded
		}
		return n, err
	}
	_, err := lock.Acquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, client.Get(t.Context(), key).Err(), goredis.Nil)
}

// The lock is lost when no renewal has been answered for the TTL, and Acquire fails when no attempt
// was.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	client := connect(t, startServer(t))
	lock := newLock(client)
	lock.TTL = 100 * time.Millisecond
	begun := time.Now()
	held, err := lock.Acquire(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Close())
	select {
	case <-held.Lost():
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: the loss")
	}
	require.GreaterOrEqual(t, time.Since(begun), 90*time.Millisecond)
	require.ErrorIs(t, held.Release(t.Context()), goredis.ErrClosed)
	_, err = lock.Acquire(t.Context())
	require.ErrorIs(t, err, goredis.ErrClosed)
	require.ErrorContains(t, err, "does not answer")
}

func TestInvalidLock(t *testing.T) {
	_, err := (&redis.Lock{}).Acquire(t.Context())
	require.ErrorContains(t, err, "needs Eval")
}

// After the migration the key stays taken, so that an old process that starts by mistake waits.
func TestRetiredLock(t *testing.T) {
	t.Parallel()
	client := connect(t, startServer(t))
	require.True(t, client.SetNX(t.Context(), key, "retired", 0).Val())
	require.Equal(t, time.Duration(-1), client.PTTL(t.Context(), key).Val(), "for ever")
	_, err := redislock.Obtain(t.Context(), client, key, ttl, nil)
	require.ErrorIs(t, err, redislock.ErrNotObtained)
}
