package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

// virtual is the clock of a bubble of testing/synctest.
type virtual struct{ behind time.Duration }

func (virtual) Now() time.Time                                    { return time.Now() }
func (v virtual) Wall() time.Time                                 { return time.Now().Add(-v.behind) }
func (virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// world is a store with elections below a root, in virtual time.
type world struct {
	*testing.T
	db   *memkv.DB
	root subspace.Subspace
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&world{t, memkv.New(memkv.Options{}), subspace.New("root")})
	})
}

func (w *world) transact(fn func(tr kv.Transaction) error) {
	w.Helper()
	require.NoError(w, w.db.Transact(w.Context(), fn))
}

func (w *world) initialize(names ...string) {
	w.Helper()
	w.transact(func(tr kv.Transaction) error {
		for _, name := range names {
			if _, err := election.New(w.root.Sub(name)).Initialize(tr); err != nil {
				return err
			}
		}
		return nil
	})
}

// start starts an elector that is abandoned at the end of the test.
func (w *world) start(name, id string, set ...func(*elector.Options)) *elector.Elector {
	w.Helper()
	opts := elector.Options{NodeID: id, Clock: virtual{}}
	for _, s := range set {
		s(&opts)
	}
	el, err := elector.New(w.db, election.New(w.root.Sub(name)), opts)
	require.NoError(w, err)
	require.NoError(w, el.Start(w.Context()))
	w.Cleanup(func() {
		el.Abandon()
		time.Sleep(time.Second) // its callbacks return
	})
	synctest.Wait()
	return el
}

func (w *world) collector(opts monitor.ElectionsOptions) *monitor.Elections {
	if opts.Clock == nil {
		opts.Clock = virtual{}
	}
	return monitor.NewElections(w.db, w.root, opts)
}

// series returns what a collector exports: the value of each gauge and counter, by its name
// and labels, and the count of each histogram.
func series(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	require.NoError(t, err)
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := strings.TrimPrefix(family.GetName(), "fdbelection_") + "{" + strings.Join(labels, ",") + "}"
			all[name] = value(m)
		}
	}
	return all
}

func value(m *dto.Metric) float64 {
	switch {
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	default:
		return float64(m.GetHistogram().GetSampleCount())
	}
}

// requireSeries checks some of the series.
func requireSeries(t *testing.T, c prometheus.Collector, want map[string]float64) {
	t.Helper()
	got := series(t, c)
	for name, value := range want {
		require.Contains(t, got, name)
		require.InDelta(t, value, got[name], 0.05, name)
	}
}

// A live election, seen from outside.
func TestElections(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("orders", "a")
		w.start("orders", "b")
		w.start("orders", "watcher", func(o *elector.Options) { o.Role = election.Observer })
		w.start("orders", "cold", func(o *elector.Options) { o.Ready = func(context.Context) error { return errors.New("cold") } })
		began := time.Now()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		c := w.collector(monitor.ElectionsOptions{})
		requireSeries(t, c, map[string]float64{
			"election_leader_info{election=orders,leader=a,reason=vacancy}":      1,
			"election_has_leader{election=orders}":                               1,
			"election_term{election=orders}":                                     1,
			"election_enabled{election=orders}":                                  1,
			"election_unreadable{election=orders}":                               0,
			"election_candidates{election=orders,liveness=alive,role=voter}":     3,
			"election_candidates{election=orders,liveness=timed_out,role=voter}": 0,
			"election_candidates{election=orders,liveness=alive,role=observer}":  1,
			"election_unready_candidates{election=orders}":                       1,
			"election_last_change_timestamp_seconds{election=orders}":            float64(began.UnixNano()) / 1e9,
			"election_history_events_total{election=orders,kind=began}":          0,
			"elections{}":                     1,
			"elections_left_out{}":            0,
			"elections_scrape_success{}":      1,
			"elections_scrape_errors_total{}": 0,
		})
		left := series(t, c)["election_lease_remaining_seconds{election=orders}"]
		require.Greater(t, left, 6.0)
		require.LessOrEqual(t, left, 10.0)

		problems, err := testutil.CollectAndLint(c)
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}

// A dead leader and dead candidates are found by observation, even if wall clocks differ.
func TestElectionsJudgeByObservation(t *testing.T) {
	for name, behind := range map[string]time.Duration{"equal clocks": 0, "behind": time.Hour, "ahead": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start("orders", "a"), w.start("orders", "b")
				c := w.collector(monitor.ElectionsOptions{Clock: virtual{behind}})
				alive := map[string]float64{
					"election_has_leader{election=orders}":                               1,
					"election_candidates{election=orders,liveness=alive,role=voter}":     2,
					"election_candidates{election=orders,liveness=timed_out,role=voter}": 0,
				}
				series(t, c) // the first read has only the wall clocks
				for range 10 {
					time.Sleep(7 * time.Second)
					synctest.Wait()
					requireSeries(t, c, alive)
				}
				a.Abandon()
				b.Abandon()
				time.Sleep(9 * time.Second)
				requireSeries(t, c, alive) // its last renewal may be as new as this
				time.Sleep(16 * time.Second)
				requireSeries(t, c, map[string]float64{
					"election_has_leader{election=orders}":                               0,
					"election_candidates{election=orders,liveness=alive,role=voter}":     0,
					"election_candidates{election=orders,liveness=timed_out,role=voter}": 2,
				})
			})
		})
	}
}

// The first read finds a leader that died long ago by its wall clock.
func TestElectionsJudgeTheFirstReadByTheWallClock(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("orders", "a").Abandon()
		time.Sleep(time.Minute)
		requireSeries(t, w.collector(monitor.ElectionsOptions{}), map[string]float64{
			"election_has_leader{election=orders}":                               0,
			"election_leader_info{election=orders,leader=a,reason=vacancy}":      1,
			"election_candidates{election=orders,liveness=timed_out,role=voter}": 1,
		})
	})
}

// Events are counted from the first read on, each once, and survive a trim of the history.
func TestElectionsCountEvents(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start("orders", "a"), w.start("orders", "b")
		c := w.collector(monitor.ElectionsOptions{})
		series(t, c)
		require.NoError(t, a.Stop(w.Context()))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := map[string]float64{
			"election_term{election=orders}":                                2,
			"election_history_events_total{election=orders,kind=began}":     1,
			"election_history_events_total{election=orders,kind=ended}":     1,
			"election_history_events_total{election=orders,kind=duplicate}": 0,
		}
		requireSeries(t, c, want)
		time.Sleep(10 * time.Second)
		requireSeries(t, c, want)
		twin := w.start("orders", "b")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.ErrorIs(t, twin.Health(w.Context()), fdbelection.ErrDuplicateID)
		require.True(t, b.Leading())
		want["election_history_events_total{election=orders,kind=duplicate}"] = 1
		requireSeries(t, c, want)
	})
}

// A vacancy, a disabled election, one that never had a leader, and records that cannot be read.
func TestElectionsWithoutALeader(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize("damaged", "half", "new")
		a := w.start("vacant", "a")
		require.NoError(t, a.Stop(w.Context()))
		w.transact(func(tr kv.Transaction) error {
			tr.Set(w.root.Sub("damaged", "leader").Bytes(), []byte("damaged"))
			tr.Set(w.root.Sub("half", "candidates", "x").Bytes(), []byte("damaged"))
			tr.Set(w.root.Sub("other").Bytes(), []byte("of an application"))
			e := election.New(w.root.Sub("new"))
			config, err := e.ReadConfig(tr)
			if err != nil {
				return err
			}
			config.ElectionEnabled = false
			_, err = e.WriteConfig(tr, config)
			return err
		})
		c := w.collector(monitor.ElectionsOptions{})
		requireSeries(t, c, map[string]float64{
			"elections{}":                           4,
			"election_unreadable{election=damaged}": 1,
			"election_unreadable{election=half}":    1,
			"election_has_leader{election=half}":    0,
			"election_has_leader{election=vacant}":  0,
			"election_term{election=vacant}":        1,
			"election_has_leader{election=new}":     0,
			"election_enabled{election=new}":        0,
			"election_enabled{election=vacant}":     1,
		})
		got := series(t, c)
		for name := range got {
			require.NotContains(t, name, "leader_info")
			require.NotContains(t, name, "lease_remaining")
			if strings.Contains(name, "election=damaged") {
				require.Contains(t, name, "unreadable")
			}
		}
		require.NotContains(t, got, "election_last_change_timestamp_seconds{election=new}")
	})
}

// Names and ids from the database cannot break the format or the registry.
func TestElectionsWithHostileNames(t *testing.T) {
	inWorld(t, func(w *world) {
		long := strings.Repeat("é", 120)
		names := []string{"<img src=x onerror=alert(1)>", "a\nb", "\x1b[2J", `"a\nb"`, long + "1", long + "2"}
		w.initialize(names...)
		w.start("plain", `<script>"}\`)
		c := w.collector(monitor.ElectionsOptions{})
		got := series(t, c)
		require.InDelta(t, 5, got["elections{}"], 0)
		require.InDelta(t, 2, got["elections_left_out{}"], 0, "two labels are equal to others")
		require.Contains(t, got, `election_leader_info{election=plain,leader=<script>"}\,reason=vacancy}`)
		for name := range got {
			require.NotContains(t, name, "\n")
			require.NotContains(t, name, "\x1b")
			require.Less(t, len(name), 300)
		}
	})
}

// The limit bounds the series. What is left out is counted.
func TestElectionsLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		var names []string
		for i := range 250 {
			names = append(names, fmt.Sprintf("e%03d", i))
		}
		w.initialize(names...)
		for limit, left := range map[int]float64{1: 249, 100: 150, 250: 0, 251: 0} {
			got := series(t, w.collector(monitor.ElectionsOptions{Limit: limit}))
			require.InDelta(t, left, got["elections_left_out{}"], 0)
			require.InDelta(t, 250-left, got["elections{}"], 0)
			require.Contains(t, got, "election_term{election=e000}")
		}
	})
}

// An election that is gone leaves nothing behind, and one that comes back starts again.
func TestElectionsThatAreGone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize("orders")
		c := w.collector(monitor.ElectionsOptions{})
		require.Contains(t, series(t, c), "election_term{election=orders}")
		e, me := election.New(w.root.Sub("orders")), election.Registration{Identity: election.Identity{ID: "a"}}
		w.transact(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, time.Now()) })
		w.transact(func(tr kv.Transaction) error {
			_, err := e.TryClaimLeadership(tr, me.Identity, time.Now())
			return err
		})
		time.Sleep(2 * time.Second)
		const began = "election_history_events_total{election=orders,kind=began}"
		requireSeries(t, c, map[string]float64{began: 1})
		w.transact(func(tr kv.Transaction) error {
			tr.ClearRange(w.root.Sub("orders").Range())
			return nil
		})
		time.Sleep(2 * time.Second)
		got := series(t, c)
		require.NotContains(t, got, "election_term{election=orders}")
		require.InDelta(t, 0, got["elections{}"], 0)
		w.initialize("orders")
		time.Sleep(2 * time.Second)
		requireSeries(t, c, map[string]float64{began: 0})
	})
}

// A hundred elections cost one transaction, and a thousand ten. Scrapes at the same time and
// soon after each other share one read.
func TestElectionsShareReads(t *testing.T) {
	inWorld(t, func(w *world) {
		var names []string
		for i := range 1000 {
			names = append(names, fmt.Sprintf("e%04d", i))
		}
		w.initialize(names...)
		c := w.collector(monitor.ElectionsOptions{})
		before := w.db.Counters()
		var scrapes sync.WaitGroup
		for range 10 {
			scrapes.Go(func() { series(t, c) })
		}
		scrapes.Wait()
		require.EqualValues(t, 10, w.db.Counters().Sub(before).Transactions)
		time.Sleep(999 * time.Millisecond)
		series(t, c)
		require.EqualValues(t, 10, w.db.Counters().Sub(before).Transactions)
		time.Sleep(time.Millisecond)
		series(t, c)
		require.EqualValues(t, 20, w.db.Counters().Sub(before).Transactions)
	})
}
