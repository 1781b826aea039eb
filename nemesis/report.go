package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report is the result of a run.
type report struct {
	Command    string
	Store      string
	Lease      time.Duration
	Missing    []string // faults that this machine cannot have
	Rows       []row
	Violations []violation `json:"-"`

	evidence *evidence
}

// savedReport is the file from which a run can be judged again.
const savedReport = "run.json"

// finish reads the rows, judges, and writes the report.
func (n *nemesis) finish(ctx context.Context, missing []string) (*report, error) {
	r := &report{Command: n.replay(), Store: n.store, Lease: n.lease, Missing: missing}
	var err error
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if r.Rows, err = readRows(limited, n.db); err != nil {
		return nil, fmt.Errorf("read the rows: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(n.dir, savedReport), text, 0o600); err != nil {
		return nil, err
	}
	if err := r.judge(n.dir); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(n.dir, "report.md"), []byte(r.String()), 0o600); err != nil {
		return nil, err
	}
	_, err = fmt.Fprint(n.out, r)
	return r, err
}

// judgeAgain judges a run by its directory.
func judgeAgain(dir string) (*report, error) {
	text, err := os.ReadFile(filepath.Join(dir, savedReport))
	if err != nil {
		return nil, err
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, err
	}
	if err := r.judge(dir); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *report) judge(dir string) error {
	accounts, err := readDiaries(dir)
	if err != nil {
		return err
	}
	r.evidence = &evidence{Lease: r.Lease, Accounts: accounts, Rows: r.Rows}
	r.Violations = judge(r.evidence)
	return nil
}

// String returns the report as Markdown.
func (r *report) String() string {
	e := r.evidence
	var b strings.Builder
	count := func(kind string) (n int) {
		e.each(kind, func(*account, *entry) { n++ })
		return n
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Report of the nemesis\n\n    %s\n", r.Command)
	terms := uint64(0)
	for _, s := range e.sights() {
		terms = max(terms, s.term)
	}
	longest, expected := e.longest()
	line("- judged time: %s", e.judged().length().Round(time.Second))
	line("- processes started: %d; terms: %d; reads of the leader record: %d", count(up), terms, count(read))
	line("- fenced writes: %d committed, %d refused or failed, %d with an unknown result; %d rows are stored",
		count(wrote), count(refused), count(unsure), len(r.Rows))
	line("- of the judged time, work believed that it led for %s, and for %s nothing was expected of the candidates",
		total(e.led()).Round(time.Second), total(common([]interval{e.judged()}, merged(e.outages()))).Round(time.Second))
	line("- shortest time between the beliefs in two tenures: %s", e.closest())
	line("- longest time without leadership: %s", longest)
	line("- longest time for which a healthy candidate waited: %s (at most %s)", expected, bound(r.Lease))
	line("- times at which the machine stalled for more than %s: %d", stallLimit, count(stalled))
	line("\n## Faults\n")
	for _, f := range r.faults() {
		line("- %s", f)
	}
	for _, m := range r.Missing {
		line("- not possible here: %s", m)
	}
	line("\n## Violations: %d\n", len(r.Violations))
	for _, v := range r.Violations[:min(len(r.Violations), mostViolations)] {
		line("- %s", v)
	}
	return b.String()
}

// mostViolations is how many the report lists.
const mostViolations = 50

// faults returns the number of each fault.
func (r *report) faults() []string {
	counts := make(map[string]int)
	r.evidence.each(struck, func(_ *account, s *entry) { counts[s.Text]++ })
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return all
}
