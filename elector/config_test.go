package elector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// In a disabled election the leader drains and resigns, and candidates stay registered and do
// not claim. When it is enabled, the first of them leads.
func TestDisabledElection(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		vacant := tc.until("vacant", election.LeaderRecord.Vacant)
		require.Equal(tc, uint64(1), vacant.Term)
		require.Contains(tc, a.reasons(), elector.ReasonDisabled)
		time.Sleep(5 * lease)
		require.Equal(tc, vacant, tc.leader())
		require.False(tc, a.Leading())
		for _, c := range tc.candidates() {
			require.Less(tc, time.Since(c.LastHeartbeat), tc.config.CandidateTimeout/2, "heartbeats continue")
		}
		require.Len(tc, tc.candidates(), 2)
		require.False(tc, a.ClusterState().Config.ElectionEnabled)

		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
		enabled := time.Now()
		next := tc.until("held", func(l election.LeaderRecord) bool { return !l.Vacant() })
		require.LessOrEqual(tc, time.Since(enabled), heartbeat+2*step)
		require.Equal(tc, uint64(2), next.Term)
	})
}

// If the election is disabled, work has the rest of its lease to stop.
func TestDisabledWhileWorkDoesNotStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		hold := make(chan struct{})
		lead := within(tc, p.tenures(hold), "leadership")
		time.Sleep(heartbeat / 2)
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		<-lead.Context().Done()
		disabled := time.Now()
		<-lead.LeaseContext().Done()
		require.LessOrEqual(tc, time.Since(disabled), endAt)
		close(hold)
		tc.until("vacant", election.LeaderRecord.Vacant)
	})
}

// evict removes all candidates except the leader, like an operator by mistake.
func (tc *cluster) evict() {
	tc.Helper()
	tc.transact(func(tr kv.Transaction) error {
		all, err := tc.election.ListCandidates(tr)
		if err == nil {
			_, err = tc.election.EvictUnchanged(tr, all)
		}
		return err
	})
}

func TestEvictedFollowerRegistersAgain(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("leader").leads()
		f := tc.begin("follower")
		f.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		tc.evict()
		require.False(tc, tc.listed("follower"))
		time.Sleep(tc.config.CandidateTimeout/3 + step)
		require.True(tc, tc.listed("follower"))
		require.Equal(tc, elector.StateFollower, f.State())
	})
}

// A leader whose candidate record was removed registers with its next renewal and continues
// to lead.
func TestEvictedLeaderContinues(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("leader")
		p.leads()
		time.Sleep(heartbeat / 2)
		tc.transact(func(tr kv.Transaction) error {
			space := tc.election.Subspace()
			for _, records := range []string{"candidates", "rank"} {
				begin, end := space.Sub(records).Range()
				tr.ClearRange(begin, end)
			}
			return nil
		})
		require.False(tc, tc.listed("leader"))
		time.Sleep(heartbeat)
		require.True(tc, tc.listed("leader"))
		require.True(tc, p.Leading())
		require.Equal(tc, []elector.State{elector.StateCandidate, elector.StateLeader}, p.history())
	})
}

// The leader evicts a candidate without a heartbeat for the candidate timeout, on its own
// clock, and no other candidate.
func TestDeadCandidatesAreEvicted(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("leader").leads()
		alive, dead := tc.begin("alive"), tc.begin("dead")
		alive.enters(elector.StateFollower)
		dead.enters(elector.StateFollower)
		time.Sleep(lease)
		dead.Abandon()
		died := time.Now()
		for tc.listed("dead") {
			require.Less(tc, time.Since(died), 2*tc.config.CandidateTimeout)
			time.Sleep(step)
		}
		require.GreaterOrEqual(tc, time.Since(died), tc.config.CandidateTimeout*2/3, "the timeout counts from its last heartbeat")
		require.True(tc, tc.listed("alive"))
	})
}

// A config that becomes longer applies from the next renewal.
func TestConfigChanges(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		time.Sleep(heartbeat / 2)
		tc.reconfigure(func(c *fdbelection.Config) { c.LeaseDuration, c.HeartbeatInterval = 2*lease, lease })
		time.Sleep(heartbeat)
		require.Equal(tc, 2*lease, tc.leader().LeaseDuration)
		require.Equal(tc, 2*lease, p.ClusterState().Config.LeaseDuration)
		ballot := tc.leader().Ballot
		time.Sleep(lease - heartbeat)
		require.Equal(tc, ballot, tc.leader().Ballot)
		time.Sleep(heartbeat)
		require.Equal(tc, ballot+1, tc.leader().Ballot)
	})
}

// All processes use a shorter lease. A fail-over after a crash then takes the shorter lease.
func TestConfigBecomesShorter(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		tc.reconfigure(func(c *fdbelection.Config) {
			c.LeaseDuration, c.HeartbeatInterval, c.CandidateTimeout = lease/3, lease/10, lease
		})
		time.Sleep(2 * lease)
		require.True(tc, a.Leading())
		require.Equal(tc, uint64(1), tc.leader().Term)
		a.Abandon()
		crashed := time.Now()
		b.leads()
		require.LessOrEqual(tc, time.Since(crashed), lease/3+lease/100+soon)
	})
}

// An election that does not exist is created. With MustExist the process waits for it.
func TestElectionDoesNotExist(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a", func(_ *process, o *elector.Options) { o.MustExist = true })
		time.Sleep(5 * lease)
		require.Equal(tc, elector.StateCandidate, p.State())
		require.ErrorIs(tc, <-p.Errors(), fdbelection.ErrNotInitialized)
		require.Empty(tc, p.Errors(), "it is reported once")
		require.Empty(tc, tc.db.CommitLog())
		tc.config.HistoryLimit = 7
		tc.initialize()
		p.leads()
		require.Equal(tc, 7, p.ClusterState().Config.HistoryLimit)

		q := tc.begin("b") // its own config is different
		q.enters(elector.StateFollower)
		require.Equal(tc, 7, q.ClusterState().Config.HistoryLimit)
	})
}

// An election whose records are removed while it runs is created again. With MustExist the
// process waits for it. The former leader stops in time.
func TestElectionIsRemoved(t *testing.T) {
	for name, mustExist := range map[string]bool{"created again": false, "waited for": true} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				tc.initialize()
				p := tc.process("a", func(_ *process, o *elector.Options) { o.MustExist = mustExist })
				tenures := p.tenures(nil)
				first := within(tc, tenures, "leadership")
				time.Sleep(lease)
				tc.transact(func(tr kv.Transaction) error {
					begin, end := tc.election.Subspace().Range()
					tr.ClearRange(begin, end)
					return nil
				})
				removed := time.Now()
				<-first.Context().Done()
				require.LessOrEqual(tc, time.Since(removed), stopAt)
				if mustExist {
					time.Sleep(2 * lease)
					require.Empty(tc, tenures)
					tc.initialize()
				}
				again := within(tc, tenures, "the next leadership")
				require.NotEqual(tc, first.Token(), again.Token())
				require.True(tc, p.Leading())
				time.Sleep(2 * lease)
				require.True(tc, again.Leads())
			})
		})
	}
}

// If only the config is removed, the leader continues with its ballot.
func TestConfigIsRemoved(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		time.Sleep(lease)
		ballot := tc.leader().Ballot
		tc.transact(func(tr kv.Transaction) error {
			tr.Clear(tc.election.Subspace().Sub("config").Bytes())
			return nil
		})
		time.Sleep(2 * lease)
		require.True(tc, p.Leading())
		require.Greater(tc, tc.leader().Ballot, ballot)
	})
}

// A record that cannot be read is reported and not overwritten, and only stops what depends
// on it. The term record is an exception: a new tenure overwrites it.
func TestCorruptRecord(t *testing.T) {
	for record, leads := range map[string]bool{"config": false, "leader": false, "term": true, "intent": true} {
		t.Run(record, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.begin("a")
				p.leads()
				key := tc.election.Subspace().Sub(record).Bytes()
				var good []byte
				tc.transact(func(tr kv.Transaction) (err error) {
					good, err = tr.Get(key).Get()
					tr.Set(key, []byte("rubbish"))
					return err
				})
				time.Sleep(5 * lease)
				require.Equal(tc, leads, p.Leading())
				var invalid *fdbelection.InvalidStateError
				if record == "term" {
					require.Equal(tc, uint64(2), p.Term())
					return
				}
				value, err := kv.ReadTransact(tc.Context(), tc.db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })
				require.NoError(tc, err)
				require.Equal(tc, "rubbish", string(value))
				require.ErrorAs(tc, <-p.Errors(), &invalid)
				require.Equal(tc, key, invalid.Key)
				tc.transact(func(tr kv.Transaction) error {
					if tr.Set(key, good); good == nil {
						tr.Clear(key)
					}
					return nil
				})
				time.Sleep(2 * lease)
				require.True(tc, p.Leading())
			})
		})
	}
}

// All records are removed while "a" leads and "b" follows. Both create the election again,
// and they never lead at the same time.
func TestRecordsRemovedUnderALiveLeader(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		time.Sleep(2 * lease)
		removed := time.Now()
		tc.transact(func(tr kv.Transaction) error {
			begin, end := tc.election.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		led := func() bool { return a.Leading() || b.Leading() }
		for led() {
			require.Less(tc, time.Since(removed), time.Second, "its watch fires")
			time.Sleep(time.Millisecond)
		}
		for !led() {
			require.Less(tc, time.Since(removed), 2*lease)
			time.Sleep(time.Millisecond)
		}
		require.GreaterOrEqual(tc, time.Since(removed), lease)
		for range 3000 {
			require.False(tc, a.Leading() && b.Leading())
			time.Sleep(time.Millisecond)
		}
		require.True(tc, led())
	})
}

// If only the leader record is removed, the leader writes it again with its next renewal and
// continues.
func TestLeaderRecordRemoved(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		leadership := a.leads()
		b := tc.begin("b")
		time.Sleep(lease)
		tc.transact(func(tr kv.Transaction) error {
			tr.Clear(tc.election.Subspace().Sub("leader").Bytes())
			return nil
		})
		time.Sleep(3 * lease)
		require.True(tc, a.Leading())
		require.False(tc, b.Leading())
		require.Equal(tc, leadership.Term, a.Term())
	})
}

// An error that Options.Permanent reports stops the elector.
func TestPermanentError(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a", func(_ *process, o *elector.Options) {
			o.Permanent = func(err error) bool { return kv.CodeOf(err) == kv.CodeIOError }
		})
		p.leads()
		tc.before(of("a", fail(errDisk)))
		p.enters(elector.StateStopped)
		err := p.Stop(tc.Context())
		require.Equal(tc, kv.CodeIOError, kv.CodeOf(err))
		var leaveErr *elector.LeaveError
		require.ErrorAs(tc, err, &leaveErr)
		require.False(tc, p.Leading())
	})
}
