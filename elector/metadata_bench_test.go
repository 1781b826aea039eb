package elector_test

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// BenchmarkMetadata measures a change of the leader's metadata, from the call of SetMetadata to
// the follower's OnLeadershipChange. It alternates with the bare sequence: commit a key, a watch
// of it fires, read it and watch again.
func BenchmarkMetadata(b *testing.B) {
	b.Run("memkv", func(b *testing.B) {
		db := memkv.New(memkv.Options{})
		benchmarkMetadata(b, func() kv.Database { return db.NewClient("", memkv.ClientOptions{}) })
	})
	b.Run("filekv", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "store")
		benchmarkMetadata(b, func() kv.Database {
			db, err := filekv.Open(path, filekv.Options{})
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, db.Close()) })
			return db
		})
	})
}

func benchmarkMetadata(b *testing.B, open func() kv.Database) {
	b.Helper()
	const pause = 40 * time.Millisecond // the follower arms its watch once per tenth of a heartbeat on average
	config := fdbelection.ConfigWithLease(time.Second)
	start := func(id string, callbacks elector.Callbacks) *elector.Elector {
		el, err := elector.New(open(), election.New(subspace.New("election")), elector.Options{NodeID: id, Config: config, Callbacks: callbacks})
		require.NoError(b, err)
		require.NoError(b, el.Start(b.Context()))
		b.Cleanup(func() { _ = el.Stop(context.Background()) })
		return el
	}
	leads, changes := make(chan struct{}, 1), make(chan string, 100)
	leader := start("a", elector.Callbacks{OnElected: func(context.Context, elector.Transition) { leads <- struct{}{} }})
	<-leads
	start("b", elector.Callbacks{OnLeadershipChange: func(_ context.Context, l elector.LeaderInfo) { changes <- l.Metadata["addr"] }})
	bare := newBareReader(b, open(), open())
	var pushed, read []time.Duration
	for i := 0; b.Loop(); i++ {
		time.Sleep(pause)
		text := strconv.Itoa(i)
		begin := time.Now()
		require.NoError(b, leader.SetMetadata(map[string]string{"addr": text}))
		for <-changes != text {
		}
		pushed = append(pushed, time.Since(begin))
		time.Sleep(pause)
		read = append(read, bare.round(text))
	}
	half := func(took []time.Duration) float64 {
		slices.Sort(took)
		return float64(took[len(took)/2]) / float64(time.Microsecond)
	}
	b.ReportMetric(half(pushed), "p50-µs")
	b.ReportMetric(half(read), "p50-bare-µs")
	b.ReportMetric(half(pushed)/half(read), "ratio")
	b.ReportMetric(0, "ns/op")
}

// bareReader watches a key, and reads it when the watch has fired.
type bareReader struct {
	b      *testing.B
	writer kv.Database
	values chan string
}

var bareKey = []byte("bare")

func newBareReader(b *testing.B, writer, reader kv.Database) *bareReader {
	b.Helper()
	r := &bareReader{b, writer, make(chan string, 100)}
	go func() {
		for {
			var watch kv.Watch
			value, err := kv.Transact(b.Context(), reader, func(tr kv.Transaction) ([]byte, error) {
				watch = tr.Watch(bareKey)
				return tr.Get(bareKey).Get()
			})
			if err != nil {
				return
			}
			r.values <- string(value)
			select {
			case <-watch.Done():
			case <-b.Context().Done():
				return
			}
		}
	}()
	return r
}

// round writes a value and returns how long it took until the reader had it.
func (r *bareReader) round(value string) time.Duration {
	r.b.Helper()
	begin := time.Now()
	require.NoError(r.b, r.writer.Transact(r.b.Context(), func(tr kv.Transaction) error {
		tr.Set(bareKey, []byte(value))
		return nil
	}))
	for <-r.values != value {
	}
	return time.Since(begin)
}
