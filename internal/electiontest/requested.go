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

// Tests of a holder that only calls RunElectionCycle, and is asked to give up.
var requestedTests = []test{
	{"Requested_a_holder_hands_over_to_a_challenger_after_the_grace", requestedChallenge},
	{"Requested_a_challenge_that_is_no_longer_legal_is_not_met", requestedIllegal},
	{"Requested_a_challenger_that_is_dead_is_not_obeyed", requestedDeadChallenger},
	{"Requested_a_stronger_challenger_does_not_restart_the_grace", requestedStrongerChallenger},
	{"Requested_a_holder_whose_work_has_ended_gives_up_at_once", requestedWorkEnded},
	{"Requested_a_holder_resigns_and_stays_out", requestedResign},
	{"Requested_a_holder_transfers", requestedTransfer},
	{"Requested_without_a_grace_every_promise_is_kept", requestedWithoutGrace},
	{"Requested_a_cycle_that_gave_up_is_run_again", requestedRunAgain},
	{"Requested_a_new_term_has_a_grace_of_its_own", requestedNewTerm},
	{"Requested_a_holder_without_a_record_of_its_own_hands_over", requestedWithoutRecord},
	{"Requested_a_claim_promises_nothing_beyond_the_grace", requestedClaim},
	{"Requested_a_wall_clock_that_is_set_shortens_no_promise", requestedWallClock},
	{"Requested_a_wall_clock_that_is_set_ends_no_minimum_tenure", requestedMinimumTenure},
}

// holder cycles, and remembers until when it was told that it leads.
type holder struct {
	*world
	me    election.Registration
	until time.Time
}

func (h *holder) cycle(now float64, opts ...election.CycleOption) election.CycleResult {
	h.t.Helper()
	result := h.world.cycle(h.me, at(now), opts...)
	if result.Action == election.HandedOver || result.Action == election.Vacated {
		require.False(h.t, at(now).Before(h.until), "it was told that it leads until %s", h.until.Sub(epoch))
	}
	if result.ValidUntil.After(h.until) {
		h.until = result.ValidUntil
	}
	return result
}

// held makes an election by default in which "a" leads.
func (w *world) held(edits ...func(*fdbelection.Config)) *holder {
	w.t.Helper()
	w.byDefault(append([]func(*fdbelection.Config){unprotected}, edits...)...)
	h := &holder{world: w, me: w.join("a", 1, at(0))}
	require.Equal(w.t, election.Claimed, h.cycle(0).Action)
	return h
}

func requestedChallenge(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 2, at(0))
	w.acts(election.RequestedPreemption, b, at(1))
	first := h.cycle(2)
	require.Equal(t, election.Renewed, first.Action)
	require.Equal(t, election.PreemptionRequest, first.Request.Kind, "the result tells of it")
	require.Equal(t, at(11), first.ValidUntil, "whether its author is alive is not known yet")
	w.acts(election.RequestedPreemption, b, at(4))
	for now := 5.0; now < 15; now += 3 { // the grace began at 5
		result := h.cycle(now)
		require.Equal(t, election.Renewed, result.Action)
		require.False(t, result.ValidUntil.After(at(15)), "not past the end of the grace")
		w.acts(election.RequestedPreemption, b, at(now+2))
	}
	require.Equal(t, election.Renewed, h.cycle(14.9).Action)
	require.Equal(t, election.HandedOver, h.cycle(15).Action)
	require.Equal(t, "b", w.leader().ID)
	require.False(t, w.leader().Accepted)
	accepted := w.acts(election.Renewed, b, at(16))
	require.Equal(t, at(25), accepted.ValidUntil)
	require.Equal(t, election.Followed, h.cycle(17).Action)
	require.Contains(t, w.events()[1], "a -> b (preemption)")
}

func requestedIllegal(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 2, at(0))
	for now := 1.0; now < 13; now += 3 {
		w.acts(election.RequestedPreemption, b, at(now))
		h.cycle(now + 1)
	}
	w.configure(func(c *fdbelection.Config) { c.AllowPreemption = false })
	result := h.cycle(15)
	require.Equal(t, election.Renewed, result.Action)
	require.Equal(t, at(24), result.ValidUntil)
}

func requestedDeadChallenger(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 2, at(0))
	w.acts(election.RequestedPreemption, b, at(1)) // and dies
	for now := 2.0; now < 60; now += 3 {
		result := h.cycle(now)
		require.Equal(t, election.Renewed, result.Action)
		require.Equal(t, at(now+9), result.ValidUntil)
		require.False(t, result.MustHandOver, "no work has to stop for it")
	}
	w.acts(election.RequestedPreemption, b, at(60))
	require.True(t, h.cycle(61).MustHandOver)
	w.acts(election.RequestedPreemption, b, at(63))
	alive := h.cycle(64)
	require.True(t, alive.MustHandOver)
	require.Equal(t, at(71), alive.ValidUntil, "it was seen to move at 61")
	for now := 67.0; now < 90; now += 3 { // it dies again
		result := h.cycle(now)
		require.Equal(t, election.Renewed, result.Action)
		require.Equal(t, now <= 70, result.MustHandOver, "two heartbeats after it was seen to move")
	}
	require.EqualValues(t, 1, w.leader().Term)
}

func requestedStrongerChallenger(t *testing.T, w *world) {
	h := w.held()
	b, c := w.join("b", 2, at(0)), w.join("c", 3, at(0))
	for now := 1.0; now < 10; now += 3 { // the grace begins at 5
		w.acts(election.RequestedPreemption, b, at(now))
		h.cycle(now + 1)
	}
	w.acts(election.RequestedPreemption, c, at(12))
	h.cycle(12.5)
	for now := 14.0; now < 21; now += 3 {
		w.acts(election.RequestedPreemption, c, at(now))
		require.Equal(t, election.Renewed, h.cycle(now+0.5).Action)
	}
	require.Equal(t, election.HandedOver, h.cycle(21.5).Action, "every promise has ended, and the grace long before")
	require.Equal(t, "c", w.leader().ID)
}

func requestedWorkEnded(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 2, at(0))
	w.acts(election.RequestedPreemption, b, at(1))
	require.Equal(t, election.Renewed, h.world.cycle(h.me, at(2), election.WorkEnded()).Action, "b may be dead")
	w.acts(election.RequestedPreemption, b, at(4))
	require.Equal(t, election.HandedOver, h.world.cycle(h.me, at(5), election.WorkEnded()).Action)
	require.Equal(t, "b", w.leader().ID)
}

func requestedResign(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 1, at(0))
	w.do(func(tr kv.Transaction) error { return w.RequestResign(tr, 1, uuid.New()) })
	require.Equal(t, election.ResignRequest, h.cycle(1).Request.Kind)
	for now := 4.0; now < 11; now += 3 {
		require.Equal(t, election.Renewed, h.cycle(now).Action)
	}
	require.Equal(t, election.Vacated, h.cycle(11).Action)
	require.True(t, w.leader().Vacant())
	require.Contains(t, w.events()[1], "(resigned on request)")
	require.Equal(t, election.Followed, h.cycle(12).Action, "it does not take it again at once")
	require.Equal(t, election.Followed, h.cycle(20.9).Action)
	require.Equal(t, election.Claimed, h.cycle(21).Action)
	require.NotEqual(t, b.ID, w.leader().ID)
}

func requestedTransfer(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 0, at(0))
	nonce := uuid.New()
	w.do(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, "b", nonce) })
	for now := 1.0; now < 11; now += 3 {
		require.Equal(t, election.Renewed, h.cycle(now).Action)
	}
	require.Equal(t, election.HandedOver, h.cycle(11).Action)
	require.Equal(t, nonce, w.leader().Nonce, "its author can tell that it was done")
	require.Equal(t, election.AcquireTransfer, w.leader().AcquireReason)
	w.acts(election.Renewed, b, at(11.5))
	require.Equal(t, election.Followed, h.cycle(12).Action, "a transfer is protected from rank")
}

func requestedWithoutGrace(t *testing.T, w *world) {
	h := w.held(func(c *fdbelection.Config) { c.PreemptionGrace = 0 })
	w.join("b", 0, at(0))
	require.Equal(t, election.Renewed, h.cycle(3).Action)
	w.do(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, "b", uuid.New()) })
	asked := h.cycle(4)
	require.Equal(t, election.Renewed, asked.Action)
	require.False(t, asked.ValidUntil.After(at(4).Add(1)), "it has to stop now")
	require.Equal(t, election.Renewed, h.cycle(11.9).Action, "it was told that it leads until 12")
	require.Equal(t, election.HandedOver, h.cycle(13).Action)
}

func requestedRunAgain(t *testing.T, w *world) {
	h := w.held()
	w.join("b", 0, at(0))
	w.do(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, "b", uuid.New()) })
	h.cycle(1)
	for range 2 { // as after an unknown commit
		h.world.cycle(h.me, at(5), election.WorkEnded())
	}
	require.EqualValues(t, 2, w.leader().Term)
	require.Equal(t, "b", w.leader().ID)
}

// requestedNewTerm: the holder is asked to give up, comes back too late, begins a new
// term, and is challenged again before its next cycle.
func requestedNewTerm(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 2, at(0))
	w.acts(election.RequestedPreemption, b, at(1))
	h.cycle(2)
	w.acts(election.RequestedPreemption, b, at(4))
	h.cycle(5) // the grace of the first term begins
	w.acts(election.RequestedPreemption, b, at(14))
	require.Equal(t, election.Claimed, h.cycle(15).Action)
	w.acts(election.RequestedPreemption, b, at(16))
	h.cycle(17)
	w.acts(election.RequestedPreemption, b, at(19))
	require.Equal(t, at(29), h.cycle(20).ValidUntil)
	for now := 22.0; now < 30; now += 3 {
		w.acts(election.RequestedPreemption, b, at(now))
		require.Equal(t, election.Renewed, h.cycle(now+0.9).Action)
	}
	require.Equal(t, election.HandedOver, h.cycle(30).Action)
}

// requestedClaim: the holder renews by TryClaimLeadership while the grace runs.
func requestedClaim(t *testing.T, w *world) {
	h := w.held(func(c *fdbelection.Config) { c.PreemptionGrace = 5 * time.Second })
	claim := func(now float64) election.CycleResult {
		w.now = at(now)
		result, err := w.tryClaim(h.me, now)
		require.NoError(t, err)
		require.Equal(t, election.Renewed, result.Action)
		if result.ValidUntil.After(h.until) {
			h.until = result.ValidUntil
		}
		return result
	}
	w.join("b", 0, at(0))
	w.do(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, "b", uuid.New()) })
	require.Equal(t, at(10), claim(1).ValidUntil, "nothing is known of a request yet")
	require.Equal(t, at(7), h.cycle(2).ValidUntil)
	require.Equal(t, at(7), claim(3).ValidUntil)
	require.Equal(t, election.HandedOver, h.cycle(12).Action, "after what was promised before the first sight")
}

// requestedWallClock: the wall clock of the holder is set forward after a claim.
func requestedWallClock(t *testing.T, w *world) {
	h := w.held(func(c *fdbelection.Config) { c.PreemptionGrace = 5 * time.Second })
	w.join("b", 0, at(0))
	w.do(func(tr kv.Transaction) error { return w.RequestTransfer(tr, 1, "b", uuid.New()) })
	w.now = at(1)
	promised, err := w.tryClaim(h.me, 1)
	require.NoError(t, err)
	require.Equal(t, at(10), promised.ValidUntil)
	require.Equal(t, at(13), w.cycleAt(h.me, 8, 2).ValidUntil, "the end of the grace, and the clock was set by 6 s")
	require.Equal(t, election.Renewed, w.cycleAt(h.me, 14, 8).Action)
	require.Equal(t, election.Renewed, w.cycleAt(h.me, 17.9, 11.9).Action)
	require.Equal(t, election.HandedOver, w.cycleAt(h.me, 18, 12).Action, "a lease after the first sight")
}

// requestedMinimumTenure: the wall clock of the holder goes much too fast.
func requestedMinimumTenure(t *testing.T, w *world) {
	h := w.held(func(c *fdbelection.Config) { c.MinimumTenure, c.PreemptionGrace = 30*time.Second, time.Second })
	b := w.join("b", 2, at(0))
	for clock := 1.0; clock < 40; clock++ {
		w.now = at(clock)
		seen := election.Observation{}.Next(w.leader(), at(-100))
		seen.BallotSince = at(clock)
		w.do(func(tr kv.Transaction) error { // it challenges too early
			_, err := w.RunElectionCycle(tr, b, at(clock), election.WithObservation(seen, at(clock)))
			return err
		})
		result := w.cycleAt(h.me, 5*clock, clock)
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

// requestedWithoutRecord: the candidate record of the holder is gone or damaged. It
// goes on leading, so it also does what is asked of it.
func requestedWithoutRecord(t *testing.T, w *world) {
	h := w.held()
	b := w.join("b", 0, at(0))
	for i, damage := range []func(){
		func() { w.remove("candidates", "a") },
		func() { w.spoil([]byte("rubbish"), "candidates", "a") },
	} {
		w.do(func(tr kv.Transaction) error { return w.RequestTransfer(tr, w.leader().Term, "b", uuid.New()) })
		damage()
		handed := w.acts(election.HandedOver, h.me, at(float64(i)), election.WorkEnded())
		require.Equal(t, b.Identity, handed.Leader.Identity)
		w.do(func(tr kv.Transaction) error { return w.ResignLeadership(tr, handed.Leader.Token(), at(float64(i))) })
		if i == 0 {
			w.acts(election.Claimed, h.me, at(float64(i)))
		}
	}
}
