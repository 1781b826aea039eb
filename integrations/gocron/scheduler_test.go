package gocron

import (
	"context"
	"testing"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var _ gocron.Elector = (*elector.Elector)(nil)

// Two schedulers have an elector each. The job runs only on the host whose elector leads. After a
// hand-over it runs on the other host.
func TestOnlyTheLeadersJobRuns(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	db := memkv.New(memkv.Options{})
	first, second := newHost(t, db, "first"), newHost(t, db, "second")
	first.skips.wait(t, "the job is skipped before an elector has started")
	require.ErrorIs(t, first.elector.IsLeader(t.Context()), fdbelection.ErrNotLeader)
	require.Empty(t, first.runs)

	require.NoError(t, first.elector.Start(t.Context()))
	first.elected.wait(t, "the first host is elected")
	require.NoError(t, second.elector.Start(t.Context()))
	for range 10 {
		first.runs.wait(t, "the job runs on the leader")
		second.skips.wait(t, "the job is skipped on the other host")
	}
	require.Empty(t, second.runs)

	require.NoError(t, first.elector.Stop(t.Context()))
	second.elected.wait(t, "the second host is elected when the first has left")
	second.runs.wait(t, "the job runs on the second host")
	first.skips.drain()
	first.skips.wait(t, "the first host skips the job, so none is running")
	first.runs.drain()
	for range 10 {
		first.skips.wait(t, "the first host skips the job")
		second.runs.wait(t, "the job runs on the second host")
	}
	require.Empty(t, first.runs)
}

// host is a process with an elector and a scheduler that uses it.
type host struct {
	elector              *elector.Elector
	elected, runs, skips events
}

func newHost(t *testing.T, db kv.Database, id string) *host {
	t.Helper()
	h := &host{elected: make(events, 1), runs: make(events, 1), skips: make(events, 1)}
	var err error
	h.elector, err = elector.New(db, election.New(subspace.New("jobs")), elector.Options{
		NodeID:    id,
		Callbacks: elector.Callbacks{OnElected: func(context.Context, elector.Transition) { h.elected.tell() }},
	})
	require.NoError(t, err)
	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(h.elector), gocron.WithMonitor(h))
	require.NoError(t, err)
	_, err = scheduler.NewJob(gocron.DurationJob(time.Millisecond), gocron.NewTask(h.runs.tell),
		gocron.WithSingletonMode(gocron.LimitModeReschedule)) // one run after the other
	require.NoError(t, err)
	scheduler.Start()
	t.Cleanup(func() {
		require.NoError(t, scheduler.Shutdown())
		require.NoError(t, h.elector.Stop(context.WithoutCancel(t.Context())))
	})
	return h
}

// IncrementJob is called by the scheduler after each run of a job.
func (h *host) IncrementJob(_ uuid.UUID, _ string, _ []string, status gocron.JobStatus) {
	if status == gocron.Skip {
		h.skips.tell()
	}
}

func (h *host) RecordJobTiming(time.Time, time.Time, uuid.UUID, string, []string) {}

// events signals that something has happened. Signals that were not waited for count as one.
type events chan struct{}

func (e events) tell() {
	select {
	case e <- struct{}{}:
	default:
	}
}

func (e events) drain() {
	select {
	case <-e:
	default:
	}
}

// wait waits for an event. It normally comes within milliseconds.
func (e events) wait(t *testing.T, what string) {
	t.Helper()
	select {
	case <-e:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: "+what)
	}
}
