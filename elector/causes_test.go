package elector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// as reports whether an error is of a type.
func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

// A campaign that ends without leadership says what stood in its way, beside the cause
// of its context.
func TestCampaignSaysWhatItWaitedFor(t *testing.T) {
	mustExist := func(_ *process, o *elector.Options) { o.MustExist = true }
	for name, test := range map[string]struct {
		setting setting
		prepare func(w *world, p *process)
		reasons []func(error) bool
	}{
		"an earlier Leadership that leads": {nil, func(w *world, p *process) {
			_, err := p.Campaign(w.Context())
			require.NoError(w, err)
		}, []func(error) bool{as[*elector.UnfinishedWorkError]}},
		"an earlier Leadership that was lost": {nil, func(w *world, p *process) {
			lead, err := p.Campaign(w.Context())
			require.NoError(w, err)
			w.before(fail(errDisk))
			<-lead.LeaseContext().Done()
			synctest.Wait()
		}, []func(error) bool{as[*elector.UnfinishedWorkError], is(errDisk)}},
		"a disabled election": {nil, func(w *world, _ *process) {
			w.initialize()
			w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		}, []func(error) bool{is(fdbelection.ErrElectionDisabled)}},
		"no election": {mustExist, func(*world, *process) {}, []func(error) bool{is(fdbelection.ErrNotInitialized)}},
		"another leader": {nil, func(w *world, _ *process) {
			w.begin("b", func(_ *process, o *elector.Options) { o.Metadata = map[string]string{"at": "10.0.0.1"} }).leads()
		}, []func(error) bool{func(err error) bool {
			held, ok := errors.AsType[*elector.OtherLeaderError](err)
			return ok && held.Leader.ID == "b" && held.Leader.Term == 1 && held.Leader.Metadata["at"] == "10.0.0.1"
		}}},
		"a store that fails": {nil, func(w *world, _ *process) { w.before(fail(errDisk)) }, []func(error) bool{is(errDisk)}},
		"a store that fails later": {nil, func(w *world, p *process) {
			w.begin("b").leads()
			ctx, cancel := context.WithTimeout(w.Context(), lease)
			defer cancel()
			_, err := p.Campaign(ctx)
			require.True(w, as[*elector.OtherLeaderError](err))
			w.before(of("a", fail(errDisk)))
		}, []func(error) bool{is(errDisk)}},
		"a store that hangs": {nil, func(w *world, _ *process) { w.before(hang) }, []func(error) bool{is(elector.ErrNoAnswer)}},
		"a store that hangs later": {nil, func(w *world, p *process) {
			w.begin("b").leads()
			ctx, cancel := context.WithTimeout(w.Context(), lease)
			defer cancel()
			_, err := p.Campaign(ctx)
			require.True(w, as[*elector.OtherLeaderError](err))
			w.before(of("a", hang))
		}, []func(error) bool{is(context.DeadlineExceeded)}},
		"a process that was there under this id": {nil, func(w *world, _ *process) {
			w.initialize()
			former := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{7}}}
			w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, former, time.Now()) })
		}, []func(error) bool{func(err error) bool { return strings.Contains(err.Error(), "a#07") }}},
		"a request to resign": {nil, func(w *world, p *process) {
			lead, err := p.Campaign(w.Context())
			require.NoError(w, err)
			w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
			<-lead.Context().Done()
			require.NoError(w, lead.Resign(w.Context()))
		}, []func(error) bool{func(err error) bool { return strings.Contains(err.Error(), "asked to resign") }}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				if test.setting != nil {
					p = w.process("a", test.setting)
				}
				test.prepare(w, p)
				ctx, cancel := context.WithTimeoutCause(w.Context(), lease-step, errWork)
				defer cancel()
				_, err := p.Campaign(ctx)
				require.ErrorIs(w, err, errWork)
				require.NotContains(w, err.Error(), "\n")
				for _, matches := range test.reasons {
					require.True(w, matches(err), err.Error())
				}
				w.before(nil)
			})
		})
	}
}

// Before the store has answered at all, there is nothing else to say.
func TestCampaignBeforeTheFirstAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.before(hang)
		ctx, cancel := context.WithTimeout(w.Context(), step)
		defer cancel()
		_, err := w.process("a").Campaign(ctx)
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.ErrorIs(w, err, elector.ErrNoAnswer)
		w.before(nil)
	})
}

// An observer never leads: its campaign ends at once, also if it becomes one while it
// campaigns. It may campaign again as a voter.
func TestCampaignOfAnObserver(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a", observer)
		began := time.Now()
		_, err := p.Campaign(w.Context())
		require.ErrorIs(w, err, fdbelection.ErrNotVoting)
		require.Equal(w, elector.StateStopped, p.State(), "it is not listed for that")

		require.NoError(w, p.SetRole(election.Voter))
		w.before(hang)
		_, errs := p.campaign(w.Context())
		_, others := p.campaign(w.Context())
		synctest.Wait()
		require.NoError(w, p.SetRole(election.Observer))
		require.ErrorIs(w, <-errs, fdbelection.ErrNotVoting)
		require.ErrorIs(w, <-others, fdbelection.ErrNotVoting)
		_, err = p.Campaign(w.Context())
		require.ErrorIs(w, err, fdbelection.ErrNotVoting)
		require.Equal(w, began, time.Now())

		w.before(nil)
		require.NoError(w, p.SetRole(election.Voter))
		time.Sleep(2 * lease)
		require.False(w, p.believes(), "it has not campaigned since")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		require.NoError(w, lead.Resign(w.Context()))
	})
}

// The contexts of a Leadership, and of the callbacks that begin with it, have the
// values of the Campaign that won it.
func TestCampaignHasTheValuesOfItsContext(t *testing.T) {
	type key struct{}
	inWorld(t, func(w *world) {
		elected := make(chan any, 10)
		p := w.process("a", callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(ctx context.Context, _ elector.Transition) { elected <- ctx.Value(key{}) }
		}))
		for i := range 3 {
			ctx, cancel := context.WithCancel(context.WithValue(w.Context(), key{}, i))
			lead, err := p.Campaign(ctx)
			require.NoError(w, err)
			cancel()
			require.NoError(w, lead.Context().Err(), "it does not end with that of the call")
			require.Equal(w, i, lead.Context().Value(key{}))
			require.Equal(w, i, lead.LeaseContext().Value(key{}))
			require.Equal(w, i, <-elected)
			require.NoError(w, lead.Resign(w.Context()))
		}
	})
}

// What work returns after it was asked to stop is reported, unless it says no more than
// that it was asked.
func TestErrorOfWorkThatStops(t *testing.T) {
	fenced := func(w *world, lead *elector.Leadership) error {
		return w.db.Transact(w.Context(), lead.Fence)
	}
	for name, test := range map[string]struct {
		returns  func(w *world, ctx context.Context, lead *elector.Leadership) error
		reported bool
	}{
		"an error":  {func(*world, context.Context, *elector.Leadership) error { return errWork }, true},
		"no error":  {func(*world, context.Context, *elector.Leadership) error { return nil }, false},
		"its end":   {func(_ *world, ctx context.Context, _ *elector.Leadership) error { return ctx.Err() }, false},
		"its cause": {func(_ *world, ctx context.Context, _ *elector.Leadership) error { return context.Cause(ctx) }, false},
		"its end in other words": {func(_ *world, ctx context.Context, _ *elector.Leadership) error {
			return fmt.Errorf("settle: %w", ctx.Err())
		}, false},
		"a transaction that ended with it": {func(w *world, ctx context.Context, lead *elector.Leadership) error {
			return w.db.Transact(ctx, lead.Fence)
		}, false},
		"the end of its fence": {func(w *world, _ context.Context, lead *elector.Leadership) error {
			time.Sleep(2 * lease)
			return fenced(w, lead)
		}, false},
		"its end and an error": {func(_ *world, ctx context.Context, _ *elector.Leadership) error {
			return errors.Join(ctx.Err(), errWork)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				p.run(w.Context(), func(ctx context.Context, lead *elector.Leadership) error {
					<-ctx.Done()
					return test.returns(w, ctx, lead)
				})
				p.leads()
				require.NoError(w, p.Stop(w.Context()))
				require.NoError(w, within(w, p.result, "its end"), "it has left in order")
				var failed []*elector.WorkError
				for len(p.Errors()) > 0 {
					if e, ok := errors.AsType[*elector.WorkError](<-p.Errors()); ok {
						failed = append(failed, e)
					}
				}
				if !test.reported {
					require.Empty(w, failed)
					return
				}
				require.Len(w, failed, 1)
				require.ErrorIs(w, failed[0], errWork)
				require.True(w, failed[0].Stopping)
				require.EqualValues(w, 1, failed[0].Term)
				require.ErrorContains(w, failed[0], "while it stopped")
			})
		})
	}
}

// An error of work that stops does not keep the process from leading again.
func TestErrorOfWorkThatStopsIsNoFailure(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize()
		p := w.process("a")
		p.run(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			<-ctx.Done()
			return errWork
		})
		p.leads()
		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		p.enters(elector.StateCandidate)
		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
		enabled := time.Now()
		p.leads()
		require.Less(w, time.Since(enabled), lease)
		require.Zero(w, p.ClusterState().Failures)
	})
}

// Work is asked to stop if the elector fails for good.
func TestWorkStopsIfTheElectorFails(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		ended := make(chan error, 1)
		p.run(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		})
		p.leads()
		newer := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{9}}}
		w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, newer, time.Now()) })
		taken := time.Now()
		require.ErrorIs(w, within(w, ended, "the end of the context"), fdbelection.ErrDuplicateID)
		require.LessOrEqual(w, time.Since(taken), w.config.CandidateTimeout/3+soon)
		require.ErrorIs(w, within(w, p.result, "its end"), fdbelection.ErrDuplicateID)
	})
}

// Once the process is registered, the one that was there under its id stands in no way.
func TestCampaignAfterAnIncumbentIsGone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("b").leads()
		former := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{7}}}
		w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, former, time.Now()) })
		p := w.process("a")
		for _, patience := range []time.Duration{heartbeat, w.config.CandidateTimeout} {
			ctx, cancel := context.WithTimeout(w.Context(), patience)
			_, err := p.Campaign(ctx)
			cancel()
			require.Equal(w, patience == heartbeat, strings.Contains(err.Error(), "a#07"), err.Error())
			require.Equal(w, patience > heartbeat, as[*elector.OtherLeaderError](err), err.Error())
		}
	})
}

// A panic with an error can be matched.
func TestPanicErrorMatchesItsValue(t *testing.T) {
	require.ErrorIs(t, &elector.CallbackError{Err: &elector.PanicError{Value: errWork}}, errWork)
	require.NoError(t, (&elector.PanicError{Value: "a bug"}).Unwrap())
}

// The text of a CallbackError names the callback, the change of state and the term.
func TestTextOfACallbackError(t *testing.T) {
	late := context.DeadlineExceeded
	for want, err := range map[string]*elector.CallbackError{
		"callback OnElected for candidate to leader in term 7: a bug": {
			Callback: "OnElected", Err: errors.New("a bug"),
			Transition: elector.Transition{From: elector.StateCandidate, To: elector.StateLeader, Term: 7},
		},
		"callback OnNewLeader in term 8: context deadline exceeded": {
			Callback: "OnNewLeader", Err: late, Transition: elector.Transition{Term: 8},
		},
		"callback OnStoreError: context deadline exceeded": {Callback: "OnStoreError", Err: late},
		"callback OnElected in term 9 has returned late: 3 calls were skipped meanwhile": {
			Callback: "OnElected", Err: late, Transition: elector.Transition{Term: 9}, Skipped: 3,
		},
	} {
		require.EqualError(t, err, want)
	}
}

// Errors that are not read are dropped, the oldest first.
func TestOldestErrorsAreDropped(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		var terms []uint64
		p.run(w.Context(), func(_ context.Context, lead *elector.Leadership) error {
			if terms = append(terms, lead.Term()); len(terms) == 70 {
				return elector.ErrDone
			}
			return errWork
		})
		timeout := time.After(100 * 32 * lease) // it holds off after each
		select {
		case err := <-p.result:
			require.NoError(w, err)
		case <-timeout:
			w.Fatal("the work does not end")
		}
		var kept []uint64
		for len(p.Errors()) > 0 {
			failed, ok := errors.AsType[*elector.WorkError](<-p.Errors())
			require.True(w, ok)
			kept = append(kept, failed.Term)
		}
		require.Equal(w, terms[5:69], kept)
	})
}
