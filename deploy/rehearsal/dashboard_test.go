//go:build linux

package rehearsal

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// query is a query of the dashboard.
type query struct{ where, expr string }

// queries returns the queries of all panels and annotations, and those of the variables, as Grafana
// asks them if all is chosen.
func (w *world) queries() (series, variables []query) {
	w.t.Helper()
	text, err := os.ReadFile("../grafana/fdbelection.json")
	require.NoError(w.t, err)
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	require.NoError(w.t, json.Unmarshal(text, &d))
	chosen := strings.NewReplacer("$cluster", ".*", "$namespace", ".*", "$node", ".*", "$election", electionName, "$group", groupName, "$member", ".*", "$__rate_interval", "10s")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			series = append(series, query{p.Title, chosen.Replace(target.Expr)})
		}
	}
	for _, a := range d.Annotations.List {
		series = append(series, query{a.Name, chosen.Replace(a.Expr)})
	}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			variables = append(variables, query{v.Name, chosen.Replace(v.Definition)})
		}
	}
	return series, variables
}

// numbers runs a query over the whole rehearsal and returns how many numbers it has.
func (w *world) numbers(q query) (count int) {
	w.t.Helper()
	result, warnings, _, err := w.prometheus.QueryRange(w.t.Context(), q.expr, prometheus.Range{Start: w.began, End: time.Now(), Step: time.Second})
	require.NoError(w.t, err, "%s: %s", q.where, q.expr)
	require.Empty(w.t, warnings, q.where)
	for _, series := range result.(model.Matrix) {
		for _, sample := range series.Values {
			if float64(sample.Value) == float64(sample.Value) { // not NaN: a quantile of nothing
				count++
			}
		}
	}
	return count
}

// checkDashboard runs every query of the dashboard. After the rehearsal each one has data.
func (w *world) checkDashboard() {
	w.t.Helper()
	series, variables := w.queries()
	for _, q := range series {
		require.NotZero(w.t, w.numbers(q), "%s: %s", q.where, q.expr)
	}
	w.t.Logf("%d queries of the dashboard have data", len(series))
	for _, v := range variables {
		inside := strings.TrimSuffix(strings.TrimPrefix(v.expr, "label_values("), ")")
		at := strings.LastIndex(inside, ", ")
		values, _, _, err := w.prometheus.LabelValues(w.t.Context(), inside[at+2:], []string{inside[:at]}, w.began, time.Now())
		require.NoError(w.t, err, v.expr)
		want := map[string]model.LabelValues{
			"cluster": {"rehearsal"}, "namespace": {"shop"}, "election": {electionName}, "node": {"a", "b", "c"},
			"group": {failing, groupName}, "member": {"m1", "m2", "m3", "m4", "n1", "n2", "n3", "n4"},
		}
		require.Equal(w.t, want[v.where], values, v.expr)
	}
}

// checkCalm checks what the dashboard shows while nothing is broken.
func (w *world) checkCalm() {
	w.t.Helper()
	series, _ := w.queries()
	expr := map[string]string{}
	for _, q := range series {
		expr[q.where] = q.expr
	}
	for title, want := range map[string]float64{
		"Elections without a leader": 0, "Elections": 1, "Unreadable elections": 0, "Read of the store": 1, "Left out": 0,
		"Alerts that fire": 0, "Leader": 1, "Why it leads": 1, "Term": 2, "Voters alive": 3, "Enabled": 1,
	} {
		require.Contains(w.t, expr, title)
		await(w.t, title, func() bool { return w.value(expr[title]) == want })
	}
	require.InDelta(w.t, lease.Seconds()/2, w.value(expr["Lease remaining"]), lease.Seconds()/2)
}
