package fdbkv_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// idle is the pause before each measurement. After it every watch is armed: a follower arms its
// own once per tenth of a heartbeat on average. A cluster that was idle is slower, so the bare
// sequence comes after the same pause.
const idle = 400 * time.Millisecond

// pushed is an elector of a benchmark, on a connection of its own.
type pushed struct {
	*elector.Elector
	leads   chan time.Time // when it leads
	address chan string    // of the leader, as it was told last
	fails   chan struct{}  // makes its readiness check fail
	failed  chan time.Time // when that has returned
	checked bool
}

func startPushed(b *testing.B, space subspace.Subspace) *pushed {
	b.Helper()
	p := &pushed{leads: make(chan time.Time, 1), address: make(chan string, 100), fails: make(chan struct{}), failed: make(chan time.Time, 1)}
	config := fdbelection.ConfigWithLease(10 * time.Second)
	config.AllowPreemption = false
	var err error
	p.Elector, err = elector.New(fdbkv.FromDatabase(raw(b)), election.New(space), elector.Options{
		Config: config, Ready: p.ready, ReadyInterval: time.Nanosecond, ReadyLimit: time.Hour,
		Callbacks: elector.Callbacks{OnLeadershipChange: func(_ context.Context, l elector.LeaderInfo) { p.address <- l.Metadata["addr"] }},
	})
	require.NoError(b, err)
	go func() {
		_ = p.Run(b.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			p.leads <- time.Now()
			<-ctx.Done()
			return nil
		})
	}()
	b.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p
}

// ready returns nil at first. The next call returns an error when fails is written, and the
// one after that does not return.
func (p *pushed) ready(ctx context.Context) error {
	if !p.checked {
		p.checked = true
		return nil
	}
	select {
	case <-p.fails:
		p.fails = nil
		p.failed <- time.Now()
		return errors.New("not ready")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follows waits until the elector is ready and follows a leader.
func (p *pushed) follows() {
	for c := p.ClusterState(); p.State() != elector.StateFollower || len(c.Voters) == 0 || c.NotReady != ""; c = p.ClusterState() {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(idle) // its heartbeat says that it is ready, and its watch is armed
}

// bareRound measures the least that a hand-over needs: a commit, a watch of it that fires, a
// read and another commit. The first result ends with the read.
func bareRound(b *testing.B, writer, reader kv.Database, key []byte) (read, committed time.Duration) {
	b.Helper()
	ctx := context.Background()
	var watch kv.Watch
	require.NoError(b, reader.Transact(ctx, func(tr kv.Transaction) error {
		watch = tr.Watch(key)
		return nil
	}))
	type ends struct{ read, committed time.Time }
	done := make(chan ends, 1)
	go func() {
		var e ends
		<-watch.Done()
		_ = reader.Transact(ctx, func(tr kv.Transaction) error {
			_, err := tr.Get(key).Get()
			e.read = time.Now()
			tr.Set(key, []byte("successor"))
			return err
		})
		e.committed = time.Now()
		done <- e
	}()
	time.Sleep(idle)
	start := time.Now()
	require.NoError(b, writer.Transact(ctx, func(tr kv.Transaction) error {
		tr.Set(key, []byte(start.String()))
		return nil
	}))
	e := <-done
	return e.read.Sub(start), e.committed.Sub(start)
}

// BenchmarkPush measures, alternately, how long it takes until the next candidate leads after
// the readiness check of the leader has failed (its work returns at once), and until a
// follower is told of the leader's new metadata.
func BenchmarkPush(b *testing.B) {
	p := prefix(b)
	space := subspace.FromBytes(below(p, "election/"))
	writer, reader := fdbkv.FromDatabase(raw(b)), fdbkv.FromDatabase(raw(b))
	leader := startPushed(b, space)
	<-leader.leads
	took := make([][]time.Duration, 4)
	for i := 0; b.Loop(); i++ {
		successor := startPushed(b, space)
		successor.follows()
		begin, text := time.Now(), strconv.Itoa(i)
		require.NoError(b, leader.SetMetadata(map[string]string{"addr": text}))
		for <-successor.address != text {
		}
		took[1] = append(took[1], time.Since(begin))
		time.Sleep(idle)
		leader.fails <- struct{}{}
		failed := <-leader.failed
		took[3] = append(took[3], (<-successor.leads).Sub(failed))
		read, committed := bareRound(b, writer, reader, below(p, "bare"))
		took[0], took[2] = append(took[0], read), append(took[2], committed)
		require.NoError(b, leader.Stop(context.Background()))
		leader = successor
	}
	for n, name := range []string{"bare-read", "metadata", "bare-commit", "not-ready"} {
		slices.Sort(took[n])
		for _, percent := range []int{50, 99} {
			at := func(n int) float64 { return float64(took[n][(len(took[n])-1)*percent/100].Microseconds()) }
			b.ReportMetric(at(n), fmt.Sprintf("%s-p%d-µs", name, percent))
			if n%2 == 1 {
				b.ReportMetric(at(n)/at(n-1), fmt.Sprintf("%s/bare-p%d", name, percent))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}
