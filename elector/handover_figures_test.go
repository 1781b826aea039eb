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

// restart is a process that restarts in place: its elector runs work that returns at once
// when it is told to stop. began and ended get the times of the work.
type restart struct {
	*elector.Elector
	began, ended chan time.Time
	result       chan error
}

// restarts starts a process under an id.
func restarts(tb testing.TB, db kv.Database, space subspace.Subspace, id string, clock elector.Clock) *restart {
	tb.Helper()
	config := fdbelection.ConfigWithLease(10 * time.Second)
	el, err := elector.New(db, election.New(space), elector.Options{NodeID: id, Config: config, Clock: clock})
	require.NoError(tb, err)
	p := &restart{Elector: el, began: make(chan time.Time, 8), ended: make(chan time.Time, 8), result: make(chan error, 1)}
	go func() {
		p.result <- el.Run(tb.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			p.began <- time.Now()
			<-ctx.Done()
			p.ended <- time.Now()
			return nil
		})
	}()
	return p
}

// listing waits until the process has listed the candidates and follows a leader.
func (p *restart) listing(tb testing.TB) {
	tb.Helper()
	for patience := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		if p.State() == elector.StateFollower && len(p.ClusterState().Voters) > 0 {
			return
		}
		require.True(tb, time.Now().Before(patience), "not a follower: %s", p.State())
	}
}

// gap stops a process, and returns the time from the end of its work to the beginning of the
// work of its successor. If to is empty, the process resigns and the first in rank claims.
func (p *restart) gap(tb testing.TB, to string, next *restart) time.Duration {
	tb.Helper()
	require.NoError(tb, p.StopAndHandOver(tb.Context(), to))
	require.NoError(tb, <-p.result)
	return (<-next.began).Sub(<-p.ended)
}

// gapOf returns the gap of a hand-over to the last in rank, or of a resignation if to is
// empty. Every call to the store takes a millisecond.
func gapOf(t *testing.T, others int, to string, phase time.Duration) (gap time.Duration) {
	t.Helper()
	inVirtualTime(t, func(t *testing.T) {
		db, space := memkv.New(latency(time.Millisecond)), subspace.New("gap")
		process := func(id string) *restart { // with a client of its own, so that it shares no watch
			return restarts(t, db.NewClient(id, memkv.ClientOptions{}), space, id, virtual{})
		}
		old := process("old")
		<-old.began
		var next []*restart
		for i := range others {
			next = append(next, process("other-"+strconv.Itoa(i)))
			next[i].listing(t)
		}
		next = append(next, process("new"))
		next[others].listing(t)
		time.Sleep(time.Minute + phase)
		if to == "" {
			gap = old.gap(t, to, next[0])
		} else {
			gap = old.gap(t, to, next[others])
		}
		for _, p := range next {
			require.NoError(t, p.Stop(t.Context()))
			require.NoError(t, <-p.result)
		}
	})
	return gap
}

// A hand-over takes as long as a resignation and the claim of the first in rank. If the
// successor is not the first in rank, it reads the leader record first, which takes two calls.
// A pattern takes a read more. These are medians over the phases of a heartbeat, in a store in
// which every call takes a millisecond.
func TestGapOfAHandOver(t *testing.T) {
	const phases = 9
	for _, c := range []struct {
		name   string
		others int
		extra  time.Duration
	}{{"to the first in rank", 0, 0}, {"to the last of four", 3, 2 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			p50 := map[string]time.Duration{}
			for _, to := range []string{"", "new", "new*"} {
				var all []time.Duration
				for phase := range phases {
					all = append(all, gapOf(t, c.others, to, time.Duration(phase)*317*time.Millisecond))
				}
				slices.Sort(all)
				p50[to] = all[phases/2]
			}
			ratio := func(to string) float64 { return float64(p50[to]) / float64(p50[""]) }
			t.Logf("resigned and claimed: %s; handed over: %s (%.2f); by a pattern: %s (%.2f)",
				p50[""], p50["new"], ratio("new"), p50["new*"], ratio("new*"))
			require.LessOrEqual(t, p50["new"], p50[""]+c.extra)
			require.LessOrEqual(t, p50["new*"], p50[""]+c.extra+time.Millisecond)
		})
	}
}

// BenchmarkGap measures the gap in real time, with hand-overs and resignations in turns.
func BenchmarkGap(b *testing.B) {
	file := func(tb testing.TB) kv.Database {
		db, err := filekv.Open(filepath.Join(tb.TempDir(), "gap.db"), filekv.Options{})
		require.NoError(tb, err)
		tb.Cleanup(func() { _ = db.Close() })
		return db
	}
	for name, open := range map[string]func(testing.TB) kv.Database{
		"memkv": func(testing.TB) kv.Database { return memkv.New(memkv.Options{}) }, "filekv": file,
	} {
		b.Run(name, func(b *testing.B) {
			db, space := open(b), subspace.New("gap")
			old := restarts(b, db, space, "0", elector.SystemClock())
			<-old.began
			took := map[bool][]time.Duration{}
			for n := 1; b.Loop(); n++ {
				for _, handsOver := range []bool{true, false} {
					id := strconv.Itoa(n) + strconv.FormatBool(handsOver)
					next, to := restarts(b, db, space, id, elector.SystemClock()), ""
					next.listing(b)
					if handsOver {
						to = id
					}
					took[handsOver] = append(took[handsOver], old.gap(b, to, next))
					old = next
				}
			}
			require.NoError(b, old.Stop(b.Context()))
			p50 := func(all []time.Duration) float64 {
				slices.Sort(all)
				return float64(all[len(all)/2]) / float64(time.Microsecond)
			}
			b.ReportMetric(p50(took[true]), "p50-µs-handed-over")
			b.ReportMetric(p50(took[false]), "p50-µs-resigned")
			b.ReportMetric(p50(took[true])/p50(took[false]), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}
