package monitor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// ElectionsOptions configure Elections.
type ElectionsOptions struct {
	// Limit is how many elections are exported, in the order of their names. The others are
	// left out and counted. Zero means 1000.
	Limit int
	// Timeout is how long one read of all elections may take. Then the scrape has failed.
	// Zero means 10 s. Let it be shorter than the time limit of the scraper.
	Timeout time.Duration
	// MaxAge is for how long a read is used again, so that several scrapers cost as much as
	// one. Zero means 1 s.
	MaxAge time.Duration
	// Logger gets a warning when a read fails and when it succeeds again. Nil logs nothing.
	Logger *slog.Logger
	// Clock is the time of this process. Nil means elector.SystemClock.
	Clock elector.Clock
}

func (o ElectionsOptions) withDefaults() ElectionsOptions {
	if o.Limit <= 0 {
		o.Limit = 1000
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxAge <= 0 {
		o.MaxAge = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = elector.SystemClock()
	}
	return o
}

// Elections is a prometheus.Collector of the elections below a subspace, as an outsider sees
// them. A collection reads all of them, 100 elections in a transaction. Scrapes at the same
// time share one read. It is safe for concurrent use.
//
// Whether a leader or a candidate is alive is decided by what changes from one read to the
// next, on the clock of this process. After the first read it compares wall clocks. If a read
// fails, only the metrics of the scrape are exported.
type Elections struct {
	db    kv.Database
	space subspace.Subspace
	opts  ElectionsOptions

	mu      sync.Mutex
	last    *reading
	running *flight // nil: no read runs
	errors  uint64

	seen map[string]*seen // by name; only the running read uses it
}

var _ prometheus.Collector = (*Elections)(nil)

// reading is the result of one read of all elections. It does not change.
type reading struct {
	ended     time.Time // on the process clock
	took      time.Duration
	elections []view
	leftOut   int
	err       error
}

// flight is a read that runs.
type flight struct {
	done   chan struct{}
	result *reading // set before done is closed
}

// NewElections returns a collector of the elections below a subspace. It does no I/O.
func NewElections(db kv.Database, space subspace.Subspace, opts ElectionsOptions) *Elections {
	return &Elections{db: db, space: space, opts: opts.withDefaults(), seen: map[string]*seen{}}
}

// read returns the elections as of at most MaxAge ago. It waits for a read that runs already,
// and not longer than the time limit, even if the store ignores the end of a context.
func (c *Elections) read() (*reading, uint64) {
	c.mu.Lock()
	if last := c.last; last != nil && c.opts.Clock.Now().Sub(last.ended) < c.opts.MaxAge {
		defer c.mu.Unlock()
		return last, c.errors
	}
	f := c.running
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.running = f
		go c.fly(f)
	}
	c.mu.Unlock()

	ended, _ := clock.Await(context.Background(), c.opts.Clock, c.opts.Timeout+c.opts.Timeout/10, f.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	if ended {
		return f.result, c.errors
	}
	c.errors++
	return &reading{took: c.opts.Timeout, err: context.DeadlineExceeded}, c.errors
}

// fly reads all elections and keeps the result.
func (c *Elections) fly(f *flight) {
	began := c.opts.Clock.Now()
	ctx, cancel := clock.WithTimeout(context.Background(), c.opts.Clock, c.opts.Timeout)
	defer cancel()
	r := &reading{}
	r.elections, r.leftOut, r.err = c.readAll(ctx, began.Add(c.opts.Timeout/2))
	r.ended = c.opts.Clock.Now()
	r.took = r.ended.Sub(began)

	c.mu.Lock()
	before := c.last
	c.last, c.running, f.result = r, nil, r
	if r.err != nil {
		c.errors++
	}
	c.mu.Unlock()
	failed := before != nil && before.err != nil
	switch {
	case r.err != nil && !failed:
		c.opts.Logger.Warn("elections cannot be read", "error", election.SafeText(r.err.Error()))
	case r.err == nil && failed:
		c.opts.Logger.Info("elections can be read again")
	}
	close(f.done)
}

func outsideDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("fdbelection_election_"+name, help, append([]string{"election"}, labels...), nil)
}

func scrapeDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("fdbelection_elections"+name, help, nil, nil)
}

var (
	outLeader  = outsideDesc("leader_info", "The holder of the leadership and how its tenure began. Missing in a vacancy.", "leader", "reason")
	outHas     = outsideDesc("has_leader", "Whether there is a leader that has accepted and whose lease is live: 1 or 0.")
	outLease   = outsideDesc("lease_remaining_seconds", "Time until the lease ends by the stored wall clock of the leader. Negative if it is over. Missing in a vacancy.")
	outTerm    = outsideDesc("term", "Term of the newest tenure. It never falls, except after a restore.")
	outBallot  = outsideDesc("ballot", "Writes of the leader record. It never falls, except after a restore.")
	outEnabled = outsideDesc("enabled", "Whether the config allows claims and renewals: 1 or 0.")
	outCount   = outsideDesc("candidates", "Registered candidates by role, and whether their heartbeats arrive.", "role", "liveness")
	outUnready = outsideDesc("unready_candidates", "Voters with heartbeats that are not ready to lead.")
	outChange  = outsideDesc("last_change_timestamp_seconds", "When the newest tenure began or ended, on the wall clock of the process that wrote it.")
	outEvents  = outsideDesc("history_events_total", "Events of the history that have been added since this process first read the election.", "kind")
	outDamaged = outsideDesc("unreadable", "Whether a record of the election cannot be read: 1 or 0.")

	scrapeCount    = scrapeDesc("", "Elections that are exported.")
	scrapeLeftOut  = scrapeDesc("_left_out", "Elections that are not exported because of the limit.")
	scrapeDuration = scrapeDesc("_scrape_duration_seconds", "How long the read of all elections took.")
	scrapeSuccess  = scrapeDesc("_scrape_success", "Whether all elections could be read: 1 or 0.")
	scrapeErrors   = scrapeDesc("_scrape_errors_total", "Reads of all elections that have failed.")
)

// Describe implements prometheus.Collector.
func (c *Elections) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		outLeader, outHas, outLease, outTerm, outBallot, outEnabled, outCount, outUnready, outChange, outEvents, outDamaged,
		scrapeCount, scrapeLeftOut, scrapeDuration, scrapeSuccess, scrapeErrors,
	} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *Elections) Collect(out chan<- prometheus.Metric) {
	r, errors := c.read()
	gauge := func(desc *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	gauge(scrapeDuration, r.took.Seconds())
	gauge(scrapeSuccess, number(r.err == nil))
	out <- prometheus.MustNewConstMetric(scrapeErrors, prometheus.CounterValue, float64(errors))
	if r.err != nil {
		return
	}
	gauge(scrapeCount, float64(len(r.elections)))
	gauge(scrapeLeftOut, float64(r.leftOut))
	for i := range r.elections {
		r.elections[i].collect(out)
	}
}
