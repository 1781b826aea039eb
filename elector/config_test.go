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

// A disabled election: the leader drains and gives up its seat, candidates stay
// listed and claim nothing; once it is enabled again the first of them leads.
func TestDisabledElection(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		vacant := w.until("vacant", election.LeaderRecord.Vacant)
		require.Equal(w, uint64(1), vacant.Term)
		require.Contains(w, a.reasons(), elector.ReasonDisabled)
		time.Sleep(5 * lease)
		require.Equal(w, vacant, w.seat())
		require.False(w, a.believes())
		for _, c := range w.candidates() {
			require.Less(w, time.Since(c.LastHeartbeat), w.config.CandidateTimeout/2, "heartbeats go on")
		}
		require.Len(w, w.candidates(), 2)
		require.False(w, a.ClusterState().Config.ElectionEnabled)

		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
		enabled := time.Now()
		next := w.until("held", func(l election.LeaderRecord) bool { return !l.Vacant() })
		require.LessOrEqual(w, time.Since(enabled), heartbeat+2*step)
		require.Equal(w, uint64(2), next.Term)
	})
}

// Work has the rest of its lease to stop in, and no more, where the election is
// disabled.
func TestDisabledWhileWorkDoesNotStop(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		hold := make(chan struct{})
		lead := within(w, p.tenures(hold), "leadership")
		time.Sleep(heartbeat / 2)
		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		<-lead.Context().Done()
		disabled := time.Now()
		<-lead.LeaseContext().Done()
		require.LessOrEqual(w, time.Since(disabled), endAt)
		close(hold)
		w.until("vacant", election.LeaderRecord.Vacant)
	})
}

// evict removes all candidates but the seated one, as a mistaken operator would.
func (w *world) evict() {
	w.Helper()
	w.transact(func(tr kv.Transaction) error {
		all, err := w.election.ListCandidates(tr)
		if err == nil {
			_, err = w.election.EvictUnchanged(tr, all)
		}
		return err
	})
}

func TestEvictedFollowerRegistersAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("leader").leads()
		f := w.begin("follower")
		f.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		w.evict()
		require.False(w, w.listed("follower"))
		time.Sleep(w.config.CandidateTimeout/3 + step)
		require.True(w, w.listed("follower"))
		require.Equal(w, elector.StateFollower, f.State())
	})
}

// The record of a leader that is gone comes back with its next renewal, and it
// goes on leading.
func TestEvictedLeaderGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("leader")
		p.leads()
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error {
			space := w.election.Subspace()
			for _, records := range []string{"candidates", "rank"} {
				begin, end := space.Sub(records).Range()
				tr.ClearRange(begin, end)
			}
			return nil
		})
		require.False(w, w.listed("leader"))
		time.Sleep(heartbeat)
		require.True(w, w.listed("leader"))
		require.True(w, p.believes())
		require.Equal(w, []elector.State{elector.StateCandidate, elector.StateLeader}, p.history())
	})
}

// The leader evicts who has been silent for the candidate timeout, on its own
// clock, and nobody else.
func TestDeadCandidatesAreEvicted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("leader").leads()
		alive, dead := w.begin("alive"), w.begin("dead")
		alive.enters(elector.StateFollower)
		dead.enters(elector.StateFollower)
		time.Sleep(lease)
		dead.Abandon()
		died := time.Now()
		for w.listed("dead") {
			require.Less(w, time.Since(died), 2*w.config.CandidateTimeout)
			time.Sleep(step)
		}
		require.GreaterOrEqual(w, time.Since(died), w.config.CandidateTimeout*2/3, "not before the timeout since its last heartbeat")
		require.True(w, w.listed("alive"))
	})
}

// A config that becomes longer applies from the next renewal.
func TestConfigChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		time.Sleep(heartbeat / 2)
		w.reconfigure(func(c *fdbelection.Config) { c.LeaseDuration, c.HeartbeatInterval = 2*lease, lease })
		time.Sleep(heartbeat)
		require.Equal(w, 2*lease, w.seat().LeaseDuration)
		require.Equal(w, 2*lease, p.ClusterState().Config.LeaseDuration)
		ballot := w.seat().Ballot
		time.Sleep(lease - heartbeat)
		require.Equal(w, ballot, w.seat().Ballot)
		time.Sleep(heartbeat)
		require.Equal(w, ballot+1, w.seat().Ballot)
	})
}

// A config that becomes shorter is taken over by everybody, and a crash after it
// costs the shorter lease.
func TestConfigBecomesShorter(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		w.reconfigure(func(c *fdbelection.Config) {
			c.LeaseDuration, c.HeartbeatInterval, c.CandidateTimeout = lease/3, lease/10, lease
		})
		time.Sleep(2 * lease)
		require.True(w, a.believes())
		require.Equal(w, uint64(1), w.seat().Term)
		a.Abandon()
		crashed := time.Now()
		b.leads()
		require.LessOrEqual(w, time.Since(crashed), lease/3+lease/100+soon)
	})
}

// An election that is not there is made, or with MustExist waited for.
func TestElectionIsNotThere(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a", func(_ *process, o *elector.Options) { o.MustExist = true })
		time.Sleep(5 * lease)
		require.Equal(w, elector.StateCandidate, p.State())
		require.ErrorIs(w, <-p.Errors(), fdbelection.ErrNotInitialized)
		require.Empty(w, p.Errors(), "it is told once")
		require.Empty(w, w.db.CommitLog())
		w.config.HistoryLimit = 7
		w.initialize()
		p.leads()
		require.Equal(w, 7, p.ClusterState().Config.HistoryLimit)

		q := w.begin("b") // which would have made another one
		q.enters(elector.StateFollower)
		require.Equal(w, 7, q.ClusterState().Config.HistoryLimit)
	})
}

// An election whose records are removed while it runs is made again, and the
// leader of before stops in time; with MustExist it is waited for.
func TestElectionIsRemoved(t *testing.T) {
	for name, mustExist := range map[string]bool{"made again": false, "waited for": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.initialize()
				p := w.process("a", func(_ *process, o *elector.Options) { o.MustExist = mustExist })
				tenures := p.tenures(nil)
				first := within(w, tenures, "leadership")
				time.Sleep(lease)
				w.transact(func(tr kv.Transaction) error {
					begin, end := w.election.Subspace().Range()
					tr.ClearRange(begin, end)
					return nil
				})
				removed := time.Now()
				<-first.Context().Done()
				require.LessOrEqual(w, time.Since(removed), stopAt)
				if mustExist {
					time.Sleep(2 * lease)
					require.Empty(w, tenures)
					w.initialize()
				}
				again := within(w, tenures, "another leadership")
				require.NotEqual(w, first.Token(), again.Token())
				require.True(w, p.believes())
				time.Sleep(2 * lease)
				require.True(w, again.Leads())
			})
		})
	}
}

// Only the config is removed: the seat and its ballot stay.
func TestConfigIsRemoved(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		time.Sleep(lease)
		ballot := w.seat().Ballot
		w.transact(func(tr kv.Transaction) error {
			tr.Clear(w.election.Subspace().Sub("config").Bytes())
			return nil
		})
		time.Sleep(2 * lease)
		require.True(w, p.believes())
		require.Greater(w, w.seat().Ballot, ballot)
	})
}

// A record that cannot be read costs what it describes and nothing else, is told,
// and is not overwritten, but for the term record: a new tenure writes it.
func TestCorruptRecord(t *testing.T) {
	for record, leads := range map[string]bool{"config": false, "leader": false, "term": true, "intent": true} {
		t.Run(record, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.begin("a")
				p.leads()
				key := w.election.Subspace().Sub(record).Bytes()
				var good []byte
				w.transact(func(tr kv.Transaction) (err error) {
					good, err = tr.Get(key).Get()
					tr.Set(key, []byte("rubbish"))
					return err
				})
				time.Sleep(5 * lease)
				require.Equal(w, leads, p.believes())
				var invalid *fdbelection.InvalidStateError
				if record == "term" {
					require.Equal(w, uint64(2), p.Term())
					return
				}
				value, err := kv.ReadTransact(w.Context(), w.db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })
				require.NoError(w, err)
				require.Equal(w, "rubbish", string(value))
				require.ErrorAs(w, <-p.Errors(), &invalid)
				require.Equal(w, key, invalid.Key)
				w.transact(func(tr kv.Transaction) error {
					if tr.Set(key, good); good == nil {
						tr.Clear(key)
					}
					return nil
				})
				time.Sleep(2 * lease)
				require.True(w, p.believes())
			})
		})
	}
}

// All records are removed while "a" leads and "b" follows. Both make the election
// again, and at no time do both believe.
func TestRecordsRemovedUnderALiveLeader(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		time.Sleep(2 * lease)
		removed := time.Now()
		w.transact(func(tr kv.Transaction) error {
			begin, end := w.election.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		led := func() bool { return a.believes() || b.believes() }
		for led() {
			require.Less(w, time.Since(removed), time.Second, "its watch tells it")
			time.Sleep(time.Millisecond)
		}
		for !led() {
			require.Less(w, time.Since(removed), 2*lease)
			time.Sleep(time.Millisecond)
		}
		require.GreaterOrEqual(w, time.Since(removed), lease)
		for range 3000 {
			require.False(w, a.believes() && b.believes())
			time.Sleep(time.Millisecond)
		}
		require.True(w, led())
	})
}

// The leader record alone is removed: its holder writes it again with its next
// renewal, and no work is disturbed.
func TestLeaderRecordRemoved(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		leadership := a.leads()
		b := w.begin("b")
		time.Sleep(lease)
		w.transact(func(tr kv.Transaction) error {
			tr.Clear(w.election.Subspace().Sub("leader").Bytes())
			return nil
		})
		time.Sleep(3 * lease)
		require.True(w, a.believes())
		require.False(w, b.believes())
		require.Equal(w, leadership.Term, a.Term())
	})
}

// An error that no retry can mend ends the elector, where the options say so.
func TestPermanentError(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a", func(_ *process, o *elector.Options) {
			o.Permanent = func(err error) bool { return kv.CodeOf(err) == kv.CodeIOError }
		})
		p.leads()
		w.before(of("a", fail(errDisk)))
		p.enters(elector.StateStopped)
		err := p.Stop(w.Context())
		require.Equal(w, kv.CodeIOError, kv.CodeOf(err))
		var unsaid *elector.LeaveError
		require.ErrorAs(w, err, &unsaid)
		require.False(w, p.believes())
	})
}
