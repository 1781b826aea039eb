// Package figures is the file of figures: the benchmark writes it, and the report reads it.
package figures

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// File is everything that was measured last. A run replaces the results that it measures again,
// and keeps the others, with their run.
type File struct {
	Runs    []Run    `json:"runs"`
	Results []Result `json:"results"`
	Curves  []Curve  `json:"curves,omitempty"`
}

// Run is one run of the benchmark.
type Run struct {
	ID      string           `json:"id"` // its time
	Command string           `json:"command"`
	Machine string           `json:"machine"`
	Go      string           `json:"go"`
	Systems map[string]About `json:"systems"` // by name
	// Note is for readers, if something was special.
	Note string `json:"note,omitempty"`
}

// About is what a reader has to know of a system.
type About struct {
	Version   string        `json:"version"`
	Lease     time.Duration `json:"lease_ns"` // that its documentation advises
	Heartbeat time.Duration `json:"heartbeat_ns"`
	Unfair    string        `json:"unfair"` // whom the comparison flatters or harms
}

// Settings of a result.
const (
	Equal       = "equal"       // the same lease, and each write on the disk
	Recommended = "recommended" // those of the system's documentation
)

// Result is what one system did in one scenario.
type Result struct {
	Run      string        `json:"run"`
	System   string        `json:"system"`
	Scenario string        `json:"scenario"`
	Settings string        `json:"settings"`
	Lease    time.Duration `json:"lease_ns"`
	// Why is the reason if something was not measured.
	Why string `json:"why,omitempty"`
	// Times are how long the rounds took.
	Times *Times `json:"times,omitempty"`
	// Values are other figures, by name.
	Values map[string]float64 `json:"values,omitempty"`
}

// Times are a distribution of times, in milliseconds.
type Times struct {
	Rounds int64   `json:"rounds"`
	P50    float64 `json:"p50_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// Curve is a cost by size.
type Curve struct {
	Run    string  `json:"run"`
	Name   string  `json:"name"`
	X      string  `json:"x"`
	Points []Point `json:"points"`
}

// Point is one size of a curve, with the costs by name.
type Point struct {
	X     float64            `json:"x"`
	Costs map[string]float64 `json:"costs"`
}

// Recorder records times with three significant digits, from a nanosecond to an hour.
type Recorder struct{ histogram *hdrhistogram.Histogram }

// NewRecorder returns a Recorder without times.
func NewRecorder() *Recorder {
	return &Recorder{hdrhistogram.New(1, time.Hour.Nanoseconds(), 3)}
}

// Add records a time. A negative one counts as zero.
func (r *Recorder) Add(d time.Duration) {
	_ = r.histogram.RecordValue(min(max(d, 0), time.Hour).Nanoseconds())
}

// Len returns the number of times.
func (r *Recorder) Len() int { return int(r.histogram.TotalCount()) }

// Times returns the distribution, or nil if there are no times.
func (r *Recorder) Times() *Times {
	if r.Len() == 0 {
		return nil
	}
	at := func(q float64) float64 { return float64(r.histogram.ValueAtQuantile(q)) / 1e6 }
	return &Times{Rounds: r.histogram.TotalCount(), P50: at(50), P90: at(90), P99: at(99), Max: float64(r.histogram.Max()) / 1e6}
}

// Read reads a file. One that does not exist is empty.
func Read(path string) (*File, error) {
	f := &File{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	return f, json.Unmarshal(data, f)
}

// Write writes the file, without the runs of which nothing is left.
func (f *File) Write(path string) error {
	f.Runs = slices.DeleteFunc(f.Runs, func(r Run) bool {
		return !slices.ContainsFunc(f.Results, func(one Result) bool { return one.Run == r.ID }) &&
			!slices.ContainsFunc(f.Curves, func(one Curve) bool { return one.Run == r.ID })
	})
	slices.SortStableFunc(f.Results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Settings, b.Settings), cmp.Compare(a.System, b.System))
	})
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // it is published
}

// Add adds a result in place of the older one of the same system, scenario and settings.
func (f *File) Add(r Result) {
	f.Results = slices.DeleteFunc(f.Results, func(o Result) bool {
		return o.System == r.System && o.Scenario == r.Scenario && o.Settings == r.Settings
	})
	f.Results = append(f.Results, r)
}

// AddCurve adds a curve in place of the older one of the same name.
func (f *File) AddCurve(c Curve) {
	f.Curves = slices.DeleteFunc(f.Curves, func(o Curve) bool { return o.Name == c.Name })
	f.Curves = append(f.Curves, c)
}

// Find returns a result, or nil.
func (f *File) Find(system, scenario, settings string) *Result {
	for i := range f.Results {
		if r := &f.Results[i]; r.System == system && r.Scenario == scenario && r.Settings == settings {
			return r
		}
	}
	return nil
}
