package monitor

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group/member"
)

// MembersOptions configure Members.
type MembersOptions struct {
	// Limit is how many members are exported. The others are left out and counted. Zero means
	// 100.
	Limit int
}

// Members is a prometheus.Collector of the group members of this process. A collection does no
// I/O. Its cost depends only on the number of members, not on that of shards. If the loop of a
// member hangs, its state and its numbers of shards are missing. It is safe for concurrent use.
type Members struct{ own registry[*member.Member] }

var _ prometheus.Collector = (*Members)(nil)

// NewMembers returns a collector without members.
func NewMembers(opts MembersOptions) *Members {
	return &Members{registry[*member.Member]{limit: opts.Limit}}
}

// Add adds a member. The label "group" is the name that is given, and the label "member" is the
// id of the member. A member with the same labels is replaced.
func (c *Members) Add(group string, m *member.Member) {
	c.own.add(group, m.ID(), m)
}

// Remove removes a member, so that its metrics end.
func (c *Members) Remove(m *member.Member) {
	c.own.remove(m)
}

func memberDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("fdbelection_member_"+name, help, append([]string{"group", "member"}, labels...), nil)
}

var (
	memState     = memberDesc("state", "State of this process in the group: 1 for the present state, 0 for the others.", "state")
	memLeading   = memberDesc("leading_shards", "Shards that this process leads.")
	memEnding    = memberDesc("ending_shards", "Shards that this process gives up: their work is asked to stop, or their release is under way.")
	memSynced    = memberDesc("synced", "Whether this process has read all records of the group: 1 or 0.")
	memWell      = memberDesc("healthy", "Whether Health of the member returns no error: 1 or 0.")
	memBeats     = memberDesc("heartbeat_duration_seconds", "Time from the start of an acknowledged heartbeat to its answer, with retries.")
	memAcquired  = memberDesc("acquired_total", "Tenures of shards that began in this process.")
	memReleased  = memberDesc("released_total", "Tenures of shards that ended in this process.", "reason")
	memEvictions = memberDesc("evictions_total", "Members that this process has evicted.")
	memLimit     = prometheus.NewDesc("fdbelection_members_left_out", "Members of this process that are not exported because of the limit.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *Members) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		memState, memLeading, memEnding, memSynced, memWell, memBeats, memAcquired, memReleased, memEvictions, memLimit,
	} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *Members) Collect(out chan<- prometheus.Metric) {
	all, leftOut := c.own.exported()
	for i := range all {
		collectMember(out, &all[i])
	}
	out <- prometheus.MustNewConstMetric(memLimit, prometheus.GaugeValue, float64(leftOut))
}

func collectMember(out chan<- prometheus.Metric, o *registered[*member.Member]) {
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{o.space, o.id}, labels...)...)
	}
	health := o.value.Health(context.Background())
	send(memWell, prometheus.GaugeValue, number(health == nil))
	if !errors.Is(health, elector.ErrStuck) { // Status would wait for the loop
		status := o.value.Status()
		for _, state := range memberStates {
			send(memState, prometheus.GaugeValue, number(status.State == state), wordLabel(state.String()))
		}
		send(memLeading, prometheus.GaugeValue, float64(status.Leading))
		send(memEnding, prometheus.GaugeValue, float64(status.Ending))
		send(memSynced, prometheus.GaugeValue, number(status.Synced))
	}
	stats := o.value.Stats()
	out <- newHistogram(memBeats, stats.Heartbeats, o.space, o.id)
	send(memAcquired, prometheus.CounterValue, float64(stats.Acquired))
	for _, reason := range ends { // also those that have not happened, so that an increase is seen
		send(memReleased, prometheus.CounterValue, float64(stats.Released[reason]), wordLabel(reason.String()))
	}
	send(memEvictions, prometheus.CounterValue, float64(stats.Evictions))
}
