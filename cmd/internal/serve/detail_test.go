package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// counting is a store that counts reads.
type counting struct {
	away
	reads atomic.Int64
}

func (c *counting) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	c.reads.Add(1)
	return c.away.ReadTransact(ctx, fn)
}

func newTestFeed(db kv.Database) *feed {
	return newFeed(&Options{Database: db, Space: subspace.New("fdbelection"), Clock: clitest.Virtual{}, Logger: slog.New(slog.DiscardHandler)})
}

// TestAHistoryThatCannotBeRead: it is tried once for each snapshot, and not once for each page,
// since a read may take long.
func TestAHistoryThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counting{away: away{Database: clitest.NewManual(t).Database}}
		f := newTestFeed(store)
		s := f.now()
		d, closeDetail := f.elections.open("default", func() *detail { return &detail{} })
		defer closeDetail()
		store.down.Store(true)
		store.reads.Store(0)
		var err error
		for range 10 {
			_, failed := d.update(t.Context(), f, s, "default")
			err = errors.Join(err, failed)
		}
		require.Error(t, err)
		require.EqualValues(t, 1, store.reads.Load())
		store.down.Store(false)
		time.Sleep(interval)
		now, err := d.update(t.Context(), f, f.now(), "default")
		require.NoError(t, err)
		require.True(t, now.known)
	})
}

// TestClosedPagesLeaveNothing: what the pages of an election share goes with the last of them,
// even if other pages stay open. It has a whole read of all elections.
func TestClosedPagesLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTestFeed(clitest.NewManual(t).Database)
		s := &server{feed: f, streams: make(chan struct{}, mostStreams)}
		h := http.HandlerFunc(s.stream)
		openPage(t, h, "")
		one, two := openPage(t, h, "?election=default"), openPage(t, h, "?election=default")
		for i := range 10 {
			p := openPage(t, h, fmt.Sprintf("?election=none%d", i))
			time.Sleep(interval)
			p.close()
			<-p.ended
		}
		details := func() int {
			f.elections.mu.Lock()
			defer f.elections.mu.Unlock()
			return len(f.elections.all)
		}
		require.Equal(t, 1, details())
		one.close()
		<-one.ended
		require.Equal(t, 1, details())
		two.close()
		<-two.ended
		require.Zero(t, details())
	})
}

// TestDamageIsToldOnce: an election whose config cannot be read is told once, and not after each read.
func TestDamageIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		damage("config")(m)
		p := openPage(t, handler(m.Database), "?election=default")
		time.Sleep(interval)
		require.Equal(t, []string{"store", "status", "candidates", "history"}, names(p.next()))
		time.Sleep(3 * time.Second)
		require.Empty(t, p.next())
	})
}

// TestOldEventsGo: a page is told if only old events are removed, because the limit of the
// history was lowered.
func TestOldEventsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		for range 30 {
			m.Claims(m.One, time.Now())
			token := m.Leader().Token()
			m.Does(func(tr kv.Transaction) error { return m.ResignLeadership(tr, token, time.Now()) })
		}
		p := openPage(t, handler(m.Database), "?election=default")
		time.Sleep(interval)
		require.Len(t, decode[changed[report.Event]](t, p.next()[3]).Set, 60)
		m.Does(func(tr kv.Transaction) error {
			config, err := m.ReadConfig(tr)
			if err != nil {
				return err
			}
			config.HistoryLimit = 20
			_, err = m.WriteConfig(tr, config)
			return err
		})
		time.Sleep(2 * interval)
		all := p.next()
		require.Equal(t, []string{"status", "history"}, names(all))
		require.Len(t, decode[changed[report.Event]](t, all[1]).Gone, 20)
	})
}
