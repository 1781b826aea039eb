package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// leaderWithLease is a leader record whose lease differs from that of the config.
func (r *rig) leaderWithLease(who election.Identity, term uint64, lease time.Duration) election.LeaderRecord {
	leader := r.leader(who, term)
	leader.LeaseDuration, leader.LeaseExpiry = lease, r.now().Wall.Add(lease)
	return leader
}

// TestTheStoredLeaseCounts: a follower waits for the lease in the leader record, to the
// nanosecond, even if the config has a longer or shorter one meanwhile.
func TestTheStoredLeaseCounts(t *testing.T) {
	for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByClock, fdbelection.ExpiryByObservation} {
		for _, lease := range []time.Duration{4 * time.Second, 16 * time.Second} {
			t.Run(mode.String()+" "+lease.String(), func(t *testing.T) {
				r := newRig(t)
				r.config.Expiry = mode
				leader := r.leaderWithLease(bob, 1, lease)
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

// If an existing candidate leads, its lease is the one in the leader record.
func TestTheLeaseOfAnExistingLeader(t *testing.T) {
	for _, lease := range []time.Duration{4 * time.Second, 13 * time.Second} {
		r := newRig(t).step(Begin{})
		r.answer(Register, r.foundElder(r.leaderWithLease(elder, 1, lease)))
		require.Equal(t, localEpoch.Add(lease), r.m.takeOverAt())
	}
}

// TestTheWaitAfterALoss: from when the process learns of it, for the lease that was seen last
// or that of the config, the longer of the two.
func TestTheWaitAfterALoss(t *testing.T) {
	for _, c := range []struct{ seen, want time.Duration }{
		{4 * time.Second, 10 * time.Second}, {16 * time.Second, 16 * time.Second},
	} {
		r := newRig(t)
		r.follow(r.leaderWithLease(bob, 1, c.seen))
		require.Zero(t, r.m.leader.waitAfterLoss(&r.m.config))
		r.pass(time.Second).fire(WatchTerm, nil).jump(2 * time.Second)
		gone := failing(fdbelection.ErrNotInitialized)
		gone.Start, gone.Seen = localEpoch.Add(time.Second), localEpoch.Add(2*time.Second)
		r.answer(WatchTerm, gone)
		require.Equal(t, r.now().Local.Add(c.want), r.m.leader.waitAfterLoss(&r.m.config))
	}
}

// TestALeaseIsObservedFromTheEndOfItsRead: the leader may have renewed during the read.
func TestALeaseIsObservedFromTheEndOfItsRead(t *testing.T) {
	r := newRig(t).join()
	a := r.reads(r.leader(bob, 1))
	a.Start, a.Seen = localEpoch.Add(time.Second), localEpoch.Add(3*time.Second)
	r.local = 4 * time.Second
	r.answer(WatchTerm, a)
	require.Equal(t, localEpoch.Add(13*time.Second), r.m.View().LeaseEnd)
}
