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

// A campaign that ends without leadership returns what prevented it, and the cause of its
// context.
func TestCampaignReportsObstacles(t *testing.T) {
	mustExist := func(_ *process, o *elector.Options) { o.MustExist = true }
	for name, test := range map[string]struct {
		setting   setting
		prepare   func(tc *cluster, p *process)
		obstacles []func(error) bool
	}{
		"an earlier Leadership that leads": {nil, func(tc *cluster, p *process) {
			_, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
		}, []func(error) bool{as[*elector.UnfinishedWorkError]}},
		"an earlier Leadership that was lost": {nil, func(tc *cluster, p *process) {
			lead, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
			tc.before(fail(errDisk))
			<-lead.LeaseContext().Done()
			synctest.Wait()
		}, []func(error) bool{as[*elector.UnfinishedWorkError], is(errDisk)}},
		"a disabled election": {nil, func(tc *cluster, _ *process) {
			tc.initialize()
			tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		}, []func(error) bool{is(fdbelection.ErrElectionDisabled)}},
		"no election": {mustExist, func(*cluster, *process) {}, []func(error) bool{is(fdbelection.ErrNotInitialized)}},
		"another leader": {nil, func(tc *cluster, _ *process) {
			tc.begin("b", func(_ *process, o *elector.Options) { o.Metadata = map[string]string{"at": "10.0.0.1"} }).leads()
		}, []func(error) bool{func(err error) bool {
			held, ok := errors.AsType[*elector.OtherLeaderError](err)
			return ok && held.Leader.ID == "b" && held.Leader.Term == 1 && held.Leader.Metadata["at"] == "10.0.0.1"
		}}},
		"a store that fails": {nil, func(tc *cluster, _ *process) { tc.before(fail(errDisk)) }, []func(error) bool{is(errDisk)}},
		"a store that fails later": {nil, func(tc *cluster, p *process) {
			tc.begin("b").leads()
			ctx, cancel := context.WithTimeout(tc.Context(), lease)
			defer cancel()
			_, err := p.Campaign(ctx)
			require.True(tc, as[*elector.OtherLeaderError](err))
			tc.before(of("a", fail(errDisk)))
		}, []func(error) bool{is(errDisk)}},
		"a store that hangs": {nil, func(tc *cluster, _ *process) { tc.before(hang) }, []func(error) bool{is(elector.ErrNoAnswer)}},
		"a store that hangs later": {nil, func(tc *cluster, p *process) {
			tc.begin("b").leads()
			ctx, cancel := context.WithTimeout(tc.Context(), lease)
			defer cancel()
			_, err := p.Campaign(ctx)
			require.True(tc, as[*elector.OtherLeaderError](err))
			tc.before(of("a", hang))
		}, []func(error) bool{is(context.DeadlineExceeded)}},
		"an existing candidate with this id": {nil, func(tc *cluster, _ *process) {
			tc.initialize()
			former := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{7}}}
			tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, former, time.Now()) })
		}, []func(error) bool{func(err error) bool { return strings.Contains(err.Error(), "a#07") }}},
		"a request to resign": {nil, func(tc *cluster, p *process) {
			lead, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
			tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
			<-lead.Context().Done()
			require.NoError(tc, lead.Resign(tc.Context()))
		}, []func(error) bool{func(err error) bool { return strings.Contains(err.Error(), "asked to resign") }}},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				if test.setting != nil {
					p = tc.process("a", test.setting)
				}
				test.prepare(tc, p)
				ctx, cancel := context.WithTimeoutCause(tc.Context(), lease-step, errWork)
				defer cancel()
				_, err := p.Campaign(ctx)
				require.ErrorIs(tc, err, errWork)
				require.NotContains(tc, err.Error(), "\n")
				for _, matches := range test.obstacles {
					require.True(tc, matches(err), err.Error())
				}
				tc.before(nil)
			})
		})
	}
}

// Before the first answer of the store, the error is ErrNoAnswer.
func TestCampaignBeforeTheFirstAnswer(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.before(hang)
		ctx, cancel := context.WithTimeout(tc.Context(), step)
		defer cancel()
		_, err := tc.process("a").Campaign(ctx)
		require.ErrorIs(tc, err, context.DeadlineExceeded)
		require.ErrorIs(tc, err, elector.ErrNoAnswer)
		tc.before(nil)
	})
}

// A campaign of an observer ends at once, and so does one whose process becomes an observer.
// As a voter the process may campaign again.
func TestCampaignOfAnObserver(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a", observer)
		began := time.Now()
		_, err := p.Campaign(tc.Context())
		require.ErrorIs(tc, err, fdbelection.ErrNotVoting)
		require.Equal(tc, elector.StateStopped, p.State(), "it has not registered")

		require.NoError(tc, p.SetRole(election.Voter))
		tc.before(hang)
		_, errs := p.campaign(tc.Context())
		_, others := p.campaign(tc.Context())
		synctest.Wait()
		require.NoError(tc, p.SetRole(election.Observer))
		require.ErrorIs(tc, <-errs, fdbelection.ErrNotVoting)
		require.ErrorIs(tc, <-others, fdbelection.ErrNotVoting)
		_, err = p.Campaign(tc.Context())
		require.ErrorIs(tc, err, fdbelection.ErrNotVoting)
		require.Equal(tc, began, time.Now())

		tc.before(nil)
		require.NoError(tc, p.SetRole(election.Voter))
		time.Sleep(2 * lease)
		require.False(tc, p.Leading(), "no campaign is under way")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		require.NoError(tc, lead.Resign(tc.Context()))
	})
}

// The contexts of a Leadership and of its callbacks carry the values of the context of the
// Campaign that won it.
func TestCampaignHasTheValuesOfItsContext(t *testing.T) {
	type key struct{}
	inCluster(t, func(tc *cluster) {
		elected := make(chan any, 10)
		p := tc.process("a", callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(ctx context.Context, _ elector.Transition) { elected <- ctx.Value(key{}) }
		}))
		for i := range 3 {
			ctx, cancel := context.WithCancel(context.WithValue(tc.Context(), key{}, i))
			lead, err := p.Campaign(ctx)
			require.NoError(tc, err)
			cancel()
			require.NoError(tc, lead.Context().Err(), "it does not end with the context of the call")
			require.Equal(tc, i, lead.Context().Value(key{}))
			require.Equal(tc, i, lead.LeaseContext().Value(key{}))
			require.Equal(tc, i, <-elected)
			require.NoError(tc, lead.Resign(tc.Context()))
		}
	})
}

// An error of work that was asked to stop is reported, unless it says only that the work was
// asked to stop.
func TestErrorOfStoppedWork(t *testing.T) {
	fenced := func(tc *cluster, lead *elector.Leadership) error {
		return tc.db.Transact(tc.Context(), lead.Fence)
	}
	for name, test := range map[string]struct {
		returns  func(tc *cluster, ctx context.Context, lead *elector.Leadership) error
		reported bool
	}{
		"an error":                 {func(*cluster, context.Context, *elector.Leadership) error { return errWork }, true},
		"no error":                 {func(*cluster, context.Context, *elector.Leadership) error { return nil }, false},
		"the error of its context": {func(_ *cluster, ctx context.Context, _ *elector.Leadership) error { return ctx.Err() }, false},
		"the cause of its context": {func(_ *cluster, ctx context.Context, _ *elector.Leadership) error { return context.Cause(ctx) }, false},
		"a wrapped error of its context": {func(_ *cluster, ctx context.Context, _ *elector.Leadership) error {
			return fmt.Errorf("settle: %w", ctx.Err())
		}, false},
		"a transaction that ended with its context": {func(tc *cluster, ctx context.Context, lead *elector.Leadership) error {
			return tc.db.Transact(ctx, lead.Fence)
		}, false},
		"a fenced transaction": {func(tc *cluster, _ context.Context, lead *elector.Leadership) error {
			time.Sleep(2 * lease)
			return fenced(tc, lead)
		}, false},
		"the error of its context and another one": {func(_ *cluster, ctx context.Context, _ *elector.Leadership) error {
			return errors.Join(ctx.Err(), errWork)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				p.run(tc.Context(), func(ctx context.Context, lead *elector.Leadership) error {
					<-ctx.Done()
					return test.returns(tc, ctx, lead)
				})
				p.leads()
				require.NoError(tc, p.Stop(tc.Context()))
				require.NoError(tc, within(tc, p.result, "the end of Run"), "it has left in order")
				var failed []*elector.WorkError
				for len(p.Errors()) > 0 {
					if e, ok := errors.AsType[*elector.WorkError](<-p.Errors()); ok {
						failed = append(failed, e)
					}
				}
				if !test.reported {
					require.Empty(tc, failed)
					return
				}
				require.Len(tc, failed, 1)
				require.ErrorIs(tc, failed[0], errWork)
				require.True(tc, failed[0].Stopping)
				require.EqualValues(tc, 1, failed[0].Term)
				require.ErrorContains(tc, failed[0], "while it stopped")
			})
		})
	}
}

// After an error of work that was asked to stop, the process may lead again at once.
func TestErrorOfStoppedWorkIsNotAFailure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.initialize()
		p := tc.process("a")
		p.run(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			<-ctx.Done()
			return errWork
		})
		p.leads()
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		p.enters(elector.StateCandidate)
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
		enabled := time.Now()
		p.leads()
		require.Less(tc, time.Since(enabled), lease)
		require.Zero(tc, p.ClusterState().Failures)
	})
}

// Work is asked to stop if the elector stops with an error.
func TestWorkStopsIfTheElectorFails(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		ended := make(chan error, 1)
		p.run(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		})
		p.leads()
		newer := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{9}}}
		tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, newer, time.Now()) })
		taken := time.Now()
		require.ErrorIs(tc, within(tc, ended, "the end of the context"), fdbelection.ErrDuplicateID)
		require.LessOrEqual(tc, time.Since(taken), tc.config.CandidateTimeout/3+soon)
		require.ErrorIs(tc, within(tc, p.result, "the end of Run"), fdbelection.ErrDuplicateID)
	})
}

// Once the process is registered, the existing candidate is not an obstacle any more.
func TestCampaignAfterTheExistingCandidateIsGone(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("b").leads()
		former := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{7}}}
		tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, former, time.Now()) })
		p := tc.process("a")
		for _, patience := range []time.Duration{heartbeat, tc.config.CandidateTimeout} {
			ctx, cancel := context.WithTimeout(tc.Context(), patience)
			_, err := p.Campaign(ctx)
			cancel()
			require.Equal(tc, patience == heartbeat, strings.Contains(err.Error(), "a#07"), err.Error())
			require.Equal(tc, patience > heartbeat, as[*elector.OtherLeaderError](err), err.Error())
		}
	})
}

// A PanicError matches the error that a callback panicked with.
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
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		var terms []uint64
		p.run(tc.Context(), func(_ context.Context, lead *elector.Leadership) error {
			if terms = append(terms, lead.Term()); len(terms) == 70 {
				return elector.ErrDone
			}
			return errWork
		})
		timeout := time.After(100 * 32 * lease) // it holds off after each failure
		select {
		case err := <-p.result:
			require.NoError(tc, err)
		case <-timeout:
			tc.Fatal("the work does not end")
		}
		var kept []uint64
		for len(p.Errors()) > 0 {
			failed, ok := errors.AsType[*elector.WorkError](<-p.Errors())
			require.True(tc, ok)
			kept = append(kept, failed.Term)
		}
		require.Equal(tc, terms[5:69], kept)
	})
}
