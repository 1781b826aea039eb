package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/overview"
)

const (
	voters = iota
	observers
	roles
)

const (
	alive = iota
	timedOut
	livenesses
)

// eventKinds are the kinds of events. Their texts are the values of the label "kind".
var eventKinds = [...]election.EventKind{election.EventBegan, election.EventEnded, election.EventDuplicate}

// view is what is exported of one election.
type view struct {
	name       string // label
	known      bool   // config and leader record could be read
	unreadable bool

	holder, reason string // labels; holder is empty in a vacancy
	hasLeader      bool
	leaseRemaining time.Duration
	leaseKnown     bool
	term, ballot   uint64
	enabled        bool
	changed        time.Time
	candidates     [roles][livenesses]int
	unready        int
	events         [len(eventKinds)]uint64
}

// newView returns the view of an election at wall.
func newView(label string, e *overview.Election, wall time.Time, events [len(eventKinds)]uint64) view {
	leader := e.Leader
	v := view{
		name: label, known: true, unreadable: e.Unreadable != nil, hasLeader: e.Led,
		term: leader.Term, ballot: leader.Ballot, enabled: e.Config.ElectionEnabled, changed: leader.AcquiredAt, events: events,
	}
	if !leader.Vacant() {
		v.holder, v.reason = safeLabel(leader.ID), leader.AcquireReason.String()
		v.leaseRemaining, v.leaseKnown = leader.LeaseExpiry.Sub(wall), !leader.Lost()
	}
	for i := range e.Candidates {
		c := &e.Candidates[i]
		role, liveness := voters, alive
		if c.Role == election.Observer {
			role = observers
		}
		if e.Liveness[i].TimedOut {
			liveness = timedOut
		}
		v.candidates[role][liveness]++
		if role == voters && liveness == alive && !c.Ready() {
			v.unready++
		}
	}
	return v
}

// Label pairs whose values are not from the database. Metrics share them.
var (
	rolePairs     = [...]*dto.LabelPair{voters: pair("role", "voter"), observers: pair("role", "observer")}
	livenessPairs = [...]*dto.LabelPair{alive: pair("liveness", "alive"), timedOut: pair("liveness", "timed_out")}
	kindPairs     = [...]*dto.LabelPair{pair("kind", eventKinds[0].String()), pair("kind", eventKinds[1].String()), pair("kind", eventKinds[2].String())}
)

func (v *view) collect(out chan<- prometheus.Metric) {
	name := []*dto.LabelPair{pair("election", v.name)}
	gauge := func(desc *prometheus.Desc, value float64, more ...*dto.LabelPair) {
		out <- newSample(desc, prometheus.GaugeValue, value, name, more)
	}
	gauge(outDamaged, number(v.unreadable))
	if !v.known {
		return
	}
	if v.holder != "" {
		gauge(outLeader, 1, pair("leader", v.holder), pair("reason", v.reason))
	}
	if v.leaseKnown {
		gauge(outLease, v.leaseRemaining.Seconds())
	}
	gauge(outHas, number(v.hasLeader))
	gauge(outTerm, float64(v.term))
	gauge(outBallot, float64(v.ballot))
	gauge(outEnabled, number(v.enabled))
	if !v.changed.IsZero() {
		gauge(outChange, float64(v.changed.UnixNano())/float64(time.Second))
	}
	for role := range v.candidates {
		for liveness, n := range v.candidates[role] {
			gauge(outCount, float64(n), livenessPairs[liveness], rolePairs[role])
		}
	}
	gauge(outUnready, float64(v.unready))
	for i, n := range v.events {
		out <- newSample(outEvents, prometheus.CounterValue, float64(n), name, kindPairs[i:i+1])
	}
}
