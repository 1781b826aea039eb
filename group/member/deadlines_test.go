package member_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
)

// deadlineLog records what SubscribeDeadlines sends.
type deadlineLog struct {
	mu  sync.Mutex
	all []member.Deadlines
}

func (d *deadlineLog) add(next member.Deadlines) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, next)
}

func (d *deadlineLog) last() (last member.Deadlines, count int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) > 0 {
		last = d.all[len(d.all)-1]
	}
	return last, len(d.all)
}

// A guard knows the deadlines of a session before the first shard is led in it, and each later one
// once. It knows a shorter one, and not the end of the session.
func TestSubscribeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 3)
		m := p.member("a")
		var d deadlineLog
		unsubscribe := m.SubscribeDeadlines(d.add)
		_, count := d.last()
		require.Zero(t, count, "there is no session")
		ended := make(chan error, 1)
		go func() {
			ended <- m.Run(t.Context(), func(ctx context.Context, shard *member.Shard) error {
				last, _ := d.last()
				if last.Session != shard.Token().Identity {
					t.Errorf("%s is led in a session without deadlines: %s", shard.Token(), last.Session)
				}
				<-ctx.Done()
				return nil
			})
		}()
		synctest.Wait()
		first, count := d.last()
		require.Equal(t, 1, count)
		require.Equal(t, m.Status().Session, first.Session)
		config := group.DefaultConfig()
		require.Equal(t, 9*time.Second, time.Until(first.End))
		require.Equal(t, 7*time.Second, time.Until(first.Stop))

		time.Sleep(config.HeartbeatInterval * 9 / 8)
		synctest.Wait()
		second, count := d.last()
		require.Equal(t, 2, count, "each is sent once")
		require.Equal(t, config.HeartbeatInterval, second.End.Sub(first.End))
		require.Len(t, m.Shards(), 3)

		config.LeaseDuration, config.HeartbeatInterval = time.Second, 300*time.Millisecond
		p.do(func(tr kv.Transaction) error {
			_, err := p.group.WriteConfig(tr, config)
			return err
		})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		short, count := d.last()
		require.LessOrEqual(t, time.Until(short.End), 900*time.Millisecond)

		var late deadlineLog
		defer m.SubscribeDeadlines(late.add)()
		got, _ := late.last()
		require.Equal(t, short, got, "a late subscriber gets the present ones")
		unsubscribe()
		require.NoError(t, m.Stop(t.Context()))
		require.NoError(t, <-ended)
		_, after := d.last()
		require.Equal(t, count, after, "nothing is sent after unsubscribe")
		got, _ = late.last()
		require.False(t, got.Stop.IsZero(), "the end of a session is not sent")
		var none deadlineLog
		m.SubscribeDeadlines(none.add)()
		_, count = none.last()
		require.Zero(t, count, "there is no session")
	})
}
