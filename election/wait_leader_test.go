package election_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// waiting is an election in virtual time, on which WaitLeader waits. The lease is 10 s, and the
// heartbeat interval 3 s.
type waiting struct {
	*testing.T
	*election.LeaderElection
	db     *memkv.DB
	client *memkv.Client // of WaitLeader
	before atomic.Pointer[hook]
	after  atomic.Pointer[hook]
	a, b   election.Registration
	began  time.Time
}

// hook runs before each call of WaitLeader.
type hook func(ctx context.Context, c *memkv.Call) error

func inWaiting(t *testing.T, expiry fdbelection.ExpiryMode, test func(w *waiting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{T: t, began: time.Now()}
		w.LeaderElection = election.New(subspace.New("waiting"), election.WithClock(election.Clock{Now: time.Now}))
		w.db = memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(ctx context.Context, c *memkv.Call) error {
			if before := w.before.Load(); before != nil && *before != nil && c.Client == "waiter" {
				return (*before)(ctx, c)
			}
			return nil
		}, After: func(ctx context.Context, c *memkv.Call) error {
			if c.Client != "waiter" {
				return nil
			}
			if after := w.after.Swap(nil); after != nil { // once
				return (*after)(ctx, c)
			}
			return nil
		}}})
		w.client = w.db.NewClient("waiter", memkv.ClientOptions{})
		config := fdbelection.DefaultConfig()
		config.Expiry = expiry
		w.do(func(tr kv.Transaction) error { _, err := w.InitializeWithConfig(tr, config); return err })
		for i, me := range []*election.Registration{&w.a, &w.b} {
			*me = election.Registration{Identity: election.Identity{ID: string(rune('a' + i)), Incarnation: uuid.UUID{byte(i + 1)}}}
			w.do(func(tr kv.Transaction) error { return w.RegisterCandidate(tr, *me, time.Now()) })
		}
		test(w)
	})
}

func (w *waiting) do(fn func(tr kv.Transaction) error) {
	w.Helper()
	require.NoError(w, w.db.Transact(w.Context(), fn))
}

func (w *waiting) use(h hook) { w.before.Store(&h) }

// claims makes a candidate claim, renew or accept.
func (w *waiting) claims(me election.Registration) {
	w.Helper()
	w.do(func(tr kv.Transaction) error {
		_, err := w.RunElectionCycle(tr, me, time.Now(), election.WithObservation(election.Observation{}, time.Now()))
		return err
	})
}

func (w *waiting) resigns() {
	w.Helper()
	token := w.leader().Token()
	w.do(func(tr kv.Transaction) error { return w.ResignLeadership(tr, token, time.Now()) })
}

func (w *waiting) leader() election.LeaderRecord {
	w.Helper()
	leader, err := kv.ReadTransact(w.Context(), w.db, w.GetLeaderRaw)
	require.NoError(w, err)
	return leader
}

// at calls an act when some time has passed since the begin of the test.
func (w *waiting) at(d time.Duration, act func()) {
	time.AfterFunc(time.Until(w.began.Add(d)), func() {
		if w.Context().Err() == nil { // the test has not ended
			act()
		}
	})
}

// pass lets virtual time pass.
func (w *waiting) pass(d time.Duration) {
	w.Helper()
	require.NoError(w, clock.Sleep(w.Context(), timers{}, d))
}

// answers expects an answer when some time has passed since the begin of the test.
func (w *waiting) answers(id string, early, late time.Duration) {
	w.Helper()
	leader, err := w.WaitLeader(w.Context(), w.client)
	require.NoError(w, err)
	require.Equal(w, id, leader.ID)
	require.Equal(w, w.leader(), leader)
	passed := time.Since(w.began)
	require.GreaterOrEqual(w, passed, early)
	require.LessOrEqual(w, passed, late)
}

// timers are those of the bubble.
type timers struct{}

func (timers) AfterFunc(d time.Duration, f func()) *time.Timer { return time.AfterFunc(d, f) }

const poll = 300 * time.Millisecond // a tenth of the heartbeat interval

func TestWaitLeader(t *testing.T) {
	second := time.Second
	for name, test := range map[string]func(w *waiting){
		"the next renewal shows that the leader is alive": func(w *waiting) {
			w.claims(w.a)
			w.at(3*second, func() { w.claims(w.a) })
			w.answers("a", 3*second, 3*second+poll)
		},
		"a dead leader is not an answer, and its successor is one at once": func(w *waiting) {
			w.claims(w.a)
			w.at(30*second, func() {
				w.do(func(tr kv.Transaction) error {
					dead, err := w.GetLeaderRaw(tr)
					if err != nil {
						return err
					}
					return w.ForceResign(tr, dead.Token(), dead.Ballot, time.Now())
				})
				w.claims(w.b)
			})
			w.answers("b", 30*second, 30*second)
		},
		"a claim of a vacant leadership is an answer at once": func(w *waiting) {
			w.at(20*second, func() { w.claims(w.b) })
			w.answers("b", 20*second, 20*second)
		},
		"a successor is an answer after it has accepted": func(w *waiting) {
			w.claims(w.a)
			w.at(1*second, func() {
				token := w.leader().Token()
				w.do(func(tr kv.Transaction) error {
					_, err := w.TransferLeadership(tr, token, "b", uuid.UUID{9}, time.Now())
					return err
				})
			})
			w.at(2*second, func() { w.claims(w.b) })
			w.answers("b", 2*second, 2*second+poll)
		},
		"a leader that a read has seen displaced is not an answer": func(w *waiting) {
			w.claims(w.a)
			w.at(3*second+poll/2, func() { w.claims(w.a); w.resigns() }) // between two reads
			w.at(9*second, func() { w.claims(w.b) })
			w.answers("b", 9*second, 9*second)
		},
		"a renewal during a read that took longer than the lease is not an answer": func(w *waiting) {
			w.claims(w.a)
			slow := hook(func(ctx context.Context, _ *memkv.Call) error { return clock.Sleep(ctx, timers{}, 12*second) })
			w.after.Store(&slow)
			w.at(1*second, func() { w.claims(w.a) })
			w.at(25*second, func() { w.claims(w.a) })
			w.answers("a", 25*second, 25*second+poll)
		},
		"a renewal that was read too late is not an answer": func(w *waiting) {
			w.claims(w.a)
			w.at(1*second, func() {
				w.use(func(ctx context.Context, _ *memkv.Call) error { return clock.Sleep(ctx, timers{}, 20*second) })
			})
			w.at(2*second, func() {
				w.use(nil)
				w.claims(w.a)
			})
			w.at(25*second, func() { w.claims(w.a) })
			w.answers("a", 25*second, 25*second+poll)
		},
	} {
		t.Run(name, func(t *testing.T) { inWaiting(t, fdbelection.ExpiryByObservation, test) })
	}
}

// By clock, the first read decides, by the wall clock.
func TestWaitLeaderByClock(t *testing.T) {
	inWaiting(t, fdbelection.ExpiryByClock, func(w *waiting) {
		w.claims(w.a)
		w.pass(9 * time.Second)
		w.answers("a", 0, 9*time.Second)
		w.pass(time.Second)
		w.at(15*time.Second, func() { w.claims(w.b) })
		w.answers("b", 15*time.Second, 15*time.Second)
	})
}

// The error of a wait says what is missing, and matches the cause of its context. A store that
// does not answer, and one whose watches fail, cause no busy loop.
func TestWaitLeaderEnds(t *testing.T) {
	for name, test := range map[string]struct {
		does    func(w *waiting)
		problem string
	}{
		"vacant": {func(*waiting) {}, "leadership is vacant"},
		"dead":   {func(w *waiting) { w.claims(w.a) }, "a#01000000 holds leadership in term 1 and may be dead: no renewal was seen yet"},
		"no store": {func(w *waiting) {
			w.use(func(ctx context.Context, _ *memkv.Call) error { <-ctx.Done(); return ctx.Err() })
		}, "the store has not answered yet"},
	} {
		t.Run(name, func(t *testing.T) {
			inWaiting(t, fdbelection.ExpiryByObservation, func(w *waiting) {
				test.does(w)
				ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
				defer cancel()
				_, err := w.WaitLeader(ctx, w.client)
				require.ErrorIs(w, err, context.DeadlineExceeded)
				require.ErrorContains(w, err, test.problem)
				var unsettled *election.UnsettledError
				require.ErrorAs(w, err, &unsettled)
				require.Equal(w, time.Minute, time.Since(w.began))
			})
		})
	}
	inWaiting(t, fdbelection.ExpiryByObservation, func(w *waiting) {
		_, err := election.New(subspace.New("other")).WaitLeader(w.Context(), w.client)
		require.ErrorIs(w, err, fdbelection.ErrNotInitialized)
		w.do(func(tr kv.Transaction) error {
			tr.Set(w.Subspace().Sub("leader").Bytes(), []byte("rubbish"))
			return nil
		})
		_, err = w.WaitLeader(w.Context(), w.client)
		require.ErrorIs(w, err, fdbelection.ErrInvalidState)
	})
}

// A store whose watches fail is read on the timer, and not more often.
func TestWaitLeaderWithoutWatches(t *testing.T) {
	inWaiting(t, fdbelection.ExpiryByObservation, func(w *waiting) {
		watches := 0
		w.use(func(_ context.Context, c *memkv.Call) error {
			if c.Kind != memkv.CallWatch {
				return nil
			}
			watches++
			return kv.Error{Code: kv.CodeTooManyWatches}
		})
		w.at(20*time.Second, func() { w.claims(w.b) })
		w.answers("b", 20*time.Second, 23*time.Second)
		require.LessOrEqual(w, watches, 8)
	})
}

// TestWaitLeaderInRandomElections: whatever happens, an answer is the leader of that instant, and
// it has written its record less than a lease ago.
func TestWaitLeaderInRandomElections(t *testing.T) {
	seed := testseed.Draw(t)
	for i := range longtest.Pick(50, 500) {
		inWaiting(t, fdbelection.ExpiryByObservation, func(w *waiting) {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for at := time.Duration(0); at < 10*time.Minute; {
				at += time.Duration(random.Int64N(int64(8 * time.Second)))
				act, me := random.IntN(8), []election.Registration{w.a, w.b}[random.IntN(2)]
				w.at(at, func() {
					switch leader := w.leader(); {
					case act == 0 && !leader.Vacant():
						w.resigns()
					case act == 1 && leader.ID == "a" && leader.Accepted:
						w.do(func(tr kv.Transaction) error {
							_, err := w.TransferLeadership(tr, leader.Token(), "b", uuid.New(), time.Now())
							return err
						})
					case act < 6 && (leader.Vacant() || leader.Identity == me.Identity):
						w.claims(me)
					}
				})
			}
			for range 50 {
				ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
				leader, err := w.WaitLeader(ctx, w.client)
				cancel()
				if err == nil {
					require.Equal(w, w.leader(), leader)
					require.True(w, leader.Accepted)
					require.True(w, time.Now().Before(leader.LeaseExpiry)) // all clocks are the same
				}
				w.pass(time.Duration(random.Int64N(int64(12 * time.Second))))
			}
		})
	}
}
