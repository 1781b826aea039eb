package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// leased is the record of a leader that wrote another lease than that of the config
// that stands.
func (r *rig) leased(who election.Identity, term uint64, lease time.Duration) election.LeaderRecord {
	leader := r.leader(who, term)
	leader.LeaseDuration, leader.LeaseExpiry = lease, r.now().Wall.Add(lease)
	return leader
}

// TestTheLeaseThatWasWrittenCounts: the leader believes in the lease of its record,
// although the config has a longer or a shorter one meanwhile. A follower waits for
// that one, to the nanosecond.
func TestTheLeaseThatWasWrittenCounts(t *testing.T) {
	for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByClock, fdbelection.ExpiryByObservation} {
		for _, lease := range []time.Duration{4 * time.Second, 16 * time.Second} {
			t.Run(mode.String()+" "+lease.String(), func(t *testing.T) {
				r := newRig(t)
				r.config.Expiry = mode
				leader := r.leased(bob, 1, lease)
				r.follow(leader, candidate(alice, 1), candidate(bob, 2)).state(StateFollower)
				require.Equal(t, localEpoch.Add(lease), r.m.View().LeaseEnd)
				claim, wants := r.m.claimTime()
				require.True(t, wants)
				require.Equal(t, localEpoch.Add(lease), claim)
				r.local = lease - 1
				r.step(Tick{}).state(StateFollower)
				require.False(t, r.m.View().Leaderless)
				r.local = lease
				r.step(Tick{}).state(StateCandidate)
				require.True(t, r.m.View().Leaderless)
			})
		}
	}
}

// TestTheLeaseOfAnIncumbentThatLed is the one that it wrote.
func TestTheLeaseOfAnIncumbentThatLed(t *testing.T) {
	for _, lease := range []time.Duration{4 * time.Second, 13 * time.Second} {
		r := newRig(t).step(Begin{})
		r.answer(Register, r.finds(r.leased(elder, 1, lease)))
		require.Equal(t, localEpoch.Add(lease), r.m.takeOverAt())
	}
}

// TestAnElectionThatIsGoneStaysSo for the longer one of the lease that was seen last and
// that of the config, from when this process knows of it.
func TestAnElectionThatIsGoneStaysSo(t *testing.T) {
	for _, c := range []struct{ seen, want time.Duration }{
		{4 * time.Second, 10 * time.Second}, {16 * time.Second, 16 * time.Second},
	} {
		r := newRig(t)
		r.follow(r.leased(bob, 1, c.seen))
		require.Zero(t, r.m.leader.waitAfterLoss(&r.m.config))
		r.pass(time.Second).fire(WatchTerm, nil).jump(2 * time.Second)
		gone := failing(fdbelection.ErrNotInitialized)
		gone.Start, gone.Seen = localEpoch.Add(time.Second), localEpoch.Add(2*time.Second)
		r.answer(WatchTerm, gone)
		require.Equal(t, r.now().Local.Add(c.want), r.m.leader.waitAfterLoss(&r.m.config))
	}
}

// TestALeaseIsObservedFromAfterItsRead: the leader may have renewed while the read was
// under way.
func TestALeaseIsObservedFromAfterItsRead(t *testing.T) {
	r := newRig(t).join()
	a := r.reads(r.leader(bob, 1))
	a.Start, a.Seen = localEpoch.Add(time.Second), localEpoch.Add(3*time.Second)
	r.local = 4 * time.Second
	r.answer(WatchTerm, a)
	require.Equal(t, localEpoch.Add(13*time.Second), r.m.View().LeaseEnd)
}
