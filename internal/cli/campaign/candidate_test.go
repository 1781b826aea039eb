package campaign_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/campaign"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// A newer process under the same id ends the older one, which leaves its seat
// in order.
func TestDuplicateID(t *testing.T) {
	inWorld(t, func(w *world) {
		older := w.campaign("a")
		older.leads()
		newer := w.campaign("a")
		require.ErrorIs(t, older.ended(), fdbelection.ErrDuplicateID)
		require.Equal(t, uint64(2), newer.leads().Token().Term)
	})
}

// A restart finds its predecessor's seat taken, and waits like anyone.
func TestRestartIsAStranger(t *testing.T) {
	inWorld(t, func(w *world) {
		first := w.campaign("a")
		first.leads()
		first.crash()
		<-first.done
		last := w.leader()
		again := w.campaign("a").leads()
		require.Equal(t, uint64(2), again.Token().Term)
		require.GreaterOrEqual(t, w.leader().AcquiredAt.Sub(last.LeaseExpiry), time.Duration(0))
	})
}

func TestEvictedRegistersAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.campaign("leader").leads()
		w.campaign("follower")
		time.Sleep(heartbeat / 2)
		evict := func() {
			w.transact(func(tr kv.Transaction) error {
				all, err := w.election.ListCandidates(tr)
				if err == nil {
					_, err = w.election.EvictUnchanged(tr, all)
				}
				return err
			})
		}
		evict()
		count := func() int {
			all, err := kv.ReadTransact(t.Context(), w.db, w.election.ListCandidates)
			require.NoError(t, err)
			return len(all)
		}
		require.Equal(t, 1, count())
		time.Sleep(w.config.CandidateTimeout / 3)
		require.Equal(t, 2, count())
	})
}

// Errors of the store are reported once per change, and never end a campaign.
func TestTroubleIsReportedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a")
		p.leads()
		w.before(func(context.Context, *memkv.Call) error { return kv.Error{Code: kv.CodeIOError} })
		time.Sleep(10 * lease)
		require.Equal(t, uint64(1), w.campaignless().Term)
		w.before(nil)
		require.Equal(t, uint64(2), p.leads().Token().Term)
		troubles := p.troubled()
		require.LessOrEqual(t, len(troubles), 4)
		require.Error(t, troubles[0])
		require.NoError(t, troubles[len(troubles)-1])
	})
}

// campaignless reads the seat past the faults of the world.
func (w *world) campaignless() election.Leader {
	hooks := w.hook()
	w.before(nil)
	defer w.before(hooks.Before)
	return w.leader()
}

func TestStoreIsThereLater(t *testing.T) {
	inWorld(t, func(w *world) {
		w.before(func(context.Context, *memkv.Call) error { return kv.Error{Code: kv.CodeIOError} })
		p := w.campaign("a")
		time.Sleep(lease)
		w.before(nil)
		p.leads()
	})
}

func TestPermanentErrorEndsTheCampaign(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a", func(_ *process, o *campaign.Options) {
			o.Permanent = func(err error) bool { return kv.CodeOf(err) == kv.CodeIOError }
		})
		tenure := p.leads()
		w.before(func(context.Context, *memkv.Call) error { return kv.Error{Code: kv.CodeIOError} })
		err := p.ended()
		require.Equal(t, kv.CodeIOError, kv.CodeOf(err))
		require.False(t, tenure.Leads())
	})
}

// A record that cannot be read ends the campaign with its key, and is left as
// it is.
func TestCorruptRecordEndsTheCampaign(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a")
		p.leads()
		key := w.election.Subspace().Sub("config").Bytes()
		w.transact(func(tr kv.Transaction) error { tr.Set(key, []byte("rubbish")); return nil })
		require.ErrorIs(t, p.ended(), fdbelection.ErrInvalidState)
		value, err := kv.ReadTransact(t.Context(), w.db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })
		require.NoError(t, err)
		require.Equal(t, "rubbish", string(value))
	})
}

// Who cannot say that it leaves says so, within its limit.
func TestLeavingHasALimit(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a", func(_ *process, o *campaign.Options) { o.LeaveLimit = time.Second })
		p.leads()
		w.before(func(ctx context.Context, _ *memkv.Call) error { <-ctx.Done(); return ctx.Err() })
		p.leave()
		left := time.Now()
		var unsaid *campaign.LeaveError
		require.ErrorAs(t, p.ended(), &unsaid)
		require.LessOrEqual(t, time.Since(left), time.Second+time.Millisecond)
		w.before(nil)
	})
}

// Who was never registered has nothing to say.
func TestLeaveBeforeRegistration(t *testing.T) {
	inWorld(t, func(w *world) {
		w.before(func(context.Context, *memkv.Call) error { return kv.Error{Code: kv.CodeIOError} })
		p := w.campaign("a")
		time.Sleep(time.Second)
		p.leave()
		require.NoError(t, p.ended())
	})
}

// The work gets its drain time, while the lease is renewed; then it is ended
// by force.
func TestLeavingDrainsTheWork(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a", work(func(t *campaign.Tenure) error {
			<-t.Overdue()
			time.Sleep(time.Millisecond) // for the test to look
			return nil
		}))
		tenure := p.leads()
		time.Sleep(heartbeat / 2)
		left := time.Now()
		p.leave()
		<-tenure.Overdue()
		require.Equal(t, drain, time.Since(left))
		require.True(t, tenure.Leads(), "the lease was renewed meanwhile")
		require.NoError(t, p.ended())
		require.True(t, w.leader().Vacant())
	})
}

// A claim whose answer comes after the candidate was asked to leave begins no
// work, and its seat is given up.
func TestLeaveDuringClaim(t *testing.T) {
	inWorld(t, func(w *world) {
		claimed, release := make(chan struct{}), make(chan struct{})
		commits := 0
		w.after(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			if commits++; commits == 2 { // the first registers
				close(claimed)
				<-release
			}
			return nil
		}))
		p := w.campaign("a")
		<-claimed
		require.Equal(t, "a", w.leader().ID)
		p.leave()
		time.Sleep(time.Millisecond) // it has heard
		close(release)
		require.NoError(t, p.ended())
		require.Empty(t, p.tenures)
		require.True(t, w.leader().Vacant())
	})
}
