package run_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/testseed"
)

// killLease is longer in the quick form. With few rounds, a single late one would fail it.
var (
	killLease     = longtest.Pick(time.Second, 600*time.Millisecond)
	killHeartbeat = killLease / 3
)

// TestKilling kills the leader of three processes with SIGKILL, many times. Each time
// another process must take over, after the lease of the killed one has expired and
// within a lease and a heartbeat of its last renewal. Both instants are in the records of
// the store. Neither the ballot nor the term may fall.
//
// On a busy machine all three processes may be delayed. So a round may be late by the
// longest delay of the monitor's own reads during it, and a leader that cannot renew may
// lose or reclaim leadership without a kill. But four of five rounds must be in time
// without this allowance, and such losses must be fewer than one in five rounds.
func TestKilling(t *testing.T) {
	rounds := longtest.Pick(1, 25)
	random := testseed.Random(t)

	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	run := func(id string) *processtest.Process {
		return processtest.Start(t, file, id, "--lease", killLease.String())
	}
	processes := map[string]*processtest.Process{"a": run("a"), "b": run("b"), "c": run("c")}

	var waits []time.Duration // from the last renewal to the next claim
	inTime := 0
	for round := range rounds {
		victim := m.Until("there is a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
		// The kill comes at a random moment between two renewals.
		m.Until("the leader renews", func(l election.LeaderRecord) bool { return l.Ballot > victim.Ballot })
		<-time.After(time.Duration(random.Int64N(int64(killHeartbeat))))
		m.TakeStall()
		victim = m.Until("there is a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
		dead := processes[victim.ID]
		dead.Signal(syscall.SIGKILL)
		<-dead.Exited

		next := m.Until("another process takes over", func(l election.LeaderRecord) bool {
			return l.Term > victim.Term && !l.Vacant() && l.Identity != victim.Identity
		})
		stall := m.TakeStall()
		last := m.LastRecord(next.Term - 1)
		require.Equal(t, victim.Identity, last.Identity, "round %d: the leader before %s", round, next)
		wait := next.AcquiredAt.Sub(last.LeaseExpiry.Add(-last.LeaseDuration))
		waits = append(waits, wait)
		require.Equal(t, election.AcquireExpiry, next.AcquireReason)
		require.GreaterOrEqual(t, wait, killLease, "round %d: %s took over before the lease of %s had expired", round, next.Identity, last)
		if wait <= killLease+killHeartbeat {
			inTime++
		}
		require.LessOrEqual(t, wait, killLease+killHeartbeat+stall, "round %d: %s took over late; the reads of the monitor were delayed by up to %s", round, next.Identity, stall)

		before, _ := m.Candidate(victim.ID)
		processes[victim.ID] = run(victim.ID)
		processtest.Eventually(t, victim.ID+" is registered again", func() bool {
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

	slices.Sort(waits)
	t.Logf("%d kills; from the last renewal to the successor's claim: shortest %s, median %s, longest %s; %d within %s; %d reads, neither ballot nor term fell",
		rounds, ms(waits[0]), ms(waits[len(waits)/2]), ms(waits[len(waits)-1]),
		inTime, killLease+killHeartbeat, m.Reads)
	if longtest.Enabled() { // a share of two rounds means nothing
		require.GreaterOrEqual(t, 5*inTime, 4*rounds, "%d of %d in time", inTime, rounds)
	}
}

// checkHistory checks that the history in the store has the tenures that the monitor has
// seen, and that each names the leader before it. It returns their number.
func checkHistory(t *testing.T, m *processtest.Monitor) int {
	t.Helper()
	events := m.History()
	for i, event := range events {
		require.Equal(t, uint64(i+1), event.Term)
		require.Equal(t, election.EventBegan, event.Kind)
		if seen, ok := m.FirstOf[event.Term]; ok { // a short tenure may fall between two reads
			require.Equal(t, seen.Identity, event.To)
		}
		if i > 0 {
			require.Equal(t, events[i-1].To, event.From)
			require.Greater(t, event.Ballot, events[i-1].Ballot)
		}
	}
	return len(events)
}

// TestHandOverOnSIGTERM stops leaders with SIGTERM. A watch notifies their successors,
// which need not wait for a lease or a poll. A successor may be late by the longest delay
// of the monitor's own reads.
func TestHandOverOnSIGTERM(t *testing.T) {
	rounds := longtest.Pick(2, 10)
	const (
		lease = 3 * time.Second // much longer than limit, so no successor has waited for it
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
		next := m.Until("another process leads", func(l election.LeaderRecord) bool { return l.Term > leader.Term && !l.Vacant() })
		vacancies = append(vacancies, next.AcquiredAt.Sub(asked))
		stall := m.TakeStall()
		require.Less(t, vacancies[len(vacancies)-1], limit+stall, "the reads of the monitor were delayed by up to %s", stall)
		require.Equal(t, election.AcquireVacancy, next.AcquireReason)
		require.Zero(t, processes[leader.ID].Wait(t))
		_, listed := m.Candidate(leader.ID)
		require.False(t, listed, "%s has left", leader.ID)
		processes[leader.ID] = run(leader.ID)
		processtest.Eventually(t, leader.ID+" is registered again", func() bool { _, ok := m.Candidate(leader.ID); return ok })
	}
	m.End()
	m.Sound()
	slices.Sort(vacancies)
	t.Logf("%d hand-overs; from SIGTERM to the successor's claim: shortest %s, median %s, longest %s",
		rounds, ms(vacancies[0]), ms(vacancies[len(vacancies)/2]), ms(vacancies[len(vacancies)-1]))
	require.Less(t, vacancies[len(vacancies)/2], limit)
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
