package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/internal/overview"
)

// groupView is what is exported of one group.
type groupView struct {
	*overview.Group
	name []*dto.LabelPair
	now  time.Time // on the process clock
	out  chan<- prometheus.Metric
}

func newGroupView(label string, g *overview.Group, now time.Time) *groupView {
	return &groupView{Group: g, name: []*dto.LabelPair{pair("group", label)}, now: now}
}

func (v *groupView) gauge(desc *prometheus.Desc, value float64, more ...*dto.LabelPair) {
	v.out <- newSample(desc, prometheus.GaugeValue, value, v.name, more)
}

// collect exports the group, and at most a number of its members one by one.
func (v *groupView) collect(out chan<- prometheus.Metric, members int) {
	v.out = out
	if v.Config.Revision > 0 {
		v.gauge(grpEnabled, number(v.Config.Enabled))
		v.gauge(grpLease, v.Config.LeaseDuration.Seconds())
	}
	v.gauge(grpShards, float64(v.Shards))
	v.gauge(grpFree, float64(v.Free))
	oldest := time.Duration(0)
	if !v.FreeSince.IsZero() {
		oldest = v.now.Sub(v.FreeSince)
	}
	v.gauge(grpOldest, oldest.Seconds())
	if v.Moving != nil {
		v.gauge(grpMoving, float64(*v.Moving))
	}
	v.gauge(grpSpread, v.Spread)
	v.gauge(grpRequests, float64(v.Requests))
	v.gauge(grpPins, float64(v.Pins))
	v.gauge(grpDrains, float64(v.Drains))
	v.gauge(grpUnreadable, float64(faultsIn(v.Unreadable)))
	v.count(grpMoves, &v.Moves.Began, begins)
	v.count(grpVacated, &v.Moves.Vacated, vacates)
	v.collectMembers(members)
}

// count exports the numbers of some reasons, also of those that have not happened, so that an
// increase is seen.
func (v *groupView) count(desc *prometheus.Desc, counts *[overview.Reasons]uint64, reasons []group.Reason) {
	for _, reason := range reasons {
		v.out <- newSample(desc, prometheus.CounterValue, float64(counts[reason]), v.name, reasonPairs[reason:reason+1])
	}
}

// collectMembers exports the members. Ids that have one label are left out, except for the first.
func (v *groupView) collectMembers(limit int) {
	states, labels := map[string]int{}, map[string]bool{}
	for i := range v.Members {
		m := &v.Members[i]
		states[m.State()]++
		label := safeLabel(m.ID)
		if len(labels) == limit || labels[label] {
			continue
		}
		labels[label] = true
		v.member(m, pair("member", label))
	}
	for i, state := range seenStates {
		v.gauge(grpMembers, float64(states[state]), statePairs[i])
	}
	v.gauge(grpLeftOut, float64(len(v.Members)-len(labels)))
}

func (v *groupView) member(m *groupview.Member, label *dto.LabelPair) {
	v.gauge(grpLed, float64(m.Shards), label)
	if m.Age != nil {
		v.gauge(grpAge, m.Age.Seconds(), label)
	}
	if m.Lag != nil {
		v.gauge(grpLag, m.Lag.Seconds(), label)
	}
}

// faultsIn returns how many errors are joined in err.
func faultsIn(err error) int {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		n := 0
		for _, one := range joined.Unwrap() {
			n += faultsIn(one)
		}
		return n
	}
	if err == nil {
		return 0
	}
	return 1
}

// Label pairs whose values are not from the database. Metrics share them.
var statePairs, reasonPairs = pairsOf("state", seenStates[:]), pairsOf("reason", reasonWords())

// pairsOf returns a pair for each of some values in a word or two.
func pairsOf(name string, values []string) []*dto.LabelPair {
	pairs := make([]*dto.LabelPair, len(values))
	for i, value := range values {
		pairs[i] = pair(name, wordLabel(value))
	}
	return pairs
}

// reasonWords returns the words of all reasons of a tenure.
func reasonWords() []string {
	words := make([]string, overview.Reasons)
	for i := range words {
		words[i] = group.Reason(i).String()
	}
	return words
}
