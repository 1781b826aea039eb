package memkv

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// on returns a hook for one kind of call.
func on(kind CallKind, f func(ctx context.Context, c *Call) error) func(context.Context, *Call) error {
	return func(ctx context.Context, c *Call) error {
		if c.Kind != kind {
			return nil
		}
		return f(ctx, c)
	}
}

func hooked(clock *testClock, hooks *Hooks) *DB {
	opts := clock.options()
	opts.Hooks, opts.KeepLog = hooks, true
	return New(opts)
}

// TestCallsAreDescribed checks what a hook learns about a call.
func TestCallsAreDescribed(t *testing.T) {
	var seen []string
	hooks := &Hooks{
		Before: func(_ context.Context, c *Call) error {
			line := fmt.Sprintf("before %s of %s %d %s", c.Kind, c.Client, c.Transaction, c.Label)
			for _, r := range c.Reads {
				line += fmt.Sprintf(" %s", r.Key)
			}
			if c.Commit != nil {
				for _, m := range c.Commit.Mutations {
					line += fmt.Sprintf(" %s=%s", m.Key, m.Value)
				}
			}
			if c.Watch != nil {
				line += fmt.Sprintf(" %s of %s %d %s", c.Watch.Key, c.Watch.Client, c.Watch.Transaction, c.Watch.Label)
			}
			seen = append(seen, line)
			return nil
		},
		After: func(_ context.Context, c *Call) error {
			line := fmt.Sprintf("after %s", c.Kind)
			for _, r := range c.Reads {
				line += fmt.Sprintf(" %s=%s", r.Key, r.Value)
			}
			seen = append(seen, line+fmt.Sprint(" ", kv.CodeOf(c.Err), " ", c.Result.Version > 0))
			return nil
		},
	}
	db := hooked(newTestClock(), hooks)
	put(t, db, "a", "1")
	seen = nil
	p := db.NewClient("p1", ClientOptions{})
	tr, err := p.CreateTransaction(WithLabel(t.Context(), "op"))
	require.NoError(t, err)
	_, err = tr.GetReadVersion().Get()
	require.NoError(t, err)
	tr.Get([]byte("b"))
	require.Equal(t, "1", mustGet(t, tr, "a"))
	tr.Watch([]byte("a"))
	tr.Set([]byte("c"), []byte("3"))
	require.NoError(t, tr.Commit())
	require.Equal(t, []string{
		"before read version of p1 2 op", "after read version 0 false",
		"before read of p1 2 op b a", "after read b= a=1 0 false",
		"before commit of p1 2 op c=3", "after commit 0 true",
		"before watch of p1 2 op a of p1 2 op", "after watch 0 false",
	}, seen)
	require.Equal(t, "op", db.CommitLog()[1].Label)
}

// TestBeforeInjects checks that the client gets an error of Before, and that the
// store does not act.
func TestBeforeInjects(t *testing.T) {
	for _, code := range []int{1007, 1009, 1020, 1021, 1031, 1037, 1038, 1039, 1213} {
		for _, kind := range []CallKind{CallRead, CallReadVersion, CallCommit, CallWatch} {
			db := hooked(newTestClock(), &Hooks{Before: on(kind, func(context.Context, *Call) error {
				return kv.Error{Code: code}
			})})
			tr := begin(t, db)
			var w kv.Watch
			err := func() error {
				if kind == CallWatch {
					w = tr.Watch([]byte("watched"))
				}
				if kind == CallReadVersion {
					_, err := tr.GetReadVersion().Get()
					return err
				}
				if _, err := tr.Get([]byte("a")).Get(); err != nil {
					return err
				}
				tr.Set([]byte("k"), nil)
				return tr.Commit()
			}()
			if kind == CallWatch {
				require.NoError(t, err)
				err = w.Err()
				require.Equal(t, 0, db.watches.outstanding)
			}
			require.Equal(t, code, kv.CodeOf(err), "%s", kind)
			if kind == CallCommit {
				require.Empty(t, db.CommitLog())
			}
			certain := kv.Error{Code: code}.RetryableNotCommitted() || kind == CallRead || kind == CallReadVersion
			if code != 1021 && code != 1039 {
				require.Equal(t, certain || kind == CallWatch, kv.OutcomeOf(err) == kv.NotCommitted, "%s fails with %d", kind, code)
			}
		}
	}
}

// TestLostAcknowledgement checks that a commit is applied and logged although its
// client got an error.
func TestLostAcknowledgement(t *testing.T) {
	for _, code := range []int{1021, 1031, 1039} {
		db := hooked(newTestClock(), &Hooks{After: on(CallCommit, func(_ context.Context, c *Call) error {
			if applied := c.Result.Version != 0; applied && c.Commit.Mutations[0].Key[0] == 'x' {
				return kv.Error{Code: code}
			}
			return nil
		})})
		put(t, db, "a", "")
		tr := begin(t, db)
		tr.Set([]byte("x"), nil)
		err := tr.Commit()
		require.Equal(t, code, kv.CodeOf(err))
		require.Contains(t, []kv.Outcome{kv.Unsettled, kv.UnknownResult}, kv.OutcomeOf(err))
		require.Equal(t, []string{"a=", "x="}, contents(t, db))
		log := db.CommitLog()
		require.True(t, log[0].Acknowledged)
		require.False(t, log[1].Acknowledged)
		require.False(t, log[1].Late)
	}
}

// TestLateCommit checks that a late commit is checked for conflicts and age when it
// is applied.
func TestLateCommit(t *testing.T) {
	var late []*LateCommit
	clock := newTestClock()
	db := hooked(clock, &Hooks{Before: on(CallCommit, func(_ context.Context, c *Call) error {
		if c.Client != "slow" {
			return nil
		}
		late = append(late, c.Detach())
		require.Same(t, late[len(late)-1], c.Detach())
		return kv.Error{Code: kv.CodeTransactionTimedOut}
	})})
	slow := db.NewClient("slow", ClientOptions{})
	attempt := func(key string) {
		tr := begin(t, slow)
		require.Equal(t, "(none)", mustGet(t, tr, key))
		tr.Set([]byte(key), []byte("late"))
		stamp := tr.GetVersionstamp()
		err := tr.Commit()
		require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(err))
		require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
		_, err = stamp.Get()
		require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(err))
		tr.Reset() // the transaction may reuse its memory
		tr.Set([]byte("zzzz"), []byte("zzzz"))
		tr.Cancel()
	}
	attempt("a")
	attempt("b")
	attempt("c")
	require.Empty(t, contents(t, db))
	put(t, db, "b", "settled")

	clock.pass(3 * time.Second)
	result, err := late[0].Land()
	require.NoError(t, err)
	require.Positive(t, result.Version)
	_, err = late[1].Land()
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(err), "another commit came first")
	clock.pass(3 * time.Second)
	_, err = late[2].Land()
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(err))
	require.Equal(t, []string{"a=late", "b=settled"}, contents(t, db))

	again, err := late[0].Land()
	require.NoError(t, err)
	require.Equal(t, result, again, "it is applied once")
	log := db.CommitLog()
	require.Len(t, log, 2)
	require.True(t, log[1].Late && !log[1].Acknowledged)
	require.Equal(t, "slow", log[1].Client)
	require.Equal(t, "late", string(log[1].Mutations[0].Value))
}

// TestDetachWithoutAnError checks that the outcome is Unsettled if Before returns
// nil after Detach.
func TestDetachWithoutAnError(t *testing.T) {
	db := hooked(newTestClock(), &Hooks{Before: on(CallCommit, func(_ context.Context, c *Call) error {
		c.Detach()
		return nil
	})})
	tr := begin(t, db)
	tr.Set([]byte("k"), nil)
	require.Equal(t, kv.Unsettled, kv.OutcomeOf(tr.Commit()))
	require.Panics(t, func() { (&Call{Kind: CallRead}).Detach() })
	require.Panics(t, func() { (&Call{Kind: CallCommit, Result: CommitResult{Version: 1}}).Detach() })
}

// TestHookWaitsForTheContext checks that a commit whose context ends is unsettled,
// whether or not it was applied.
func TestHookWaitsForTheContext(t *testing.T) {
	wait := on(CallCommit, func(ctx context.Context, _ *Call) error {
		<-ctx.Done()
		return ctx.Err()
	})
	for name, hooks := range map[string]*Hooks{"before": {Before: wait}, "after": {After: wait}} {
		db := hooked(newTestClock(), hooks)
		ctx, cancel := context.WithCancel(t.Context())
		tr, err := db.CreateTransaction(ctx)
		require.NoError(t, err)
		tr.Set([]byte("k"), nil)
		answer := make(chan error)
		go func() { answer <- tr.Commit() }()
		cancel()
		err = <-answer
		require.ErrorIs(t, err, context.Canceled, name)
		if kv.OutcomeOf(err) != kv.NotCommitted { // the context may have ended before the commit
			require.Equal(t, kv.Unsettled, kv.OutcomeOf(err), name)
		}
	}
}

// TestHookSeesTheTimeLimit checks that the context's deadline is the time limit on
// the client's clock, so that a hook can wait in simulated time.
func TestHookSeesTheTimeLimit(t *testing.T) {
	clock := newTestClock()
	db := hooked(clock, &Hooks{Before: on(CallCommit, func(ctx context.Context, _ *Call) error {
		deadline, ok := ctx.Deadline()
		if !ok {
			return nil
		}
		clock.pass(deadline.Sub(clock.now))
		return ctx.Err()
	})})
	tr := begin(t, db)
	tr.SetTimeout(time.Second)
	tr.Set([]byte("k"), nil)
	err := tr.Commit()
	require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(err))
	require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
	require.Empty(t, contents(t, db))
}

// TestWatchHooks checks that hooks can delay, lose, fail and invent notifications.
func TestWatchHooks(t *testing.T) {
	var registered []*Watch
	var held []*Watch
	hold := false
	db := hooked(newTestClock(), &Hooks{
		After: on(CallWatch, func(_ context.Context, c *Call) error {
			registered = append(registered, c.Watch)
			return nil
		}),
		Changed: func(w *Watch) bool {
			if hold {
				held = append(held, w)
			}
			return !hold
		},
	})
	watch := func() kv.Watch {
		var w kv.Watch
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			w = tr.Watch([]byte("k"))
			return nil
		}))
		return w
	}
	hold = true
	delayed := watch()
	put(t, db, "k", "1")
	require.Equal(t, &answer{Info: "pending"}, watchState(delayed))
	require.Len(t, held, 1)
	put(t, db, "k", "2")
	require.Len(t, held, 2, "Changed is called for each change")
	held[0].Notify(nil)
	held[1].Notify(nil)
	require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(delayed))

	hold = false
	notified := watch()
	put(t, db, "k", "3")
	require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(notified))

	spurious, failed := watch(), watch()
	registered[2].Notify(nil)
	registered[3].Notify(kv.Error{Code: kv.CodeClusterVersionChanged})
	require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(spurious))
	require.Equal(t, &answer{Err: kv.CodeClusterVersionChanged}, watchState(failed))
	require.Zero(t, db.watches.outstanding)
}

// coroutines runs clients one at a time. Each runs until its next call of the
// store.
type coroutines struct {
	next   map[string]func() (struct{}, bool)
	yields map[string]func(struct{}) bool
}

func (c *coroutines) start(name string, body func()) {
	next, _ := iter.Pull(func(yield func(struct{}) bool) {
		c.yields[name] = yield
		body()
	})
	c.next[name] = next
}

// TestDeterministicSchedule runs two clients on one thread, in an order that makes
// one of them conflict. It checks that two runs have the same log and start no
// goroutine.
func TestDeterministicSchedule(t *testing.T) {
	run := func(schedule []string) (log []string, conflicts int64) {
		co := &coroutines{map[string]func() (struct{}, bool){}, map[string]func(struct{}) bool{}}
		yield := func(_ context.Context, c *Call) error {
			co.yields[c.Client](struct{}{})
			return nil
		}
		db := hooked(newTestClock(), &Hooks{Before: yield, After: yield})
		for _, name := range []string{"p1", "p2"} {
			client := db.NewClient(name, ClientOptions{})
			co.start(name, func() {
				require.NoError(t, client.Transact(t.Context(), func(tr kv.Transaction) error {
					v, err := tr.Get([]byte("counter")).Get()
					if err != nil {
						return err
					}
					tr.Set([]byte("counter"), append(slices.Clone(v), name...))
					return nil
				}))
			})
		}
		for _, name := range schedule {
			co.next[name]()
		}
		for _, name := range []string{"p1", "p2"} {
			for more := true; more; {
				_, more = co.next[name]()
			}
		}
		for _, e := range db.CommitLog() {
			log = append(log, fmt.Sprint(e.Version, " ", e.ReadVersion, " ", e.Client, " ", string(e.Mutations[0].Value)))
		}
		return log, db.Counters().Conflicts
	}
	before := runtime.NumGoroutine()
	interleaved := []string{"p1", "p2", "p1", "p2", "p1", "p2", "p2", "p1"}
	log, conflicts := run(interleaved)
	again, _ := run(interleaved)
	require.Equal(t, log, again)
	require.EqualValues(t, 1, conflicts)
	require.Len(t, log, 2)
	_, conflicts = run(nil) // one after the other
	require.Zero(t, conflicts)
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "a goroutine of an earlier test may have ended")
}

// TestFailedWatchIsRemoved checks that a registered watch is removed if a hook fails its
// call.
func TestFailedWatchIsRemoved(t *testing.T) {
	db := hooked(newTestClock(), &Hooks{After: on(CallWatch, func(context.Context, *Call) error {
		return kv.Error{Code: kv.CodeClusterVersionChanged}
	})})
	w := register(t, db, "k", nil)
	require.Equal(t, kv.CodeClusterVersionChanged, kv.CodeOf(w.Err()))
	require.Zero(t, db.watches.outstanding)
}
