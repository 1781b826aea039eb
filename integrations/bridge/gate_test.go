package bridge_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// The lock is there before the work begins, and is released after it has returned. Leadership is
// released after the lock.
func TestOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		p, k := w.process("a"), w.work()
		w.lock.release = func(context.Context) error {
			require.False(w, w.leader().Vacant(), "leadership is still held")
			return nil
		}
		w.run(w.Context(), p, k.run)
		ctx := next(w, k.begun, time.Second)
		require.True(w, p.gate.Leading())
		require.NoError(w, ctx.Err())
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop(w.Context()) }()
		<-ctx.Done()
		require.False(w, p.gate.Leading())
		require.ErrorAs(w, context.Cause(ctx), new(*elector.LossError))
		synctest.Wait()
		require.Len(w, w.lock.events, 2, "not released")
		k.proceed <- nil
		require.NoError(w, <-stopped)
		require.NoError(w, <-p.result)
		require.Equal(w, []string{"acquired", "begun", "returned", "released"}, w.events())
		require.True(w, w.leader().Vacant())
		require.Empty(w, p.Errors())
	})
}

func (w *world) events() (all []string) {
	for len(w.lock.events) > 0 {
		all = append(all, <-w.lock.events)
	}
	return all
}

// The elector leads while the gate waits. The gate does not.
func TestOnlyTheGateAnnounces(t *testing.T) {
	inWorld(t, func(w *world) {
		<-w.lock.free // an old process works
		p, k := w.process("a"), w.work()
		w.run(w.Context(), p, k.run)
		time.Sleep(10 * lease)
		require.True(w, p.Elector.Leading())
		require.False(w, p.gate.Leading())
		require.Empty(w, k.begun)
		w.lock.free <- struct{}{}
		next(w, k.begun, time.Second)
		require.True(w, p.gate.Leading())
		require.Equal(w, uint64(1), p.Term())
		k.proceed <- elector.ErrDone
		require.NoError(w, <-p.result)
		require.False(w, p.gate.Leading())
	})
}

// A leader that does not get the lock gives leadership up, and the next one waits for it.
func TestLimit(t *testing.T) {
	for name, test := range map[string]struct{ limit, gives, holdsOff time.Duration }{
		"default": {0, 32 * lease, lease},                                      // after each
		"short":   {2 * lease, 2 * lease, lease + 2*lease + 4*lease + 8*lease}, // in all
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				<-w.lock.free
				p := w.process("a")
				p.gate.Limit = test.limit
				begun := time.Now()
				w.run(w.Context(), p, untilStopped)
				for n := range 4 {
					var failed *elector.WorkError
					require.ErrorAs(w, next(w, p.Errors(), time.Hour), &failed)
					require.ErrorIs(w, failed, bridge.ErrNotAcquired)
					require.ErrorContains(w, failed, "within "+test.gives.String())
					require.False(w, failed.Stopping)
					if n == 0 {
						require.InDelta(w, test.gives, time.Since(begun), float64(time.Second))
						synctest.Wait()
						require.True(w, w.leader().Vacant())
					}
				}
				synctest.Wait()
				if state := p.ClusterState(); test.limit == 0 {
					require.Equal(w, 1, state.Failures, "a long wait ends the row of failures")
				} else {
					require.Equal(w, 4, state.Failures)
				}
				require.NoError(w, w.stop(p))
				require.Empty(w, w.events())
			})
		})
	}
}

// While the gate waits, everything that ends leadership ends the wait at once, and is not a failure.
func TestLeadershipEndsWhileTheGateWaits(t *testing.T) {
	for name, end := range map[string]func(*world, *process, context.CancelFunc){
		"Stop": func(w *world, p *process, _ context.CancelFunc) { require.NoError(w, p.Stop(w.Context())) },
		"Stop, and something stays behind": func(w *world, p *process, _ context.CancelFunc) {
			w.lock.left = errors.New("no route")
			require.NoError(w, p.Stop(w.Context()))
		},
		"the context of Run": func(_ *world, _ *process, cancel context.CancelFunc) { cancel() },
		"StopAndHandOver": func(w *world, p *process, _ context.CancelFunc) {
			require.NoError(w, p.StopAndHandOver(w.Context(), "b"))
		},
		"a forced resignation": func(w *world, p *process, _ context.CancelFunc) {
			require.NoError(w, w.db.Transact(w.Context(), func(tr kv.Transaction) error {
				return w.e.ForceResign(tr, w.leader().Token(), 0, time.Now())
			}))
			time.Sleep(time.Second)
			require.False(w, p.Elector.Leading())
			require.NoError(w, p.Stop(w.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				<-w.lock.free
				waits := make(chan struct{}, 10)
				w.lock.acquire = func(ctx context.Context) (bridge.Held, error) {
					waits <- struct{}{}
					w.lock.acquire = nil
					return w.lock.Acquire(ctx)
				}
				ctx, cancel := context.WithCancel(w.Context())
				defer cancel()
				a, b := w.process("a"), w.process("b")
				w.run(ctx, a, untilStopped)
				next(w, waits, time.Second)
				b.gate.Lock = newOldLock()
				w.run(w.Context(), b, untilStopped)
				time.Sleep(lease)
				begun := time.Now()
				end(w, a, cancel)
				require.NoError(w, next(w, a.result, 2*time.Second))
				require.Less(w, time.Since(begun), 2*time.Second)
				if left := w.lock.left; left == nil {
					require.Empty(w, a.Errors())
				} else {
					require.ErrorIs(w, next(w, a.Errors(), time.Second), left)
				}
				time.Sleep(time.Second)
				require.Equal(w, "b", w.leader().ID)
				require.True(w, b.gate.Leading())
				require.NoError(w, w.stop(b))
				require.Empty(w, w.events())
			})
		})
	}
}

// A lock that comes after the end of the wait is released, and the work does not begin.
func TestLateLock(t *testing.T) {
	for _, limited := range []bool{false, true} {
		inWorld(t, func(w *world) {
			late := w.lock.held()
			w.lock.acquire = func(ctx context.Context) (bridge.Held, error) {
				<-ctx.Done()
				return late, nil
			}
			w.lock.release = func(ctx context.Context) error { return ctx.Err() }
			p := w.process("a")
			p.gate.Limit = 10 * lease
			w.run(w.Context(), p, func(context.Context, *elector.Leadership) error {
				w.lock.events <- "begun"
				return elector.ErrDone
			})
			time.Sleep(lease)
			if limited {
				require.ErrorIs(w, next(w, p.Errors(), 10*lease), bridge.ErrNotAcquired)
				time.Sleep(lease / 2) // the process holds off
			}
			require.NoError(w, w.stop(p))
			require.Equal(w, []string{"acquired", "released"}, w.events())
			require.False(w, late.Holds())
			require.Empty(w, p.Errors())
		})
	}
}

// The old lock cannot tell when it is free: that is a failure at once.
func TestAcquireFails(t *testing.T) {
	inWorld(t, func(w *world) {
		broken := errors.New("connection refused")
		w.lock.acquire = func(context.Context) (bridge.Held, error) { return nil, broken }
		p := w.process("a")
		w.run(w.Context(), p, untilStopped)
		err := next(w, p.Errors(), time.Second)
		require.ErrorIs(w, err, broken)
		require.ErrorIs(w, err, bridge.ErrNotAcquired)
		require.NoError(w, w.stop(p))
	})
}

// If the lock is lost, everything that says that this process leads ends at once, although the
// database does not answer. The lock is released after the work has returned.
func TestLoss(t *testing.T) {
	inWorld(t, func(w *world) {
		var held *oldHeld
		w.lock.acquire = func(context.Context) (bridge.Held, error) {
			held = w.lock.held()
			return held, nil
		}
		w.lock.release = func(context.Context) error { return nil }
		p, k := w.process("a"), w.work()
		w.run(w.Context(), p, k.run)
		ctx, lead := next(w, k.begun, time.Second), next(w, k.leads, time.Second)
		hangs := make(chan struct{})
		w.hooks.Before = func(ctx context.Context, _ *memkv.Call) error {
			select {
			case <-hangs:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
		lost := time.Now()
		held.lose()
		require.Error(w, ctx.Err(), "before a timer or a goroutine")
		require.False(w, p.gate.Leading())
		synctest.Wait()
		require.ErrorIs(w, context.Cause(ctx), bridge.ErrLost)
		require.False(w, p.Elector.Leading())
		require.False(w, lead.Leads())
		require.Error(w, lead.Context().Err())
		require.Zero(w, time.Since(lost))
		require.Equal(w, []string{"acquired", "begun"}, w.events())
		k.proceed <- context.Cause(ctx)
		var failed *elector.WorkError
		require.ErrorAs(w, next(w, p.Errors(), time.Second), &failed)
		require.ErrorIs(w, failed, bridge.ErrLost)
		require.Equal(w, []string{"returned", "released"}, w.events())
		close(hangs)
		next(w, k.begun, lease)
		require.True(w, p.gate.Leading(), "it leads again")
		require.Greater(w, p.Term(), lead.Term())
		k.proceed <- elector.ErrDone
		require.NoError(w, <-p.result)
	})
}

// Work that goes on after its lease still has the old lock. So the successor does not work yet.
func TestWorkThatOutlastsItsLease(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b, k := w.process("a"), w.process("b"), w.work()
		w.run(w.Context(), a, k.run)
		ctx := next(w, k.begun, time.Second)
		began := make(chan struct{}, 10)
		w.run(w.Context(), b, func(ctx context.Context, _ *elector.Leadership) error {
			began <- struct{}{}
			return untilStopped(ctx, nil)
		})
		time.Sleep(lease)
		stopped := make(chan error, 1)
		go func() { stopped <- a.Stop(w.Context()) }()
		<-ctx.Done()
		time.Sleep(5 * lease)
		require.True(w, b.Elector.Leading())
		require.False(w, b.gate.Leading())
		require.Empty(w, began)
		require.Equal(w, []string{"acquired", "begun"}, w.events())
		k.proceed <- nil
		next(w, began, time.Second)
		require.True(w, b.gate.Leading())
		require.NoError(w, <-stopped)
		require.NoError(w, <-a.result)
		require.NoError(w, w.stop(b))
	})
}

// A panic of the work passes through Run, and the lock is released before that.
func TestPanic(t *testing.T) {
	inWorld(t, func(w *world) {
		var log strings.Builder
		p := w.process("a")
		p.gate.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.lock.release = func(context.Context) error { return errors.New("no route") }
		require.PanicsWithValue(w, "payments", func() {
			_ = p.gate.Run(w.Context(), p.Elector, func(context.Context, *elector.Leadership) error { panic("payments") })
		})
		require.Equal(w, []string{"acquired", "released"}, w.events())
		require.False(w, p.gate.Leading())
		require.Contains(w, log.String(), "no route")
		require.NoError(w, p.Stop(w.Context()))
		require.True(w, w.leader().Vacant())
	})
}

// A lock that cannot be released is reported, however the work has ended.
func TestReleaseFails(t *testing.T) {
	broken := errors.New("no route")
	for name, returned := range map[string]error{"stopped": nil, "failed": errors.New("a payment failed"), "done": elector.ErrDone} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p, k := w.process("a"), w.work()
				w.lock.release = func(context.Context) error { return broken }
				w.run(w.Context(), p, k.run)
				ctx := next(w, k.begun, time.Second)
				if returned == nil {
					go func() { _ = p.Stop(w.Context()) }()
					<-ctx.Done()
				}
				k.proceed <- returned
				if errors.Is(returned, elector.ErrDone) {
					err := <-p.result
					require.ErrorIs(w, err, broken)
					require.ErrorIs(w, err, bridge.ErrNotReleased)
					return
				}
				err := next(w, p.Errors(), time.Second)
				require.ErrorIs(w, err, broken)
				require.ErrorIs(w, err, bridge.ErrNotReleased)
				if returned != nil {
					require.ErrorIs(w, err, returned)
					require.NoError(w, w.stop(p))
					return
				}
				require.NoError(w, <-p.result)
			})
		})
	}
}

// A release that gets no answer ends with its limit. It has its time also if leadership was lost.
func TestReleaseLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		p, k := w.process("a"), w.work()
		w.lock.release = func(ctx context.Context) error {
			require.NoError(w, ctx.Err())
			<-ctx.Done()
			return ctx.Err()
		}
		w.run(w.Context(), p, k.run)
		ctx := next(w, k.begun, time.Second)
		go func() { _ = p.Stop(w.Context()) }()
		<-ctx.Done()
		k.proceed <- nil
		begun := time.Now()
		require.ErrorIs(w, next(w, p.Errors(), time.Minute), bridge.ErrNotReleased)
		require.Equal(w, 5*time.Second, time.Since(begun))
		require.NoError(w, <-p.result)
	})
}

// A leader that works hands over to its successor, which works after the lock is released.
func TestHandOver(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.process("a"), w.process("b")
		w.run(w.Context(), a, untilStopped)
		time.Sleep(time.Second)
		w.run(w.Context(), b, untilStopped)
		time.Sleep(time.Second)
		require.NoError(w, a.StopAndHandOver(w.Context(), "b"))
		require.NoError(w, <-a.result)
		time.Sleep(time.Second)
		require.True(w, b.gate.Leading())
		require.Equal(w, uint64(2), b.Term())
		require.Equal(w, []string{"acquired", "released", "acquired"}, w.events())
		require.NoError(w, w.stop(b))
	})
}

func TestRunRefuses(t *testing.T) {
	require.ErrorContains(t, (&bridge.Gate{}).Run(t.Context(), nil, nil), "needs a Lock")
	inWorld(t, func(w *world) {
		p := w.process("a")
		require.NoError(w, p.Start(w.Context()))
		require.ErrorIs(w, p.gate.Run(w.Context(), p.Elector, untilStopped), elector.ErrRunning)
		require.NoError(w, p.Stop(w.Context()))
	})
}
