package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// pollRun is a leader that renews, and one follower that reads when its poll schedule
// says so.
type pollRun struct {
	interval time.Duration // between two renewals, by the follower's clock
	rate     float64       // of the leader's clock by the follower's
	jitter   []time.Duration
	latency  time.Duration // of a read
	early    int           // this renewal comes half a heartbeat early
	until    time.Duration
}

// play returns how often the follower reads, and how old each ballot is when it is first
// seen.
func (p *pollRun) play() (reads int, ages []time.Duration) {
	var c pollSchedule
	leader := election.LeaderRecord{Ballot: 1, LeaseDuration: 10 * time.Second}
	written, renewal := time.Duration(0), 0
	due := 1234 * time.Millisecond
	seen := uint64(1)
	for now := time.Duration(0); now < p.until; reads++ {
		for due <= now {
			written = due
			renewal++
			leader.Ballot++
			leader.LeaseExpiry = wallEpoch.Add(time.Duration(float64(due)*p.rate) + leader.LeaseDuration)
			due += p.interval
			if len(p.jitter) > 0 {
				due += p.jitter[renewal%len(p.jitter)]
			}
			if renewal == p.early {
				due -= p.interval / 2
			}
		}
		now += p.latency
		if leader.Ballot != seen {
			ages = append(ages, now-written)
			seen = leader.Ballot
		}
		c.saw(&leader, localEpoch.Add(now), heartbeat)
		now = max(now+1, c.next.Sub(localEpoch))
	}
	return reads, ages
}

// TestPollSchedule: in phase with the leader there is little more than one read per
// heartbeat. Each ballot is seen within a tenth of a heartbeat, so that an expired lease is
// found at most that late. Out of phase, the follower finds the phase again soon.
func TestPollSchedule(t *testing.T) {
	ms := time.Millisecond
	const renewals = 1000
	for _, c := range []struct {
		name  string
		p     pollRun
		reads float64 // per heartbeat at most
		late  int     // how many ballots may be seen later than a tenth
	}{
		{"in phase", pollRun{}, 1.06, 1},
		{"answers take time", pollRun{latency: 20 * ms}, 1.06, 1},
		{"renewals are a little late", pollRun{jitter: []time.Duration{ms, 3 * ms, 0, 2 * ms, 5 * ms}}, 1.2, 1},
		{"renewals are late", pollRun{jitter: []time.Duration{0, 40 * ms, 10 * ms, 80 * ms}}, 2, 1},
		{"a slow clock", pollRun{interval: heartbeat + heartbeat/2000, rate: 1 - 1./2000}, 1.1, 1},
		{"a fast clock", pollRun{interval: heartbeat - heartbeat/2000, rate: 1 + 1./2000}, 1.06, 1},
		{"one renewal comes early", pollRun{early: 500}, 1.08, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.p
			if p.interval == 0 {
				p.interval = heartbeat
			}
			if p.rate == 0 {
				p.rate = 1
			}
			p.until = renewals * heartbeat
			reads, ages := p.play()
			require.InDelta(t, renewals, len(ages), 35, "each ballot is seen")
			require.LessOrEqual(t, float64(reads)/float64(renewals), c.reads)
			late := 0
			for _, age := range ages {
				if age > heartbeat/10+3*p.latency+ms {
					late++
				}
			}
			require.LessOrEqual(t, late, c.late)
			t.Logf("%d reads for %d renewals, %d late", reads, len(ages), late)
		})
	}
}

// TestNextPoll: when the next read is, after one read.
func TestNextPoll(t *testing.T) {
	at := localEpoch.Add
	gap := heartbeat / 10
	planned := heartbeat - heartbeat/256
	phased := pollSchedule{ballot: 7, written: wallEpoch, phased: true, next: at(time.Minute), unchanged: at(time.Second)}
	for _, c := range []struct {
		name    string
		before  pollSchedule
		ballot  uint64
		written time.Duration // since the last
		seen    time.Duration
		next    time.Duration
		phased  bool
	}{
		{"the first", pollSchedule{}, 7, 0, time.Second, time.Second + gap, false},
		{"unchanged, in the planned read", phased, 7, 0, time.Minute, time.Minute + gap, true},
		{"unchanged, in another read", phased, 7, 0, time.Minute - 1, time.Minute, true},
		{"as expected", phased, 8, heartbeat, time.Minute, time.Minute + planned, true},
		{"as expected, a little late", phased, 8, heartbeat, time.Minute + gap - 1, time.Minute + planned, true},
		{"too late to be the planned read", phased, 8, heartbeat, time.Minute + gap, time.Minute + 2*gap, false},
		{"too early to be expected", phased, 8, heartbeat, time.Minute - gap - 1, time.Minute - 1, false},
		{"one was missed", phased, 9, 2 * heartbeat, time.Minute, time.Minute + gap, false},
		{"renewed early", phased, 8, heartbeat - gap - 1, time.Minute, time.Minute + gap, false},
		{"hardly early", phased, 8, heartbeat - gap, time.Minute, time.Minute + planned, true},
		{"the time of the renewal is known", pollSchedule{ballot: 7, unchanged: at(time.Minute - 2*gap)}, 8, 0, time.Minute, time.Minute + planned, true},
		{"the time of the renewal is not known", pollSchedule{ballot: 7, unchanged: at(time.Minute - 2*gap - 1)}, 8, 0, time.Minute, time.Minute + gap, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.before
			got.saw(&election.LeaderRecord{
				Ballot: c.ballot, LeaseExpiry: wallEpoch.Add(c.written + 10*time.Second), LeaseDuration: 10 * time.Second,
			}, at(c.seen), heartbeat)
			require.Equal(t, c.next, got.next.Sub(localEpoch))
			require.Equal(t, c.phased, got.phased)
			require.Equal(t, c.ballot, got.ballot)
		})
	}
	require.Equal(t, time.Millisecond, pollStep(time.Millisecond), "at least a millisecond")
	c := pollSchedule{ballot: 7, unchanged: localEpoch}
	c.saw(&election.LeaderRecord{Ballot: 8}, at(time.Millisecond), time.Millisecond)
	require.Equal(t, 2*time.Millisecond, c.next.Sub(localEpoch), "and no read is sooner than that")
}

// TestIdlePollingForgetsThePhase: a process that stops dating ballots, and dates those of
// another leader later, does not take the old phase for that of the new leader.
func TestIdlePollingForgetsThePhase(t *testing.T) {
	p := pollSchedule{
		readNow: true, ballot: 7, written: wallEpoch, phased: true,
		next: localEpoch.Add(heartbeat), unchanged: localEpoch.Add(2 * heartbeat),
	}
	p.idle(7, localEpoch, heartbeat)
	require.True(t, p.readNow, "a call for a read stands")
	require.Equal(t, heartbeat, p.next.Sub(localEpoch))
	p.saw(&election.LeaderRecord{Ballot: 8}, p.next, heartbeat)
	require.False(t, p.phased)
	require.Equal(t, heartbeat+heartbeat/10, p.next.Sub(localEpoch))
}

// TestFailOver: a follower claims within a lease and a tenth of a heartbeat after the last
// renewal of a leader that has died.
func TestFailOver(t *testing.T) {
	for _, dies := range []time.Duration{5 * time.Second, 17 * time.Second, 31500 * time.Millisecond, 100 * time.Second} {
		t.Run(dies.String(), func(t *testing.T) {
			r := newRig(t)
			last := time.Duration(0)
			leader := r.leader(bob, 1)
			r.follow(leader)
			for {
				for last+heartbeat <= min(r.local, dies) {
					last += heartbeat
					leader.Ballot++
					leader.LeaseExpiry = wallEpoch.Add(last + leader.LeaseDuration)
				}
				if op, ok := r.main(); ok {
					if op.Kind == ElectionCycle && !op.Abstain {
						break
					}
					r.answer(op.Kind, r.reads(leader))
					continue
				}
				if _, listing := r.find(List); listing {
					r.answer(List, Answer{Members: []election.Candidate{candidate(alice, 1)}})
					continue
				}
				require.Greater(t, r.wake, r.local)
				next := last + heartbeat
				if next > dies {
					next = r.wake
				}
				r.local = min(r.wake, max(next, r.local+1))
				r.step(Tick{})
			}
			require.GreaterOrEqual(t, r.local, last+10*time.Second)
			require.LessOrEqual(t, r.local, last+10*time.Second+heartbeat/10)
		})
	}
}

// TestJeopardyWithALongHeartbeat: a leader that renews in time is not in jeopardy, even if
// its heartbeat is longer than half of its lease. A leader that does not renew in time is.
func TestJeopardyWithALongHeartbeat(t *testing.T) {
	for _, long := range []time.Duration{3 * time.Second, 4900 * time.Millisecond, 5 * time.Second, 7 * time.Second, 8500 * time.Millisecond} {
		t.Run(long.String(), func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Config.HeartbeatInterval = long })
			require.NoError(t, r.config.Validate())
			r.elect()
			for range 3 {
				r.pass(long).state(StateLeader)
				r.pass(20 * time.Millisecond).state(StateLeader).renew().state(StateLeader)
			}
			jeopardy := false
			for r.m.State().Leads() {
				r.pass(10 * time.Millisecond)
				jeopardy = jeopardy || r.m.State() == StateJeopardy
			}
			require.True(t, jeopardy)
		})
	}
}
