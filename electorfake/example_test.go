package electorfake_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/electorfake"
	"github.com/fdbelection/fdbelection/kv"
)

// worker is the code under test. It writes only while it leads.
type worker struct {
	started, stopped chan *elector.Leadership
}

func (w *worker) work(ctx context.Context, lead *elector.Leadership) error {
	w.started <- lead
	<-ctx.Done()
	w.stopped <- lead
	return nil
}

func write(lead *elector.Leadership) error {
	return lead.Transact(context.Background(), func(tr kv.Transaction) error {
		tr.Set([]byte("balance"), []byte("100"))
		return nil
	})
}

func TestWorkerStopsWhenLeadershipIsLost(t *testing.T) {
	fake := electorfake.New(t, elector.Options{})
	w := worker{started: make(chan *elector.Leadership), stopped: make(chan *elector.Leadership)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- fake.Elector.Run(ctx, w.work) }()

	fake.Lead()
	lead := <-w.started
	require.NoError(t, write(lead))

	fake.Lose()
	require.Equal(t, lead, <-w.stopped)
	require.ErrorIs(t, write(lead), fdbelection.ErrFenced)

	fake.Lead()
	require.Greater(t, (<-w.started).Term(), lead.Term())
	stop()
	<-w.stopped
	require.NoError(t, <-ended)
}

func TestCauses(t *testing.T) {
	lossOf := func(lead *elector.Leadership) elector.Reason {
		<-lead.Context().Done()
		var loss *elector.LossError
		if !errors.As(context.Cause(lead.Context()), &loss) {
			return ""
		}
		return loss.Reason
	}
	for name, test := range map[string]struct {
		lose   func(*electorfake.Fake)
		reason elector.Reason
		lease  bool // whether the lease goes on
	}{
		"replaced":         {(*electorfake.Fake).Lose, elector.ReasonLeadershipLost, false},
		"lost in jeopardy": {func(f *electorfake.Fake) { f.Jeopardize(); f.Lose() }, elector.ReasonUnrenewed, false},
		"asked to resign":  {(*electorfake.Fake).RequestResign, elector.ReasonAskedToResign, true},
	} {
		t.Run(name, func(t *testing.T) {
			fake := electorfake.New(t, elector.Options{})
			leads := make(chan *elector.Leadership)
			go func() {
				lead, err := fake.Elector.Campaign(t.Context())
				if err == nil {
					leads <- lead
				}
			}()
			fake.Lead()
			lead := <-leads
			require.True(t, fake.Elector.Leading())
			require.NoError(t, write(lead))

			test.lose(fake)
			require.False(t, fake.Elector.Leading())
			require.Equal(t, test.reason, lossOf(lead))
			require.Equal(t, test.lease, lead.LeaseContext().Err() == nil)
			if test.lease {
				require.NoError(t, write(lead), "the work may finish what it has begun")
				require.NoError(t, lead.Resign(t.Context()))
			}
			require.ErrorIs(t, write(lead), fdbelection.ErrFenced)
		})
	}
}

// In jeopardy the elector leads, and its writes wait for the store. A renewal ends the jeopardy, in
// the same term.
func TestJeopardyEndsWithARenewal(t *testing.T) {
	var states []elector.State
	fake := electorfake.New(t, elector.Options{Callbacks: elector.Callbacks{
		OnTransition: func(_ context.Context, tr elector.Transition) { states = append(states, tr.To) },
	}})
	require.NoError(t, fake.Elector.Start(t.Context()))
	require.False(t, fake.Elector.Leading())
	fake.Lead()
	term := fake.Elector.Term()
	require.Equal(t, uint64(2), term, "another process has led before")
	for range 3 {
		fake.Jeopardize()
		require.Equal(t, elector.StateJeopardy, fake.Elector.State())
		require.True(t, fake.Elector.Leading())
		fake.Lead()
		require.Equal(t, elector.StateLeader, fake.Elector.State())
		require.Equal(t, term, fake.Elector.Term())
	}
	require.Equal(t, elector.StateLeader, states[len(states)-1])
}

// An elector holds off after work that failed. Lead moves its clock past that.
func TestLeadAfterFailedWork(t *testing.T) {
	demoted := make(chan struct{})
	fake := electorfake.New(t, elector.Options{Callbacks: elector.Callbacks{
		OnDemoted: func(context.Context, elector.Transition) { demoted <- struct{}{} },
	}})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	terms, fail := make(chan uint64), make(chan struct{})
	go func() {
		_ = fake.Elector.Run(ctx, func(_ context.Context, lead *elector.Leadership) error {
			terms <- lead.Term()
			<-fail
			return errors.New("the disk is full")
		})
	}()
	var last uint64
	for range 4 {
		fake.Lead()
		term := <-terms
		require.Greater(t, term, last)
		last = term
		fail <- struct{}{}
		<-demoted
	}
}
