package monitor_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const dashboardFile = "../deploy/grafana/fdbelection.json"

type target struct{ Expr, LegendFormat string }

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
}

// dashboard is what the tests read of the dashboard.
type dashboard struct {
	Title, UID string
	Templating struct {
		List []struct {
			Name, Definition string
			Query            any
		}
	}
	Annotations struct {
		List []struct{ Name, Expr, TitleFormat string }
	}
	Panels []panel
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// targetLabels are the labels that a scrape config may add.
var targetLabels = []string{"cluster", "namespace", "instance", "job"}

// alertLabels are those of the series that Prometheus makes of alerts.
var alertLabels = []string{"alertname", "alertstate", "election", "group", "member"}

// histograms are the metrics that have series for their buckets, count and sum, and none of their own name.
var histograms = []string{"fdbelection_elector_renewal_duration_seconds", "fdbelection_elector_callback_duration_seconds", "fdbelection_member_heartbeat_duration_seconds"}

var (
	quotedRE   = regexp.MustCompile(`"[^"]*"`)
	selectorRE = regexp.MustCompile(`([A-Za-z_:][A-Za-z0-9_:]*)?\{([^{}]*)\}`)
	matcherRE  = regexp.MustCompile(`([A-Za-z0-9_]+)\s*(?:=~|!~|!=|=)`)
	groupingRE = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^()]*)\)`)
	legendRE   = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*\}\}`)
	labelsRE   = regexp.MustCompile(`^label_values\((.+), ([a-z]+)\)$`)
	variableRE = regexp.MustCompile(`\$\{?([a-z_]+)`)
)

// labelsOf returns the labels of the series with a name, or nil if there is no such series.
func labelsOf(series string) []string {
	if series == "ALERTS" {
		return slices.Concat(alertLabels, targetLabels)
	}
	name := suffixRE.ReplaceAllString(series, "")
	if slices.Contains(histograms, name) == (name == series) {
		return nil // a histogram without a suffix, or a suffix without a histogram
	}
	labels, known := metrics()[name]
	if !known {
		return nil
	}
	all := slices.Concat(labels, targetLabels)
	if strings.HasSuffix(series, "_bucket") {
		all = append(all, "le")
	}
	return all
}

// faults returns what is wrong with the names in a query and its legend: metrics that are not
// exported, and labels that these metrics do not have. .ci/rehearsal runs the queries.
func faults(expr, legend string) (all []string) {
	var present []string // labels of any metric in the query
	plain := quotedRE.ReplaceAllString(expr, `""`)
	series := append(nameRE.FindAllString(plain, -1), regexp.MustCompile(`\bALERTS\b`).FindAllString(plain, -1)...)
	if len(series) == 0 {
		all = append(all, "there is no metric of this package in it")
	}
	for _, name := range series {
		labels := labelsOf(name)
		if labels == nil {
			all = append(all, name+" is not exported")
		}
		present = append(present, labels...)
	}
	for _, selector := range selectorRE.FindAllStringSubmatch(plain, -1) {
		for _, matcher := range matcherRE.FindAllStringSubmatch(selector[2], -1) {
			if !slices.Contains(labelsOf(selector[1]), matcher[1]) {
				all = append(all, fmt.Sprintf("%s has no label %s", selector[1], matcher[1]))
			}
		}
	}
	after := present // labels that the result may have
	for _, grouping := range groupingRE.FindAllStringSubmatch(plain, -1) {
		after = nil
		for label := range strings.SplitSeq(grouping[1], ",") {
			label = strings.TrimSpace(label)
			after = append(after, label)
			if !slices.Contains(present, label) {
				all = append(all, "no metric in it has the label "+label)
			}
		}
	}
	for _, label := range legendRE.FindAllStringSubmatch(legend, -1) {
		if !slices.Contains(after, label[1]) {
			all = append(all, "the legend names "+label[1]+", which the result does not have")
		}
	}
	return all
}

// Every query of the dashboard names metrics and labels that this package exports, and the
// dashboard shows every metric.
func TestDashboardNamesMetrics(t *testing.T) {
	d := readDashboard(t)
	var shown strings.Builder
	queries := 0
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			require.Empty(t, faults(q.Expr, q.LegendFormat), "panel %q: %s", p.Title, q.Expr)
			shown.WriteString(q.Expr + " ")
			queries++
		}
	}
	require.Greater(t, queries, 40)
	require.NotEmpty(t, d.Annotations.List)
	for _, a := range d.Annotations.List {
		require.Empty(t, faults(a.Expr, a.TitleFormat), a.Name)
	}
	names := map[string]bool{}
	for _, name := range nameRE.FindAllString(shown.String(), -1) {
		names[suffixRE.ReplaceAllString(name, "")] = true
	}
	for name := range metrics() {
		require.True(t, names[name], "no panel shows %s", name)
	}
}

// The variables of the dashboard ask for labels that exist, and each variable that a query names
// is there.
func TestDashboardVariables(t *testing.T) {
	d := readDashboard(t)
	known := []string{"__rate_interval"}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			asked := labelsRE.FindStringSubmatch(v.Definition)
			require.NotNil(t, asked, v.Definition)
			require.Equal(t, v.Definition, v.Query.(map[string]any)["query"], v.Name)
			require.Contains(t, slices.Concat(targetLabels, []string{"election", "node", "group", "member"}), asked[2])
			for _, series := range []string{"fdbelection_election_term", "fdbelection_elector_term"} {
				expr := strings.Replace(asked[1], `__name__=~"fdbelection_(election|elector)_term"`, "", 1)
				if !strings.HasPrefix(expr, "{") {
					series = ""
				}
				expr = series + strings.Replace(expr, "{, ", "{", 1)
				require.Empty(t, faults(expr, ""), "%s: %s", v.Name, expr)
			}
		}
		known = append(known, v.Name)
	}
	for _, name := range []string{"datasource", "cluster", "namespace", "election", "node", "group", "member"} {
		require.Contains(t, known, name)
	}
	text, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	for _, name := range variableRE.FindAllStringSubmatch(string(text), -1) {
		if name[1] != "__all" { // the value of a variable for which all are chosen
			require.Contains(t, known, name[1])
		}
	}
}

// Each panel says what it shows and in which unit, and no panel is on another one.
func TestDashboardPanels(t *testing.T) {
	d := readDashboard(t)
	require.NotEmpty(t, d.Title)
	require.NotEmpty(t, d.UID)
	ids, titles, places := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	rows := 0
	for _, p := range d.Panels {
		require.NotEmpty(t, p.Title)
		require.False(t, ids[p.ID] || titles[p.Title+p.Type], "%q is there twice", p.Title)
		ids[p.ID], titles[p.Title+p.Type] = true, true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			require.Less(t, x, 24, p.Title)
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, places[[2]int{x, y}], "%q is there too", p.Title)
				places[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows++
			continue
		}
		require.NotEmpty(t, p.Targets, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
		require.Regexp(t, `^[A-Z].{20,}\.$`, p.Description, p.Title)
	}
	require.Equal(t, 5, rows)
}

// TestDashboardFaultsAreFound shows that the checks can fail.
func TestDashboardFaultsAreFound(t *testing.T) {
	for _, c := range []struct{ expr, legend, fault string }{
		{"up", "", "no metric of this package"},
		{"fdbelection_election_terms", "", "not exported"},
		{"fdbelection_election_term_count", "", "not exported"},
		{"fdbelection_elector_renewal_duration_seconds", "", "not exported"},
		{`fdbelection_election_term{node="a"}`, "", "no label node"},
		{`fdbelection_elector_state{status="leader"}`, "", "no label status"},
		{`max by (leader) (fdbelection_election_term{election="}"})`, "", "no metric in it has the label leader"},
		{"sum by (node) (fdbelection_elector_ready)", "{{election}}", "the legend names election"},
		{"fdbelection_elector_ready", "{{leader}}", "the legend names leader"},
	} {
		require.Contains(t, strings.Join(faults(c.expr, c.legend), "\n"), c.fault, c.expr)
	}
	require.Empty(t, faults(`sum by (le, node) (rate(fdbelection_elector_renewal_duration_seconds_bucket{election=~"$election"}[1m]))`, "{{node}}"))
	require.Empty(t, faults(`max by (leader) (fdbelection_election_leader_info{cluster="{x"})`, "{{leader}} leads"))
}
