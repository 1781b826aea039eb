package monitor

import (
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// ElectionsOptions configure Elections.
type ElectionsOptions struct {
	// Limit is how many elections are exported, in the order of their names. The others are
	// left out and counted. Zero means 1000.
	Limit int
	// Timeout is how long one read of all elections may take. Then the scrape has failed.
	// Zero means 8 s. Let it be shorter than the time limit of the scraper, which is 10 s for
	// Prometheus by default: otherwise the failure is not scraped either.
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
		o.Timeout = 8 * time.Second
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
	reader *overview.Reader

	mu      sync.Mutex
	counted *overview.Reading // the last one whose events were counted
	views   []view            // of that reading
	leftOut int
	seen    map[string]*seen // by name
}

var _ prometheus.Collector = (*Elections)(nil)

// NewElections returns a collector of the elections below a subspace. It does no I/O.
func NewElections(db kv.Database, space subspace.Subspace, opts ElectionsOptions) *Elections {
	opts = opts.withDefaults()
	return &Elections{
		reader: overview.NewReader(db, space, overview.Options{
			Limit: opts.Limit, Timeout: opts.Timeout, MaxAge: opts.MaxAge, Logger: opts.Logger, Clock: opts.Clock,
		}),
		seen: map[string]*seen{},
	}
}

// viewsOf returns what is exported of a reading. It counts the events of each reading once.
// Names that have one label are left out, except for the first.
func (c *Elections) viewsOf(r *overview.Reading) (views []view, leftOut int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counted == r || c.counted != nil && r.Ended.Before(c.counted.Ended) {
		return c.views, c.leftOut
	}
	c.counted, c.views, c.leftOut = r, make([]view, 0, len(r.Elections)), r.LeftOut
	labels, names := map[string]bool{}, map[string]bool{}
	for i := range r.Elections {
		e := &r.Elections[i]
		label := safeLabel(e.Name)
		if labels[label] {
			c.leftOut++
			continue
		}
		labels[label], names[e.Name] = true, true
		c.views = append(c.views, c.viewOf(label, e, r.Wall))
	}
	maps.DeleteFunc(c.seen, func(name string, _ *seen) bool { return !names[name] })
	return c.views, c.leftOut
}

// viewOf returns what is exported of an election, and counts its events.
func (c *Elections) viewOf(label string, e *overview.Election, wall time.Time) view {
	if e.Err != nil {
		return view{name: label, unreadable: true}
	}
	if c.seen[e.Name] == nil {
		c.seen[e.Name] = &seen{}
	}
	s := c.seen[e.Name]
	s.count(e.History)
	return newView(label, e, wall, s.counts)
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
	r := c.reader.Read()
	gauge := func(desc *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	gauge(scrapeDuration, r.Took.Seconds())
	gauge(scrapeSuccess, number(r.Err == nil))
	out <- prometheus.MustNewConstMetric(scrapeErrors, prometheus.CounterValue, float64(r.Errors))
	if r.Err != nil {
		return
	}
	views, leftOut := c.viewsOf(r)
	gauge(scrapeCount, float64(len(views)))
	gauge(scrapeLeftOut, float64(leftOut))
	for i := range views {
		views[i].collect(out)
	}
}
