package run_test

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

// killLease is longer in the quick form, which has few rounds to be late in.
var (
	killLease     = longtest.Pick(time.Second, 600*time.Millisecond)
	killHeartbeat = killLease / 3
)

// TestKilling kills the leader of three processes with SIGKILL, again and again. Each time
// another one has to take over: not before the lease of the dead leader has expired, and
// within a lease and a heartbeat of its last renewal. Both instants are in the records of
// the store. Neither the ballot nor the term ever goes back.
//
// A busy machine may delay all three. So a round may be late by as much as the monitor's
// own reads were delayed, and a leader that could not renew may lose or reclaim leadership
// without a kill. But four of five rounds must be in time without that, and such losses
// must be fewer than one in five.
func TestKilling(t *testing.T) {
	rounds := longtest.Pick(2, 50)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	run := func(id string) *processtest.Process {
		return processtest.Start(t, file, id, "--lease", killLease.String())
	}
	processes := map[string]*processtest.Process{"a": run("a"), "b": run("b"), "c": run("c")}

	var gaps []time.Duration
	inTime := 0
	for round := range rounds {
		victim := m.Until("there is a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
		// Any moment between two renewals.
		m.Until("the leader renews", func(l election.LeaderRecord) bool { return l.Ballot > victim.Ballot })
		<-time.After(time.Duration(random.Int64N(int64(killHeartbeat))))
		m.TakeStall()
		victim = m.Until("there is a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
		dead := processes[victim.ID]
		dead.Signal(syscall.SIGKILL)
		<-dead.Exited

		next := m.Until("another takes over", func(l election.LeaderRecord) bool {
			return l.Term > victim.Term && !l.Vacant() && l.Identity != victim.Identity
		})
		stall := m.TakeStall()
		last := m.LastRecord(next.Term - 1)
		require.Equal(t, victim.Identity, last.Identity, "round %d: the leader before %s", round, next)
		gap := next.AcquiredAt.Sub(last.LeaseExpiry.Add(-last.LeaseDuration))
		gaps = append(gaps, gap)
		require.Equal(t, election.AcquireExpiry, next.AcquireReason)
		require.GreaterOrEqual(t, gap, killLease, "round %d: %s took over before the lease of %s was over", round, next.Identity, last)
		if gap <= killLease+killHeartbeat {
			inTime++
		}
		require.LessOrEqual(t, gap, killLease+killHeartbeat+stall, "round %d: %s took over late; the monitor was held up for %s", round, next.Identity, stall)

		before, _ := m.Candidate(victim.ID)
		processes[victim.ID] = run(victim.ID)
		processtest.Eventually(t, victim.ID+" is back", func() bool {
			c, ok := m.Candidate(victim.ID)
			return ok && c.Incarnation != before.Incarnation
		})
	}
	m.End()
	m.Sound()
	losses := checkHistory(t, m) - (rounds + 1)
	t.Logf("%d tenures ended without a kill", losses)
	require.GreaterOrEqual(t, losses, 0)
	require.Less(t, 5*losses, max(rounds, 6), "leaders lose leadership without being killed")

	slices.Sort(gaps)
	t.Logf("%d kills; from the last renewal to the successor's claim: shortest %s, median %s, longest %s; %d within %s; %d readings, nothing went back",
		rounds, ms(gaps[0]), ms(gaps[len(gaps)/2]), ms(gaps[len(gaps)-1]),
		inTime, killLease+killHeartbeat, m.Reads)
	if longtest.Enabled() { // two rounds are too few
		require.GreaterOrEqual(t, 5*inTime, 4*rounds, "%d of %d in time", inTime, rounds)
	}
}

// checkHistory checks that the history of the store has the same tenures, each with one
// holder and each after the previous one. It returns their number.
func checkHistory(t *testing.T, m *processtest.Monitor) int {
	t.Helper()
	events := m.History()
	for i, event := range events {
		require.Equal(t, uint64(i+1), event.Term)
		require.Equal(t, election.EventBegan, event.Kind)
		if seen, ok := m.FirstOf[event.Term]; ok { // a short one may have passed between two readings
			require.Equal(t, seen.Identity, event.To)
		}
		if i > 0 {
			require.Equal(t, events[i-1].To, event.From)
			require.Greater(t, event.Ballot, events[i-1].Ballot)
		}
	}
	return len(events)
}

// TestHandOverOnSIGTERM: if a leader leaves in order, a watch notifies its successor,
// which waits for no lease and no poll. It may be late by as much as the monitor's own
// reads were delayed.
func TestHandOverOnSIGTERM(t *testing.T) {
	rounds := longtest.Pick(2, 10)
	const (
		lease = 3 * time.Second // so long that no successor can have waited for it
		limit = 200 * time.Millisecond
	)
	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	run := func(id string) *processtest.Process { return processtest.Start(t, file, id, "--lease", lease.String()) }
	processes := map[string]*processtest.Process{"a": run("a"), "b": run("b"), "c": run("c")}
	for id := range processes {
		processtest.Eventually(t, id+" is registered", func() bool { _, ok := m.Candidate(id); return ok })
	}
	var vacancies []time.Duration
	for range rounds {
		leader := m.Until("there is a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
		m.TakeStall()
		processes[leader.ID].Signal(syscall.SIGTERM)
		asked := time.Now()
		next := m.Until("another leads", func(l election.LeaderRecord) bool { return l.Term > leader.Term && !l.Vacant() })
		vacancies = append(vacancies, next.AcquiredAt.Sub(asked))
		stall := m.TakeStall()
		require.Less(t, vacancies[len(vacancies)-1], limit+stall, "the monitor was held up for %s", stall)
		require.Equal(t, election.AcquireVacancy, next.AcquireReason)
		require.Zero(t, processes[leader.ID].Wait(t))
		_, listed := m.Candidate(leader.ID)
		require.False(t, listed, "%s has left", leader.ID)
		processes[leader.ID] = run(leader.ID)
		processtest.Eventually(t, leader.ID+" is back", func() bool { _, ok := m.Candidate(leader.ID); return ok })
	}
	m.End()
	m.Sound()
	slices.Sort(vacancies)
	t.Logf("%d hand-overs; from SIGTERM to the successor's claim: shortest %s, median %s, longest %s",
		rounds, ms(vacancies[0]), ms(vacancies[len(vacancies)/2]), ms(vacancies[len(vacancies)-1]))
	require.Less(t, vacancies[len(vacancies)/2], limit)
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
