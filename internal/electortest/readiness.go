package electortest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

var readinessTests = []test{
	aProcessThatIsNotReadyIsListedAndDoesNotLead,
	aLeaderThatIsNotReadyHandsOverAndStaysOut,
	aProcessThatIsNotReadyLeadsIfThereIsNoOther,
}

// readiness is what Options.Ready of a process returns.
type readiness struct{ err atomic.Pointer[error] }

func newReadiness(err error) *readiness {
	r := &readiness{}
	r.set(err)
	return r
}

func (r *readiness) set(err error) { r.err.Store(&err) }

// checked lets a process check its readiness often.
func (r *readiness) checked(s *settings) {
	s.Ready = func(context.Context) error { return *r.err.Load() }
	s.ReadyInterval = 20 * time.Millisecond
}

var errCold = errors.New("cache is cold")

func aProcessThatIsNotReadyIsListedAndDoesNotLead(tc *cluster) {
	tc.frequentHeartbeats()
	r := newReadiness(errCold)
	cold := tc.begin("cold", priority(5), r.checked)
	tc.until("it is listed as not ready", func() bool { return tc.candidates()["cold"].NotReady == "cache is cold" })
	tc.leading("warm")
	cold.doesNotLead(pause)
	require.Equal(tc, "cache is cold", cold.ClusterState().NotReady)
	r.set(nil)
	cold.leads(patience) // it has the higher priority
	require.Empty(tc, tc.candidates()["cold"].NotReady)
}

func aLeaderThatIsNotReadyHandsOverAndStaysOut(tc *cluster) {
	tc.frequentHeartbeats()
	r := newReadiness(nil)
	a := tc.leading("a", r.checked, priority(1))
	b := tc.following("b")
	r.set(errCold)
	require.Equal(tc, uint64(2), b.leads(patience))
	require.Equal(tc, elector.ReasonNotReady, a.enters(elector.StateCandidate, patience).Reason)
	tc.until("it is listed as not ready", func() bool { return tc.candidates()["a"].NotReady == "cache is cold" })
	r.set(nil)
	tc.until("it is listed as ready", func() bool { return tc.candidates()["a"].NotReady == "" })
	require.Equal(tc, 1, a.ClusterState().Failures)
	a.doesNotLead(pause) // it holds off, although its priority is higher
	require.True(tc, b.Leading())
}

func aProcessThatIsNotReadyLeadsIfThereIsNoOther(tc *cluster) {
	tc.frequentHeartbeats()
	r := newReadiness(errCold)
	a := tc.begin("a", r.checked, func(s *settings) { s.LeadUnreadyAfter = 300 * time.Millisecond })
	require.Equal(tc, uint64(1), a.leads(patience))
	b := tc.begin("b") // it is ready, so the other one gives up leadership
	require.Equal(tc, uint64(2), b.leads(patience))
	require.Equal(tc, elector.ReasonNotReady, a.enters(elector.StateCandidate, patience).Reason)
}
