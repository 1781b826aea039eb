package elector_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// wedge blocks whatever enters it until it is opened.
type wedge struct{ entered, opened chan struct{} }

func newWedge() wedge { return wedge{make(chan struct{}, 100), make(chan struct{})} }

func (w wedge) enter() {
	w.entered <- struct{}{}
	<-w.opened
}

func (w wedge) Write(line []byte) (int, error) { w.enter(); return len(line), nil }

// Health answers at once if a Logger or a lock blocks the loop for ever, of a follower or of a
// leader. The test runs in real time, because virtual time stops while a goroutine waits for a
// lock. The clock of the process jumps instead.
func TestHealthOfABlockedLoop(t *testing.T) {
	for name, test := range map[string]struct{ leads, lock bool }{
		"a logger blocks a follower": {}, "a logger blocks a leader": {leads: true}, "a lock blocks a leader": {leads: true, lock: true},
	} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(_ context.Context, c *memkv.Call) error {
				if broken.Load() && c.Client == "a" {
					return errDisk // which is logged
				}
				return nil
			}}})
			e, config := election.New(subspace.New("test")), fdbelection.ConfigWithLease(300*time.Millisecond)
			leads := make(chan struct{}, 1)
			if !test.leads {
				b, err := elector.New(db, e, elector.Options{NodeID: "b", Config: config, Callbacks: elector.Callbacks{
					OnElected: func(context.Context, elector.Transition) { leads <- struct{}{} },
				}})
				require.NoError(t, err)
				require.NoError(t, b.Start(t.Context()))
				t.Cleanup(b.Abandon)
				<-leads
			}
			w, clock, known := newWedge(), newSkewedClock(), make(chan struct{}, 100)
			a, err := elector.New(db.NewClient("a", memkv.ClientOptions{}), e, elector.Options{
				NodeID: "a", Config: config, Clock: clock, Logger: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn})),
				Callbacks: elector.Callbacks{OnNewLeader: func(context.Context, elector.LeaderInfo) { known <- struct{}{} }},
			})
			require.NoError(t, err)
			lost := make(chan struct{})
			go func() {
				_ = a.Run(t.Context(), func(ctx context.Context, lead *elector.Leadership) error {
					calls := 0
					if test.lock && lead.Term() == 1 {
						lead.SubscribeDeadlines(func(elector.Deadlines) {
							if calls++; calls == 2 {
								w.enter()
							}
						})
					}
					<-ctx.Done()
					return nil
				})
				close(lost)
			}()
			<-known
			broken.Store(!test.lock)
			<-w.entered
			clock.suspend(time.Minute)
			require.Eventually(t, func() bool { // if the record of a watch came first, the loop is blocked by the next one
				err = a.Health(t.Context())
				return errors.Is(err, elector.ErrStuck) && strings.Contains(err.Error(), "something blocks the loop")
			}, time.Minute, time.Millisecond, "%v", err)

			broken.Store(false)
			close(w.opened)
			require.Eventually(t, func() bool { return a.Health(t.Context()) == nil }, time.Minute, time.Millisecond)
			require.NoError(t, a.Stop(t.Context()))
			<-lost
		})
	}
}
