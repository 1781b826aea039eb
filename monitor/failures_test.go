package monitor_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

// faulty is a store whose reads fail or hang.
type faulty struct {
	kv.Database
	err   error
	hangs chan struct{} // until it is closed, whatever the context says; nil: it does not hang
	reads atomic.Int64
}

func (f *faulty) ReadTransact(ctx context.Context, fn func(kv.ReadTransaction) error) error {
	f.reads.Add(1)
	switch {
	case f.hangs != nil:
		<-f.hangs
		return ctx.Err()
	case f.err != nil:
		return f.err
	}
	return f.Database.ReadTransact(ctx, fn)
}

// If the store fails, only the metrics of the scrape are exported, and the log says so once.
func TestElectionsOfAFailingStore(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize("orders")
		store := &faulty{Database: w.db, err: errors.New("no\x1b route")}
		var log bytes.Buffer
		c := monitor.NewElections(store, w.root, monitor.ElectionsOptions{Clock: virtual{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 3 {
			require.Equal(t, map[string]float64{
				"elections_scrape_success{}": 0, "elections_scrape_errors_total{}": float64(i + 1), "elections_scrape_duration_seconds{}": 0,
			}, series(t, c))
			time.Sleep(time.Second)
		}
		require.EqualValues(t, 3, store.reads.Load())
		store.err = nil
		requireSeries(t, c, map[string]float64{
			"elections_scrape_success{}": 1, "elections_scrape_errors_total{}": 3, "election_term{election=orders}": 0,
		})
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("elections cannot be read")))
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("elections can be read again")))
		require.NotContains(t, log.String(), "\x1b")
	})
}

// A store that ignores the end of a context makes no scrape wait longer than its time, and
// gets no second read.
func TestElectionsOfAStoreThatHangs(t *testing.T) {
	inWorld(t, func(w *world) {
		store := &faulty{Database: w.db, hangs: make(chan struct{})}
		c := monitor.NewElections(store, w.root, monitor.ElectionsOptions{Clock: virtual{}, Timeout: 5 * time.Second})
		for i := range 3 {
			began := time.Now()
			got := series(t, c)
			require.InDelta(t, 0, got["elections_scrape_success{}"], 0)
			require.InDelta(t, i+1, got["elections_scrape_errors_total{}"], 0)
			require.Equal(t, 5500*time.Millisecond, time.Since(began))
		}
		require.EqualValues(t, 1, store.reads.Load())
		close(store.hangs)
		synctest.Wait()
		store.hangs = nil
		time.Sleep(time.Second)
		require.InDelta(t, 1, series(t, c)["elections_scrape_success{}"], 0)
	})
}

// A slow store ends the scrape at its time limit.
func TestElectionsOfASlowStore(t *testing.T) {
	inWorld(t, func(*world) {
		db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(ctx context.Context, _ *memkv.Call) error {
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
			return ctx.Err()
		}}})
		c := monitor.NewElections(db, subspace.New("root"), monitor.ElectionsOptions{Clock: virtual{}, Timeout: 5 * time.Second})
		requireSeries(t, c, map[string]float64{"elections_scrape_success{}": 0, "elections_scrape_duration_seconds{}": 5})
	})
}
