package monitor

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// GroupsOptions configure Groups.
type GroupsOptions struct {
	// Limit is how many groups are exported, in the order of their names. The others are left
	// out and counted. Zero means 100.
	Limit int
	// Members is how many members of each group are exported with series of their own, in the
	// order of their ids. The others are left out of these and counted. Zero means 100.
	Members int
	// Timeout, MaxAge, Logger and Clock are those of ElectionsOptions.
	Timeout time.Duration
	MaxAge  time.Duration
	Logger  *slog.Logger
	Clock   elector.Clock
}

const (
	defaultGroups       = 100
	defaultGroupMembers = 100
)

// Groups is a prometheus.Collector of the groups below a subspace, as an outsider sees them. It
// keeps a copy of the records of each group, about 300 bytes for a shard, and follows its log:
// while nothing but heartbeats changes, a collection is one transaction for 100 groups, however
// many shards they have. Scrapes at the same time share one read. It is safe for concurrent use.
//
// Whether a member is alive is decided by what changes from one read to the next, on the clock
// of this process. So the first read says nothing about it. If a read fails, only the metrics of
// the scrape are exported.
type Groups struct {
	reader  *overview.GroupReader
	members int
}

var _ prometheus.Collector = (*Groups)(nil)

// NewGroups returns a collector of the groups below a subspace. It does no I/O.
func NewGroups(db kv.Database, space subspace.Subspace, opts GroupsOptions) *Groups {
	if opts.Limit <= 0 {
		opts.Limit = defaultGroups
	}
	if opts.Members <= 0 {
		opts.Members = defaultGroupMembers
	}
	shared := ElectionsOptions{Limit: opts.Limit, Timeout: opts.Timeout, MaxAge: opts.MaxAge, Logger: opts.Logger, Clock: opts.Clock}.withDefaults()
	return &Groups{members: opts.Members, reader: overview.NewGroupReader(db, space, overview.Options{
		Limit: shared.Limit, Timeout: shared.Timeout, MaxAge: shared.MaxAge, Logger: shared.Logger, Clock: shared.Clock,
	})}
}

func groupDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("fdbelection_group_"+name, help, append([]string{"group"}, labels...), nil)
}

func groupsDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("fdbelection_groups"+name, help, nil, nil)
}

var (
	grpEnabled    = groupDesc("enabled", "Whether the config allows claims: 1 or 0.")
	grpLease      = groupDesc("lease_seconds", "How long a session lives without a heartbeat, by the config.")
	grpShards     = groupDesc("shards", "Shards of the group.")
	grpFree       = groupDesc("free_shards", "Shards without a leader whose session lives.")
	grpOldest     = groupDesc("oldest_free_seconds", "For how long the shard that is free for longest has been seen free. 0 if none is free.")
	grpMoving     = groupDesc("moving_shards", "Shards that the balance gives to another member, free ones included. Missing if the members use a newer rule.")
	grpSpread     = groupDesc("share_spread", "Most minus fewest shards per weight of the members that receive shards, times the least of their weights.")
	grpMembers    = groupDesc("members", "Members by what is seen of them.", "state")
	grpRequests   = groupDesc("requests", "Requests to remove or resign a shard that are not done yet.")
	grpPins       = groupDesc("pins", "Shards that are pinned to a member.")
	grpDrains     = groupDesc("drains", "Members that an operator drains.")
	grpUnreadable = groupDesc("unreadable_records", "Records of the group that cannot be read.")
	grpMoves      = groupDesc("moves_total", "Tenures of shards that have begun since this process first read the group.", "reason")
	grpVacated    = groupDesc("vacated_total", "Tenures of shards that have ended without a successor since this process first read the group.", "reason")
	grpLed        = groupDesc("member_shards", "Shards that a member leads.", "member")
	grpAge        = groupDesc("member_heartbeat_age_seconds", "For how long the newest heartbeat of a member has been seen.", "member")
	grpLag        = groupDesc("member_mirror_lag_seconds", "How far a member is behind the changes of the group, by its newest heartbeat.", "member")
	grpLeftOut    = groupDesc("members_left_out", "Members without series of their own because of the limit.")

	groupsCount    = groupsDesc("", "Groups that are exported.")
	groupsLeftOut  = groupsDesc("_left_out", "Groups that are not exported because of the limit.")
	groupsDuration = groupsDesc("_scrape_duration_seconds", "How long the read of all groups took.")
	groupsSuccess  = groupsDesc("_scrape_success", "Whether all groups could be read: 1 or 0.")
	groupsErrors   = groupsDesc("_scrape_errors_total", "Reads of all groups that have failed.")
)

// Describe implements prometheus.Collector.
func (c *Groups) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		grpEnabled, grpLease, grpShards, grpFree, grpOldest, grpMoving, grpSpread, grpMembers, grpRequests, grpPins, grpDrains,
		grpUnreadable, grpMoves, grpVacated, grpLed, grpAge, grpLag, grpLeftOut,
		groupsCount, groupsLeftOut, groupsDuration, groupsSuccess, groupsErrors,
	} {
		out <- desc
	}
}

// Collect implements prometheus.Collector. Names that have one label are left out, except for
// the first.
func (c *Groups) Collect(out chan<- prometheus.Metric) {
	r := c.reader.Read()
	gauge := func(desc *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	gauge(groupsDuration, r.Took.Seconds())
	gauge(groupsSuccess, number(r.Err == nil))
	out <- prometheus.MustNewConstMetric(groupsErrors, prometheus.CounterValue, float64(r.Errors))
	if r.Err != nil {
		return
	}
	labels := map[string]bool{}
	for i := range r.Groups {
		label := safeLabel(r.Groups[i].Name)
		if labels[label] {
			continue
		}
		labels[label] = true
		newGroupView(label, &r.Groups[i], r.Ended).collect(out, c.members)
	}
	gauge(groupsCount, float64(len(labels)))
	gauge(groupsLeftOut, float64(r.LeftOut+len(r.Groups)-len(labels)))
}
