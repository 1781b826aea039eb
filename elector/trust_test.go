package elector_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// tenures hands out each leadership of a process in Run, whose work goes on until
// what it is given is closed, or else until the lease must not be used any more.
func (p *process) tenures(hold <-chan struct{}) <-chan *elector.Leadership {
	leads := make(chan *elector.Leadership, 100)
	p.run(p.w.Context(), func(_ context.Context, lead *elector.Leadership) error {
		leads <- lead
		<-lead.LeaseContext().Done()
		if hold != nil {
			<-hold
		}
		return nil
	})
	return leads
}

// Whatever the store does with its calls, belief ends where it must: the work is
// asked to stop, and then the lease is over.
func TestBeliefEndsWhileTheStoreHangs(t *testing.T) {
	for name, fault := range map[string]func(release chan struct{}) hook{
		"commits until their time limit": func(chan struct{}) hook { return on(memkv.CallCommit, "a", hang) },
		"commits whatever their context says": func(release chan struct{}) hook {
			return on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error { <-release; return nil })
		},
		"reads until their time limit": func(chan struct{}) hook { return on(memkv.CallRead, "a", hang) },
		"everything":                   func(chan struct{}) hook { return of("a", hang) },
		"by failing at once":           func(chan struct{}) hook { return of("a", fail(errDisk)) },
		"by failing in a way that is retried": func(chan struct{}) hook {
			return of("a", fail(kv.Error{Code: kv.CodeProcessBehind}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				release := make(chan struct{})
				p := w.process("a")
				tenures := p.tenures(nil)
				lead := within(w, tenures, "leadership")
				time.Sleep(heartbeat + heartbeat/2) // one renewal
				renewed := w.start.Add(heartbeat)
				w.before(fault(release))

				<-lead.Context().Done()
				require.Equal(w, stopAt, time.Since(renewed))
				require.False(w, p.believes())
				require.False(w, lead.Leads())
				require.ErrorIs(w, context.Cause(lead.Context()), fdbelection.ErrNotLeader)
				require.NoError(w, lead.LeaseContext().Err())
				<-lead.LeaseContext().Done()
				require.Equal(w, endAt, time.Since(renewed))

				w.before(nil)
				close(release)
				again := within(w, tenures, "another leadership")
				require.Equal(w, lead.Term()+1, again.Term(), "a claim after belief ended is a new tenure")
				require.Contains(w, p.history(), elector.StateJeopardy)
			})
		})
	}
}

// An attempt whose fate is not known counts as if it had been committed: where it
// writes a shorter lease, belief shrinks before its commit is issued.
func TestShorterLeaseShortensBeliefFirst(t *testing.T) {
	for name, fault := range map[string]hook{
		"applied, and not acknowledged": fail(kv.Error{Code: kv.CodeTransactionTimedOut}),
		"applied, and not answered yet": hang,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				lead := within(w, p.tenures(nil), "leadership")
				time.Sleep(heartbeat / 2) // its watches are armed
				w.reconfigure(func(c *fdbelection.Config) { c.LeaseDuration, c.HeartbeatInterval = lease/10, lease/30 })
				w.after(on(memkv.CallCommit, "a", fault))
				<-lead.Context().Done()
				shortened := w.start.Add(heartbeat) // the first renewal under the new config
				require.Equal(w, stopAt/10, time.Since(shortened))
				<-lead.LeaseContext().Done()
				require.Equal(w, endAt/10, time.Since(shortened))
				w.after(nil)
			})
		})
	}
}

// Belief counts from the start of the attempt, however late its answer comes.
func TestBeliefCountsFromTheStart(t *testing.T) {
	for name, test := range map[string]struct {
		delay  time.Duration // of the answer to the claim
		ballot uint64        // with which belief begins
	}{
		"in time for work":    {heartbeat - time.Millisecond, 1},
		"too late for work":   {stopAt + time.Millisecond, 2},
		"too late for belief": {endAt + time.Millisecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				claim := w.commits("a", "term")
				var slow atomic.Bool
				w.after(func(_ context.Context, c *memkv.Call) error {
					if c.Kind != memkv.CallCommit {
						return nil
					}
					if claim(c) && !slow.Swap(true) {
						time.Sleep(test.delay) // whatever its context says
						return nil
					}
					return nil
				})
				p := w.process("a")
				lead := within(w, p.tenures(nil), "leadership")
				require.Equal(w, test.ballot, lead.Ballot())
				w.before(on(memkv.CallCommit, "a", hang))
				wrote := w.start
				if test.ballot == 2 {
					wrote = time.Now()
				}
				<-lead.Context().Done()
				require.Equal(w, stopAt, time.Since(wrote))
				w.before(nil)
			})
		})
	}
}

// An acknowledged renewal outdates what is not known of earlier ones.
func TestAcknowledgedRenewalSettlesEarlierOnes(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead := within(w, p.tenures(nil), "leadership")
		lost, wasLost := once(w.commits("a", "leader"), fail(kv.Error{Code: kv.CodeTransactionTimedOut}))
		w.after(lost)
		time.Sleep(10 * lease)
		require.True(w, wasLost())
		require.True(w, lead.Leads())
		require.Equal(w, uint64(1), w.seat().Term)
	})
}

// Work that does not stop when it must holds up the next tenure, and nothing
// else does.
func TestNothingIsClaimedBeforeWorkReturned(t *testing.T) {
	inWorld(t, func(w *world) {
		hold := make(chan struct{})
		p := w.process("a")
		tenures := p.tenures(hold)
		first := within(w, tenures, "leadership")
		w.before(on(memkv.CallCommit, "a", fail(errDisk)))
		<-first.LeaseContext().Done()
		w.before(nil)
		time.Sleep(10 * lease)
		require.Equal(w, uint64(1), w.seat().Term)
		require.Empty(w, tenures)
		require.NotEmpty(w, w.candidates(), "it says that it is alive meanwhile")
		close(hold)
		synctest.Wait()
		require.Equal(w, uint64(2), within(w, tenures, "another leadership").Term())
	})
}

// A suspension is noticed at the next call, before any timer has run, and before
// any loop has: the clock is compared.
func TestSuspensionIsNoticedAtTheNextCall(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead := within(w, p.tenures(nil), "leadership")
		time.Sleep(heartbeat / 2)
		require.True(w, p.believes())
		p.clock.suspend(stopAt)

		require.ErrorIs(w, p.IsLeader(w.Context()), fdbelection.ErrNotLeader)
		require.False(w, lead.Leads())
		require.Error(w, lead.Context().Err())
		require.NotEqual(w, elector.StateLeader, p.State())
		_, known := p.Leader()
		require.False(w, known)
		require.NoError(w, lead.LeaseContext().Err(), "it may still be used to finish")
		p.clock.suspend(endAt - stopAt)
		require.Error(w, lead.LeaseContext().Err())
	})
}

// The same for who follows: it does not name a leader whose lease is over by its
// own clock.
func TestFollowersBeliefEndsWithASuspension(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("a").leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(2 * heartbeat)
		require.Equal(w, "a", b.LeaderID())
		b.clock.suspend(lease)
		require.Empty(w, b.LeaderID())
	})
}

// Nobody's wall clock takes part: it may jump as it likes.
func TestWallClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"back": -time.Hour, "forward": time.Hour} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.begin("a")
				a.leads()
				b := w.begin("b", priority(-1))
				b.enters(elector.StateFollower)
				for _, p := range []*process{a, b} {
					time.Sleep(lease)
					p.clock.setWall(jump)
					time.Sleep(5 * lease)
					require.True(w, a.believes())
					require.Equal(w, uint64(1), w.seat().Term)
					require.True(w, w.listed("b"))
				}
				require.Equal(w, []elector.State{elector.StateCandidate, elector.StateLeader}, a.history())
			})
		})
	}
}

// Clocks whose rates differ by less than the margin never show two leaders.
func TestClockRates(t *testing.T) {
	inWorld(t, func(w *world) {
		slow, fast := w.begin("slow"), w.process("fast")
		slow.clock.setRate(0.96)
		fast.clock.setRate(1.04)
		slow.leads()
		require.NoError(w, fast.Start(w.Context()))
		fast.enters(elector.StateFollower)
		time.Sleep(5 * lease)
		require.Equal(w, uint64(1), w.seat().Term)
		w.before(of("slow", hang))
		for !fast.believes() {
			require.LessOrEqual(w, slow.Term(), uint64(1))
			time.Sleep(time.Millisecond)
		}
		require.False(w, slow.believes())
		w.before(nil)
	})
}

// A timer that runs ahead of the clock is set again.
func TestTimerRunsAheadOfTheClock(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		p.clock.suspend(-heartbeat / 2) // what is due by the timers is not yet by the clock
		time.Sleep(5 * lease)
		require.True(w, p.believes())
		require.Greater(w, w.seat().Ballot, uint64(10))
	})
}

// stuck is the writer of a log that nobody reads.
type stuck struct{ release chan struct{} }

func (s stuck) Write(line []byte) (int, error) { <-s.release; return len(line), nil }

// The context of the work ends in time even where a log line holds up the loop.
// (In real time: virtual time stands still for who waits for a lock.)
func TestBeliefEndsWhileTheLoopHangs(t *testing.T) {
	out := stuck{make(chan struct{})}
	var broken atomic.Bool
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(context.Context, *memkv.Call) error {
		if broken.Load() {
			return errDisk // which is logged
		}
		return nil
	}}})
	el, err := elector.New(db, election.New(subspace.New("test")), elector.Options{
		Config: fdbelection.ConfigWithLease(300 * time.Millisecond),
		Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(t, err)
	lead, err := el.Campaign(t.Context())
	require.NoError(t, err)
	broken.Store(true)
	<-lead.Context().Done()
	<-lead.LeaseContext().Done()
	require.ErrorIs(t, el.IsLeader(t.Context()), fdbelection.ErrNotLeader)
	broken.Store(false)
	close(out.release)
	require.NoError(t, lead.Resign(t.Context()))
	require.NoError(t, el.Stop(t.Context()))
}

// Whoever asks may find the time come while a renewal is being taken in that
// moves it on: the answer was no, so the tenure is over, and the loop goes on with
// another one rather than hold a seat that nobody believes in. Here the clock goes
// ahead for the question, and back.
func TestTheAnswerNoStands(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		term := a.Term()
		a.clock.suspend(lease)
		require.ErrorIs(w, a.IsLeader(w.Context()), fdbelection.ErrNotLeader)
		a.clock.suspend(-lease)
		require.ErrorIs(w, a.IsLeader(w.Context()), fdbelection.ErrNotLeader)
		time.Sleep(2 * heartbeat)
		require.NoError(w, a.IsLeader(w.Context()))
		require.Equal(w, term+1, a.Term())
	})
}
