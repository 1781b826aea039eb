package monitor_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

func watchTransitions(o *elector.Options) {
	o.Callbacks.OnTransition = func(context.Context, elector.Transition) { time.Sleep(300 * time.Millisecond) }
}

// What a leader and a follower export.
func TestElectors(t *testing.T) {
	inWorld(t, func(w *world) {
		c := monitor.NewElectors(monitor.ElectorsOptions{})
		c.Add("orders", w.start("orders", "a", watchTransitions))
		c.Add("orders", w.start("orders", "b", func(o *elector.Options) {
			o.Ready = func(context.Context) error { return errors.New("cold") }
		}))
		time.Sleep(7 * time.Second) // two renewals, and a second after the last one
		synctest.Wait()
		before := w.db.Counters()
		requireSeries(t, c, map[string]float64{
			"elector_is_leader{election=orders,node=a}":                                                   1,
			"elector_is_leader{election=orders,node=b}":                                                   0,
			"elector_state{election=orders,node=a,state=leader}":                                          1,
			"elector_state{election=orders,node=a,state=follower}":                                        0,
			"elector_state{election=orders,node=b,state=follower}":                                        1,
			"elector_term{election=orders,node=a}":                                                        1,
			"elector_term{election=orders,node=b}":                                                        1,
			"elector_ballot{election=orders,node=a}":                                                      3,
			"elector_leadership_remaining_seconds{election=orders,node=a}":                                6,
			"elector_leadership_remaining_seconds{election=orders,node=b}":                                0,
			"elector_ready{election=orders,node=a}":                                                       1,
			"elector_ready{election=orders,node=b}":                                                       0,
			"elector_healthy{election=orders,node=a}":                                                     1,
			"elector_renewal_duration_seconds{election=orders,node=a}":                                    2,
			"elector_renewal_duration_seconds{election=orders,node=b}":                                    0,
			"elector_conflicts_total{election=orders,node=a}":                                             0,
			"elector_retries_total{election=orders,node=a}":                                               0,
			"elector_fenced_total{election=orders,node=a}":                                                0,
			"elector_watches_total{election=orders,node=a,result=fired,watch=leader}":                     1,
			"elector_delay_remaining_seconds{election=orders,node=a,rule=hold_off}":                       0,
			"electors_left_out{}":                                                                         0,
			"elector_callback_duration_seconds{callback=OnTransition,election=orders,node=a}":             2,
			"elector_transitions_total{election=orders,from=stopped,node=a,reason=started,to=candidate}":  1,
			"elector_transitions_total{election=orders,from=candidate,node=a,reason=vacancy,to=leader}":   1,
			"elector_transitions_total{election=orders,from=leader,node=a,reason=unrenewed,to=jeopardy}":  0,
			"elector_transitions_total{election=orders,from=leader,node=a,reason=unrenewed,to=candidate}": 0,
		})
		require.Equal(t, before, w.db.Counters(), "a scrape does no I/O")

		problems, err := testutil.CollectAndLint(c)
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}

// A leader that cannot renew is in jeopardy, then does not lead, and is not healthy.
func TestElectorsOfALeaderThatCannotRenew(t *testing.T) {
	inWorld(t, func(w *world) {
		var cut atomic.Bool
		w.db = memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(ctx context.Context, _ *memkv.Call) error {
			if cut.Load() {
				<-ctx.Done()
			}
			return ctx.Err()
		}}})
		c := monitor.NewElectors(monitor.ElectorsOptions{})
		c.Add("orders", w.start("orders", "a"))
		cut.Store(true)
		time.Sleep(6 * time.Second)
		requireSeries(t, c, map[string]float64{
			"elector_is_leader{election=orders,node=a}":                                                  1,
			"elector_leadership_remaining_seconds{election=orders,node=a}":                               1,
			"elector_state{election=orders,node=a,state=jeopardy}":                                       1,
			"elector_healthy{election=orders,node=a}":                                                    0,
			"elector_transitions_total{election=orders,from=leader,node=a,reason=unrenewed,to=jeopardy}": 1,
		})
		time.Sleep(2 * time.Second)
		requireSeries(t, c, map[string]float64{
			"elector_is_leader{election=orders,node=a}":            0,
			"elector_state{election=orders,node=a,state=jeopardy}": 0,
		})
	})
}

// An elector that has not started has no change of state yet. It is exported like the others.
func TestElectorsBeforeTheStart(t *testing.T) {
	el, err := elector.New(memkv.New(memkv.Options{}), election.New(subspace.New("orders")), elector.Options{NodeID: "a"})
	require.NoError(t, err)
	c := monitor.NewElectors(monitor.ElectorsOptions{})
	c.Add("orders", el)
	requireSeries(t, c, map[string]float64{
		"elector_state{election=orders,node=a,state=stopped}":                                         1,
		"elector_transitions_total{election=orders,from=leader,node=a,reason=unrenewed,to=jeopardy}":  0,
		"elector_transitions_total{election=orders,from=leader,node=a,reason=unrenewed,to=candidate}": 0,
	})
}

// Electors that are added twice, removed, or above the limit.
func TestElectorsLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		c := monitor.NewElectors(monitor.ElectorsOptions{Limit: 2})
		a, b := w.start("orders", "a"), w.start("orders", "b")
		c.Add("orders", a)
		c.Add("orders", b)
		c.Add("orders", b)
		requireSeries(t, c, map[string]float64{"electors_left_out{}": 0})
		c.Add("third", a)
		requireSeries(t, c, map[string]float64{"electors_left_out{}": 1, "elector_term{election=orders,node=b}": 1})
		require.NotContains(t, series(t, c), "elector_term{election=third,node=a}")
		c.Remove(b)
		requireSeries(t, c, map[string]float64{"electors_left_out{}": 0, "elector_term{election=third,node=a}": 1})
	})
}

// A histogram is native and classic at once, and both have the same observations.
func TestHistogramsAreNativeAndClassic(t *testing.T) {
	inWorld(t, func(w *world) {
		c := monitor.NewElectors(monitor.ElectorsOptions{})
		c.Add("orders", w.start("orders", "a", watchTransitions))
		time.Sleep(7 * time.Second)
		synctest.Wait()
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(c)
		families, err := registry.Gather()
		require.NoError(t, err)
		at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "fdbelection_elector_callback_duration_seconds" })
		require.GreaterOrEqual(t, at, 0)
		h := families[at].GetMetric()[0].GetHistogram()
		require.EqualValues(t, 2, h.GetSampleCount())
		require.InDelta(t, 0.6, h.GetSampleSum(), 0.001)
		require.EqualValues(t, 2, h.GetSchema())
		require.Len(t, h.GetPositiveSpan(), 1)
		index := float64(h.GetPositiveSpan()[0].GetOffset())
		require.Less(t, math.Exp2((index-1)/4), 0.3)
		require.GreaterOrEqual(t, math.Exp2(index/4), 0.3)
		require.Equal(t, []int64{2}, h.GetPositiveDelta())
		for _, b := range h.GetBucket() {
			want := 0
			if b.GetUpperBound() >= 0.3 {
				want = 2
			}
			require.EqualValues(t, want, b.GetCumulativeCount(), "%v", b.GetUpperBound())
		}
		require.Len(t, h.GetBucket(), 16)
	})
}
