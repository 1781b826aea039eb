package monitor

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fdbelection/fdbelection/elector"
)

// ElectorsOptions configure Electors.
type ElectorsOptions struct {
	// Limit is how many electors are exported. The others are left out and counted. Zero
	// means 100.
	Limit int
}

// Electors is a prometheus.Collector of the electors of this process. A collection does no
// I/O and does not wait for an elector, so its cost depends only on the number of electors.
// It is safe for concurrent use.
type Electors struct{ own registry[*elector.Elector] }

var _ prometheus.Collector = (*Electors)(nil)

// NewElectors returns a collector without electors.
func NewElectors(opts ElectorsOptions) *Electors {
	return &Electors{registry[*elector.Elector]{limit: opts.Limit}}
}

// Add adds an elector. The label "election" is the name that is given, and the label "node"
// is the id of the elector. An elector with the same labels is replaced.
func (c *Electors) Add(election string, el *elector.Elector) {
	c.own.add(election, el.NodeID(), el)
}

// Remove removes an elector, so that its metrics end.
func (c *Electors) Remove(el *elector.Elector) {
	c.own.remove(el)
}

func ownDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("fdbelection_elector_"+name, help, append([]string{"election", "node"}, labels...), nil)
}

var (
	ownLeads = ownDesc("is_leader", "Whether this process leads, by its own clock: 1 or 0.")
	ownState = ownDesc("state", "State of this process: 1 for the present state, 0 for the others.", "state")
	ownTerm  = ownDesc("term", "Newest term that this process knows. It may be that of another process.")
	ownBal   = ownDesc("ballot", "Newest ballot that this process knows.")
	ownLeft  = ownDesc("leadership_remaining_seconds", "Time for which this process leads without another renewal. 0 if it does not lead.")
	ownReady = ownDesc("ready", "Whether this process is ready to lead: 1 or 0.")
	ownWell  = ownDesc("healthy", "Whether Health of the elector returns no error: 1 or 0.")
	ownDelay = ownDesc("delay_remaining_seconds",
		"Time for which a rule keeps this process from claiming or preempting. 0 if the rule is not in force.", "rule")
	ownRenewals    = ownDesc("renewal_duration_seconds", "Time from the start of an acknowledged renewal to its answer, with retries.")
	ownCallbacks   = ownDesc("callback_duration_seconds", "Time that callbacks took until they returned.", "callback")
	ownTransitions = ownDesc("transitions_total", "Changes of state of this process.", "from", "to", "reason")
	ownConflicts   = ownDesc("conflicts_total", "Attempts of election cycles that failed with a conflict.")
	ownRetries     = ownDesc("retries_total", "Attempts that were not the first one of their transaction.")
	ownFenced      = ownDesc("fenced_total", "Transactions of the work that were refused because the tenure is over.")
	ownWatches     = ownDesc("watches_total", "Ends of armed watches.", "watch", "result")
	ownLimit       = prometheus.NewDesc("fdbelection_electors_left_out", "Electors of this process that are not exported because of the limit.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *Electors) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		ownLeads, ownState, ownTerm, ownBal, ownLeft, ownReady, ownWell, ownDelay, ownRenewals, ownCallbacks,
		ownTransitions, ownConflicts, ownRetries, ownFenced, ownWatches, ownLimit,
	} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *Electors) Collect(out chan<- prometheus.Metric) {
	all, leftOut := c.own.exported()
	for i := range all {
		collectElector(out, &all[i])
	}
	out <- prometheus.MustNewConstMetric(ownLimit, prometheus.GaugeValue, float64(leftOut))
}

// overdue are exported before they have happened, so that an increase of them is seen. A process
// that was frozen for its whole lease has no jeopardy: it does not lead any more when it continues.
var overdue = [...]elector.TransitionKind{
	{From: elector.StateLeader, To: elector.StateJeopardy, Reason: elector.ReasonUnrenewed},
	{From: elector.StateLeader, To: elector.StateCandidate, Reason: elector.ReasonUnrenewed},
}

func collectElector(out chan<- prometheus.Metric, o *registered[*elector.Elector]) {
	s := o.value.Stats()
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{o.space, o.id}, labels...)...)
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		send(desc, prometheus.GaugeValue, value, labels...)
	}
	count := func(desc *prometheus.Desc, value uint64, labels ...string) {
		send(desc, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(ownLeads, number(s.Remaining > 0))
	for _, state := range states {
		gauge(ownState, number(s.State == state), state.String())
	}
	gauge(ownTerm, float64(s.Term))
	gauge(ownBal, float64(s.Ballot))
	gauge(ownLeft, s.Remaining.Seconds())
	gauge(ownReady, number(s.NotReady == ""))
	gauge(ownWell, number(o.value.Health(context.Background()) == nil))
	for _, r := range rules {
		gauge(ownDelay, s.Delays[r.rule].Seconds(), r.label)
	}
	out <- newHistogram(ownRenewals, s.Renewals, o.space, o.id)
	for name, l := range s.Callbacks {
		out <- newHistogram(ownCallbacks, l, o.space, o.id, name)
	}
	if s.Transitions == nil { // it has not started
		s.Transitions = map[elector.TransitionKind]uint64{}
	}
	for _, kind := range overdue {
		s.Transitions[kind] += 0
	}
	for _, t := range transitionsOf(s.Transitions) {
		count(ownTransitions, t.count, t.from, t.to, t.reason)
	}
	count(ownConflicts, s.Conflicts)
	count(ownRetries, s.Retries)
	count(ownFenced, s.Fenced)
	for watch, n := range s.WatchesFired {
		count(ownWatches, n, string(watch), "fired")
		count(ownWatches, s.WatchesFailed[watch], string(watch), "failed")
	}
}

// transitions is a number of changes of state by their labels.
type transitions struct {
	from, to, reason string
	count            uint64
}

// transitionsOf adds up the transitions that have the same labels.
func transitionsOf(counts map[elector.TransitionKind]uint64) (all []transitions) {
	for kind, n := range counts {
		t := transitions{kind.From.String(), kind.To.String(), reasonLabel(kind.Reason), n}
		at := slices.IndexFunc(all, func(o transitions) bool { return o.from == t.from && o.to == t.to && o.reason == t.reason })
		if at >= 0 {
			all[at].count += n
		} else {
			all = append(all, t)
		}
	}
	return all
}
