// Package report writes the page of figures and its charts.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/scenario"
)

//go:embed page.md.tmpl
var pageText string

// order is that of the systems: first this project on its engines, then the peers.
var order = []string{"memkv", "filekv", "FoundationDB", "etcd", "Redis", "PostgreSQL lock", "PostgreSQL row", "ZooKeeper"}

// page is what the template sees.
type page struct {
	Scenarios []section
	Runs      []runRow
	Systems   []about
	Curves    []curveSection
}

type section struct {
	Name, Title string
	Tables      []table
	Chart       string // its file, if there is one
}

// table is a table of one scenario at one setting.
type table struct {
	Caption string
	Head    []string
	Rows    [][]string
	Notes   []string
}

type about struct {
	Name string
	figures.About
	Date string
}

// runRow is a run, and what is from it.
type runRow struct {
	figures.Run
	Holds string
}

type curveSection struct{ Name, Chart string }

// Write writes benchmarks.md into a folder, and the charts into its folder pictures.
func Write(f *figures.File, folder string) error {
	p := page{Systems: systemsOf(f)}
	for _, run := range f.Runs {
		p.Runs = append(p.Runs, runRow{run, holds(f, run.ID)})
	}
	for _, s := range scenario.All() {
		one := section{Name: s.Name, Title: s.Title}
		for _, settings := range []string{figures.Equal, figures.Recommended} {
			if t, ok := tableOf(f, s.Name, settings); ok {
				one.Tables = append(one.Tables, t)
			}
		}
		var err error
		if one.Chart, err = chartOf(f, s.Name, filepath.Join(folder, "pictures")); err != nil {
			return err
		}
		p.Scenarios = append(p.Scenarios, one)
	}
	for i := range f.Curves {
		name, err := drawCurve(&f.Curves[i], filepath.Join(folder, "pictures"))
		if err != nil {
			return err
		}
		p.Curves = append(p.Curves, curveSection{f.Curves[i].Name, name})
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"row":  func(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" },
		"rule": func(cells []string) string { return "|---" + strings.Repeat("|---", len(cells)-1) + "|" },
		"duration": func(d time.Duration) string {
			if d == 0 {
				return "none"
			}
			return fmt.Sprintf("%g s", d.Round(10*time.Millisecond).Seconds())
		},
	}).Parse(pageText)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return err
	}
	text := regexp.MustCompile(`\n{3,}`).ReplaceAll(b.Bytes(), []byte("\n\n"))
	return os.WriteFile(filepath.Join(folder, "benchmarks.md"), text, 0o644) //nolint:gosec // it is published
}

// systemsOf returns what the newest run of each system says of it.
func systemsOf(f *figures.File) []about {
	var all []about
	for _, name := range order {
		for _, run := range slices.Backward(f.Runs) {
			if a, ok := run.Systems[name]; ok {
				date, _, _ := strings.Cut(run.ID, "T")
				all = append(all, about{name, a, date})
				break
			}
		}
	}
	return all
}

// holds says which figures are of a run: the systems and the scenarios, or the curves.
func holds(f *figures.File, run string) string {
	var systems, scenarios, others []string
	for _, name := range order {
		if slices.ContainsFunc(f.Results, func(r figures.Result) bool { return r.Run == run && r.System == name }) {
			systems = append(systems, name)
		}
	}
	for _, s := range scenario.All() {
		if slices.ContainsFunc(f.Results, func(r figures.Result) bool { return r.Run == run && r.Scenario == s.Name }) {
			scenarios = append(scenarios, s.Name)
		} else {
			others = append(others, s.Name)
		}
	}
	var parts []string
	if len(systems) > 0 {
		what := strings.Join(scenarios, ", ")
		switch {
		case len(others) == 0:
			what = "all"
		case len(others) < len(scenarios):
			what = "all but " + strings.Join(others, ", ")
		}
		parts = append(parts, strings.Join(systems, ", ")+": "+what)
	}
	if slices.ContainsFunc(f.Curves, func(c figures.Curve) bool { return c.Run == run }) {
		parts = append(parts, "the curves")
	}
	return strings.Join(parts, "; ")
}

// resultsOf returns the results of a scenario, in the order of the systems.
func resultsOf(f *figures.File, name, settings string) []*figures.Result {
	var all []*figures.Result
	for _, system := range order {
		if r := f.Find(system, name, settings); r != nil {
			all = append(all, withRate(r))
		}
	}
	return all
}

// withRate adds how many times a core could do something in a second, if the processor time of one
// time is known.
func withRate(r *figures.Result) *figures.Result {
	took, ok := r.Values["processor time, µs"]
	if !ok || took <= 0 {
		return r
	}
	added := *r
	added.Values = maps.Clone(r.Values)
	added.Values["per second, one core"] = 1e6 / took
	return &added
}

// tableOf returns the table of a scenario. It has a row for each system if there are times, and
// otherwise a column.
func tableOf(f *figures.File, name, settings string) (table, bool) {
	results := resultsOf(f, name, settings)
	t := table{Caption: "Equal lease and durability"}
	if settings == figures.Recommended {
		t.Caption = "Recommended settings"
	}
	var values []string
	timed := false
	for _, r := range results {
		values = slices.AppendSeq(values, maps.Keys(r.Values))
		timed = timed || r.Times != nil
		if r.Why != "" {
			t.Notes = append(t.Notes, r.System+": "+r.Why+".")
		}
	}
	slices.SortFunc(values, compareNames)
	values = slices.Compact(values)
	if len(values) == 0 && !timed {
		return t, len(t.Notes) > 0
	}
	if timed {
		t.byTimes(results, values)
	} else {
		t.byValues(results, values)
	}
	return t, true
}

// compareNames orders names of values by their text, and then by the first number in it.
func compareNames(a, b string) int {
	split := func(s string) (string, int) {
		for _, word := range strings.Fields(s) {
			if n, err := strconv.Atoi(word); err == nil {
				return strings.Replace(s, word, "", 1), n
			}
		}
		return s, 0
	}
	textA, numberA := split(a)
	textB, numberB := split(b)
	if c := strings.Compare(textA, textB); c != 0 {
		return c
	}
	return numberA - numberB
}

func (t *table) byTimes(results []*figures.Result, values []string) {
	t.Head = append([]string{"", "median, ms", "p99, ms", "maximum, ms", "rounds"}, values...)
	for _, r := range results {
		row := []string{r.System, "", "", "", ""}
		if times := r.Times; times != nil {
			row = []string{r.System, number(times.P50), number(times.P99), number(times.Max), strconv.FormatInt(times.Rounds, 10)}
		} else if len(r.Values) == 0 {
			continue // a note says why
		}
		for _, name := range values {
			row = append(row, valueOf(r, name))
		}
		t.Rows = append(t.Rows, row)
	}
}

func (t *table) byValues(results []*figures.Result, values []string) {
	t.Head = []string{""}
	var shown []*figures.Result
	for _, r := range results {
		if len(r.Values) > 0 {
			t.Head, shown = append(t.Head, r.System), append(shown, r)
		}
	}
	for _, name := range values {
		row := []string{name}
		for _, r := range shown {
			row = append(row, valueOf(r, name))
		}
		t.Rows = append(t.Rows, row)
	}
}

func valueOf(r *figures.Result, name string) string {
	v, ok := r.Values[name]
	if !ok {
		return ""
	}
	return number(v)
}

// number returns a number with three significant digits.
func number(v float64) string {
	switch {
	case v >= 100 || v <= -100:
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	case v >= 10 || v <= -10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v == 0:
		return "0"
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

// grouped separates the thousands of a number.
func grouped(text string) string {
	whole, _, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
