package electiontest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// requestedTests are about a holder that only calls RunElectionCycle and gets a request.
var requestedTests = []test{
	requestedAHolderHandsOverToAChallengerAfterTheGrace,
	requestedAPreemptionRequestThatBecameIllegalIsIgnored,
	requestedADeadChallengerIsIgnored,
	requestedAStrongerChallengerDoesNotRestartTheGrace,
	requestedAHolderWhoseWorkHasEndedHandsOverAtOnce,
	requestedAHolderResignsAndHoldsOff,
	requestedAHolderTransfers,
	requestedWithoutAGraceEveryValidUntilIsKept,
	requestedACycleThatHandedOverIsRunAgain,
	requestedANewTermHasAGraceOfItsOwn,
	requestedAHolderWithoutARecordOfItsOwnHandsOver,
	requestedAClaimIsNotValidBeyondTheGrace,
	requestedAStepOfTheWallClockDoesNotShortenValidUntil,
	requestedAStepOfTheWallClockDoesNotEndAMinimumTenure,
}

// holder runs cycles, and remembers the latest ValidUntil.
type holder struct {
	*testElection
	me    election.Registration
	until time.Time
}

func (h *holder) cycle(now float64, opts ...election.CycleOption) election.CycleResult {
	h.T.Helper()
	result := h.testElection.cycle(h.me, at(now), opts...)
	if result.Action == election.HandedOver || result.Action == election.Vacated {
		require.False(h.T, at(now).Before(h.until), "a cycle returned ValidUntil %s", h.until.Sub(epoch))
	}
	if result.ValidUntil.After(h.until) {
		h.until = result.ValidUntil
	}
	return result
}

// held creates an election by default in which "a" leads.
func (e *testElection) held(edits ...func(*fdbelection.Config)) *holder {
	e.T.Helper()
	e.byDefault(append([]func(*fdbelection.Config){unprotected}, edits...)...)
	h := &holder{testElection: e, me: e.join("a", 1, at(0))}
	require.Equal(e.T, election.Claimed, h.cycle(0).Action)
	return h
}

func requestedAHolderHandsOverToAChallengerAfterTheGrace(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 2, at(0))
	e.acts(election.RequestedPreemption, b, at(1))
	first := h.cycle(2)
	require.Equal(t, election.Renewed, first.Action)
	require.Equal(t, election.PreemptionRequest, first.Request.Kind, "the result has the request")
	require.Equal(t, at(11), first.ValidUntil, "the author was not seen to be alive yet")
	e.acts(election.RequestedPreemption, b, at(4))
	for now := 5.0; now < 15; now += 3 { // the grace began at 5
		result := h.cycle(now)
		require.Equal(t, election.Renewed, result.Action)
		require.False(t, result.ValidUntil.After(at(15)), "it must not pass the end of the grace")
		e.acts(election.RequestedPreemption, b, at(now+2))
	}
	require.Equal(t, election.Renewed, h.cycle(14.9).Action)
	require.Equal(t, election.HandedOver, h.cycle(15).Action)
	require.Equal(t, "b", e.leader().ID)
	require.False(t, e.leader().Accepted)
	accepted := e.acts(election.Renewed, b, at(16))
	require.Equal(t, at(25), accepted.ValidUntil)
	require.Equal(t, election.Followed, h.cycle(17).Action)
	require.Contains(t, e.events()[1], "a -> b (preemption)")
}

func requestedAPreemptionRequestThatBecameIllegalIsIgnored(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 2, at(0))
	for now := 1.0; now < 13; now += 3 {
		e.acts(election.RequestedPreemption, b, at(now))
		h.cycle(now + 1)
	}
	e.configure(func(c *fdbelection.Config) { c.AllowPreemption = false })
	result := h.cycle(15)
	require.Equal(t, election.Renewed, result.Action)
	require.Equal(t, at(24), result.ValidUntil)
}

func requestedADeadChallengerIsIgnored(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 2, at(0))
	e.acts(election.RequestedPreemption, b, at(1)) // and dies
	for now := 2.0; now < 60; now += 3 {
		result := h.cycle(now)
		require.Equal(t, election.Renewed, result.Action)
		require.Equal(t, at(now+9), result.ValidUntil)
		require.False(t, result.MustHandOver, "the work need not stop")
	}
	e.acts(election.RequestedPreemption, b, at(60))
	require.True(t, h.cycle(61).MustHandOver)
	e.acts(election.RequestedPreemption, b, at(63))
	alive := h.cycle(64)
	require.True(t, alive.MustHandOver)
	require.Equal(t, at(71), alive.ValidUntil, "the counter was seen to change at 61")
	for now := 67.0; now < 90; now += 3 { // it dies again
		result := h.cycle(now)
		require.Equal(t, election.Renewed, result.Action)
		require.Equal(t, now <= 70, result.MustHandOver, "alive for two heartbeat intervals after the counter changed")
	}
	require.EqualValues(t, 1, e.leader().Term)
}

func requestedAStrongerChallengerDoesNotRestartTheGrace(t *testing.T, e *testElection) {
	h := e.held()
	b, c := e.join("b", 2, at(0)), e.join("c", 3, at(0))
	for now := 1.0; now < 10; now += 3 { // the grace begins at 5
		e.acts(election.RequestedPreemption, b, at(now))
		h.cycle(now + 1)
	}
	e.acts(election.RequestedPreemption, c, at(12))
	h.cycle(12.5)
	for now := 14.0; now < 21; now += 3 {
		e.acts(election.RequestedPreemption, c, at(now))
		require.Equal(t, election.Renewed, h.cycle(now+0.5).Action)
	}
	require.Equal(t, election.HandedOver, h.cycle(21.5).Action, "the last ValidUntil has passed, and the grace before it")
	require.Equal(t, "c", e.leader().ID)
}

func requestedAHolderWhoseWorkHasEndedHandsOverAtOnce(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 2, at(0))
	e.acts(election.RequestedPreemption, b, at(1))
	require.Equal(t, election.Renewed, h.testElection.cycle(h.me, at(2), election.WorkEnded()).Action, "b may be dead")
	e.acts(election.RequestedPreemption, b, at(4))
	require.Equal(t, election.HandedOver, h.testElection.cycle(h.me, at(5), election.WorkEnded()).Action)
	require.Equal(t, "b", e.leader().ID)
}

func requestedAHolderResignsAndHoldsOff(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 1, at(0))
	e.Do(func(tr kv.Transaction) error { return e.RequestResign(tr, 1, uuid.New()) })
	require.Equal(t, election.ResignRequest, h.cycle(1).Request.Kind)
	for now := 4.0; now < 11; now += 3 {
		require.Equal(t, election.Renewed, h.cycle(now).Action)
	}
	require.Equal(t, election.Vacated, h.cycle(11).Action)
	require.True(t, e.leader().Vacant())
	require.Contains(t, e.events()[1], "(resigned on request)")
	require.Equal(t, election.Followed, h.cycle(12).Action, "it holds off after a resignation on request")
	require.Equal(t, election.Followed, h.cycle(20.9).Action)
	require.Equal(t, election.Claimed, h.cycle(21).Action)
	require.NotEqual(t, b.ID, e.leader().ID)
}

func requestedAHolderTransfers(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 0, at(0))
	nonce := uuid.New()
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", nonce) })
	for now := 1.0; now < 11; now += 3 {
		require.Equal(t, election.Renewed, h.cycle(now).Action)
	}
	require.Equal(t, election.HandedOver, h.cycle(11).Action)
	require.Equal(t, nonce, e.leader().Nonce, "its author can tell that it was done")
	require.Equal(t, election.AcquireTransfer, e.leader().AcquireReason)
	e.acts(election.Renewed, b, at(11.5))
	require.Equal(t, election.Followed, h.cycle(12).Action, "a transfer is protected from higher priorities")
}

func requestedWithoutAGraceEveryValidUntilIsKept(t *testing.T, e *testElection) {
	h := e.held(func(c *fdbelection.Config) { c.PreemptionGrace = 0 })
	e.join("b", 0, at(0))
	require.Equal(t, election.Renewed, h.cycle(3).Action)
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", uuid.New()) })
	noted := h.cycle(4)
	require.Equal(t, election.Renewed, noted.Action)
	require.False(t, noted.ValidUntil.After(at(4).Add(1)), "without a grace it has to stop at once")
	require.Equal(t, election.Renewed, h.cycle(11.9).Action, "a cycle has returned ValidUntil 12")
	require.Equal(t, election.HandedOver, h.cycle(13).Action)
}

func requestedACycleThatHandedOverIsRunAgain(t *testing.T, e *testElection) {
	h := e.held()
	e.join("b", 0, at(0))
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", uuid.New()) })
	h.cycle(1)
	for range 2 { // as after an unknown result
		h.testElection.cycle(h.me, at(5), election.WorkEnded())
	}
	require.EqualValues(t, 2, e.leader().Term)
	require.Equal(t, "b", e.leader().ID)
}

// requestedANewTermHasAGraceOfItsOwn: the holder gets a preemption request, cycles too late, begins a new term,
// and gets another request before its next cycle.
func requestedANewTermHasAGraceOfItsOwn(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 2, at(0))
	e.acts(election.RequestedPreemption, b, at(1))
	h.cycle(2)
	e.acts(election.RequestedPreemption, b, at(4))
	h.cycle(5) // the grace of the first term begins
	e.acts(election.RequestedPreemption, b, at(14))
	require.Equal(t, election.Claimed, h.cycle(15).Action)
	e.acts(election.RequestedPreemption, b, at(16))
	h.cycle(17)
	e.acts(election.RequestedPreemption, b, at(19))
	require.Equal(t, at(29), h.cycle(20).ValidUntil)
	for now := 22.0; now < 30; now += 3 {
		e.acts(election.RequestedPreemption, b, at(now))
		require.Equal(t, election.Renewed, h.cycle(now+0.9).Action)
	}
	require.Equal(t, election.HandedOver, h.cycle(30).Action)
}

// requestedAClaimIsNotValidBeyondTheGrace: the holder renews by TryClaimLeadership while the grace runs.
func requestedAClaimIsNotValidBeyondTheGrace(t *testing.T, e *testElection) {
	h := e.held(func(c *fdbelection.Config) { c.PreemptionGrace = 5 * time.Second })
	claim := func(now float64) election.CycleResult {
		e.now = at(now)
		result, err := e.tryClaim(h.me, now)
		require.NoError(t, err)
		require.Equal(t, election.Renewed, result.Action)
		if result.ValidUntil.After(h.until) {
			h.until = result.ValidUntil
		}
		return result
	}
	e.join("b", 0, at(0))
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", uuid.New()) })
	require.Equal(t, at(10), claim(1).ValidUntil, "no cycle has seen the request yet")
	require.Equal(t, at(7), h.cycle(2).ValidUntil)
	require.Equal(t, at(7), claim(3).ValidUntil)
	require.Equal(t, election.HandedOver, h.cycle(12).Action, "after the ValidUntil from before the request was seen")
}

// requestedAStepOfTheWallClockDoesNotShortenValidUntil: the wall clock of the holder is set forward after a claim.
func requestedAStepOfTheWallClockDoesNotShortenValidUntil(t *testing.T, e *testElection) {
	h := e.held(func(c *fdbelection.Config) { c.PreemptionGrace = 5 * time.Second })
	e.join("b", 0, at(0))
	e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "b", uuid.New()) })
	e.now = at(1)
	claimed, err := e.tryClaim(h.me, 1)
	require.NoError(t, err)
	require.Equal(t, at(10), claimed.ValidUntil)
	require.Equal(t, at(13), e.cycleAt(h.me, 8, 2).ValidUntil, "the end of the grace, after the clock was set forward by 6 s")
	require.Equal(t, election.Renewed, e.cycleAt(h.me, 14, 8).Action)
	require.Equal(t, election.Renewed, e.cycleAt(h.me, 17.9, 11.9).Action)
	require.Equal(t, election.HandedOver, e.cycleAt(h.me, 18, 12).Action, "one lease after the request was first seen")
}

// requestedAStepOfTheWallClockDoesNotEndAMinimumTenure: the wall clock of the holder runs five times too fast.
func requestedAStepOfTheWallClockDoesNotEndAMinimumTenure(t *testing.T, e *testElection) {
	h := e.held(func(c *fdbelection.Config) { c.MinimumTenure, c.PreemptionGrace = 30*time.Second, time.Second })
	b := e.join("b", 2, at(0))
	for clock := 1.0; clock < 40; clock++ {
		e.now = at(clock)
		seen := election.Observation{}.Next(e.leader(), at(-100))
		seen.BallotSince = at(clock)
		e.Do(func(tr kv.Transaction) error { // a preemption request before the minimum tenure
			_, err := e.RunElectionCycle(tr, b, at(clock), election.WithObservation(seen, at(clock)))
			return err
		})
		result := e.cycleAt(h.me, 5*clock, clock)
		if clock < 30 {
			require.Equal(t, election.Renewed, result.Action, "after %v s", clock)
			require.False(t, result.MustHandOver, "after %v s", clock)
		}
		if result.Action == election.HandedOver {
			return
		}
	}
	require.Fail(t, "it never hands over")
}

// requestedAHolderWithoutARecordOfItsOwnHandsOver: the candidate record of the holder is missing or damaged. The
// holder still leads, so it also does what is asked.
func requestedAHolderWithoutARecordOfItsOwnHandsOver(t *testing.T, e *testElection) {
	h := e.held()
	b := e.join("b", 0, at(0))
	for i, damage := range []func(){
		func() { e.Remove("candidates", "a") },
		func() { e.Spoil([]byte("rubbish"), "candidates", "a") },
	} {
		e.Do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, e.leader().Term, "b", uuid.New()) })
		damage()
		handed := e.acts(election.HandedOver, h.me, at(float64(i)), election.WorkEnded())
		require.Equal(t, b.Identity, handed.Leader.Identity)
		e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, handed.Leader.Token(), at(float64(i))) })
		if i == 0 {
			e.acts(election.Claimed, h.me, at(float64(i)))
		}
	}
}
