package report

import (
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// GroupConfig is the config of a group.
type GroupConfig struct {
	Revision    uint64          `json:"revision"`
	Enabled     bool            `json:"enabled"`
	Lease       output.Duration `json:"lease_seconds"`
	Heartbeat   output.Duration `json:"heartbeat_seconds"`
	Margin      output.Duration `json:"margin_seconds"`
	SettleDelay output.Duration `json:"settle_delay_seconds"`
	MaxMoves    int             `json:"max_moves"`
	Retention   output.Duration `json:"retention_seconds"`
}

// GroupConfigOf returns a config in its JSON form.
func GroupConfigOf(c group.Config) GroupConfig {
	return GroupConfig{
		Revision: c.Revision, Enabled: c.Enabled,
		Lease: output.Duration(c.LeaseDuration), Heartbeat: output.Duration(c.HeartbeatInterval),
		Margin: output.Duration(c.Lease().EffectiveMargin()), SettleDelay: output.Duration(c.SettleDelay),
		MaxMoves: c.MaxMoves, Retention: output.Duration(c.Retention),
	}
}

// GroupStatus is the status of a group.
type GroupStatus struct {
	Store   string       `json:"store"`
	Root    string       `json:"root"`
	Group   string       `json:"group"`
	Config  *GroupConfig `json:"group_config"` // nil: it cannot be read
	Members int          `json:"members"`
	Shards  int          `json:"shards"`
	Free    int          `json:"free_shards"`
	// Damaged is how many shards have a record that cannot be read.
	Damaged int `json:"damaged_shards"`
	// Moving is how many shards the balance gives to another member, free ones included. Nil:
	// the members use a newer rule.
	Moving   *int `json:"moving"`
	Pins     int  `json:"pins"`
	Requests int  `json:"requests"`
	Drains   int  `json:"drains"`
	// Silent is the longest time for which no heartbeat of a member was seen, and MirrorLag the
	// longest lag of a mirror. Nil: no member was judged.
	Silent    *output.Duration `json:"silent_seconds"`
	MirrorLag *output.Duration `json:"mirror_lag_seconds"`
	// Log is how far the log goes back.
	Log    output.Duration `json:"log_seconds"`
	Loads  []GroupMember   `json:"loads"`
	Waited output.Duration `json:"waited_seconds"`
	// Unreadable is empty if all records can be read.
	Unreadable []records.Damaged `json:"unreadable"`
}

// GroupStatusOf returns the status of a group with its members. Store, Root, Group and Waited are
// left to the caller.
func GroupStatusOf(g *groupview.Summary) GroupStatus {
	s := GroupStatus{
		Members: len(g.Members), Shards: g.Shards, Free: g.Free, Damaged: g.Damaged, Moving: g.Moving, Pins: g.Pins, Requests: g.Requests,
		Drains: g.Drains, Loads: GroupMembersOf(g.Members), Unreadable: records.DamagedIn(g.Unreadable),
	}
	if g.Config.Revision > 0 {
		config := GroupConfigOf(g.Config)
		s.Config = &config
	}
	if g.Oldest > 0 {
		s.Log = output.Duration(groupview.Age(g.Version - g.Oldest))
	}
	for i := range s.Loads {
		s.Silent, s.MirrorLag = longer(s.Silent, s.Loads[i].Silence), longer(s.MirrorLag, s.Loads[i].MirrorLag)
	}
	return s
}

func longer(a, b *output.Duration) *output.Duration {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// GroupMember is one member of a group.
type GroupMember struct {
	ID          string `json:"id"`
	Incarnation string `json:"incarnation"`
	State       string `json:"state"`
	Ready       bool   `json:"ready"`
	// NotReady is why it is not ready, or empty.
	NotReady string `json:"not_ready"`
	// Draining says that the member leaves, and Drained that an operator drains it.
	Draining bool `json:"draining"`
	Drained  bool `json:"drained"`
	// Silent says that no heartbeat was seen, and Silence for how long that is, on the local
	// clock. Nil: that was not judged.
	Silent     *bool            `json:"silent"`
	Silence    *output.Duration `json:"silent_seconds"`
	Heartbeats uint64           `json:"heartbeats"`
	MirrorLag  *output.Duration `json:"mirror_lag_seconds"`
	Shards     int              `json:"shards"`
	Weight     int32            `json:"weight"`
	Capacity   int32            `json:"capacity"` // 0: no limit
	// Joined is when it joined, by its own clock. Nil: its record cannot be read.
	Joined *time.Time        `json:"joined"`
	Tags   map[string]string `json:"tags"`
}

// GroupMembersOf returns members in their JSON form. It is never nil.
func GroupMembersOf(members []groupview.Member) []GroupMember {
	list := make([]GroupMember, len(members))
	for i := range members {
		m := &members[i]
		one := GroupMember{
			ID: m.ID, Incarnation: m.Identity().Incarnation.String(), State: m.State(), Drained: m.Drained, Silent: m.Silent,
			Silence: (*output.Duration)(m.Age), MirrorLag: (*output.Duration)(m.Lag), Shards: m.Shards, Tags: map[string]string{},
		}
		if m.Beat != nil {
			one.Heartbeats = m.Beat.Counter
		}
		if r := m.Record; r != nil {
			joined := r.JoinedAt.UTC()
			one.Ready, one.NotReady, one.Draining, one.Joined = r.Ready(), r.NotReady, r.Draining, &joined
			one.Weight, one.Capacity = r.Weight, r.Capacity
			if r.Tags != nil {
				one.Tags = r.Tags
			}
		}
		list[i] = one
	}
	return list
}

// Shard is one shard of a group.
type Shard struct {
	Shard  string           `json:"shard"`
	Leader *output.Identity `json:"leader"` // nil: it has none whose session lives
	Free   bool             `json:"free"`
	// Damaged says that the record cannot be read. Then only the name, the pin and the request
	// are known.
	Damaged bool      `json:"damaged"`
	Term    uint64    `json:"term"`
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"` // by the clock of its author
	Moves   uint32    `json:"balance_moves"`
	Pin     string    `json:"pin"`   // the id of the member to which it is pinned, or empty
	Asked   string    `json:"asked"` // of its leader: remove or resign, or empty
}

// ShardOf returns a shard in its JSON form.
func ShardOf(st *groupview.State, s *mirror.Shard) Shard {
	one := Shard{
		Shard: s.Name, Free: st.Mirror.Free(s), Damaged: s.Unreadable != nil, Term: s.Term,
		Since: s.At.UTC(), Moves: s.Moves, Pin: st.Mirror.Pin(s.Name),
	}
	if !one.Damaged {
		one.Reason = s.Reason.String()
	}
	if !one.Free {
		one.Leader = output.IdentityOf(s.Leader)
	}
	if asked := st.Asked(s); asked != group.NoRequest {
		one.Asked = asked.String()
	}
	return one
}

// GroupEvent is one change in the log of a group.
type GroupEvent struct {
	Time   time.Time        `json:"time"`
	Event  string           `json:"event"`
	Shard  string           `json:"shard"` // empty: it is not about a shard
	Term   uint64           `json:"term"`
	From   *output.Identity `json:"from"`   // nil: there was no leader, or it is not known
	To     *output.Identity `json:"to"`     // nil: there is no leader
	Member *output.Identity `json:"member"` // nil: it is not about a member
	Reason string           `json:"reason"`
}

// GroupEventOf returns an event in its JSON form, for a reader at now, when the database was at
// a version. If the record has no time, its version tells it.
func GroupEventOf(e *groups.Event, now time.Time, version int64) GroupEvent {
	at := e.At
	if at.IsZero() {
		at = now.Add(-groupview.Age(version - e.Version))
	}
	return GroupEvent{
		Time: at.UTC(), Event: e.Kind, Shard: e.Shard, Term: e.Term, From: output.IdentityOf(e.From), To: output.IdentityOf(e.To),
		Member: output.IdentityOf(e.Member), Reason: e.Reason,
	}
}

// PlannedMove is a shard that the balance gives to another member.
type PlannedMove struct {
	Shard  string           `json:"shard"`
	From   *output.Identity `json:"from"` // nil: the shard is free
	To     *output.Identity `json:"to"`
	Reason string           `json:"reason"`
}

// KeptShards are shards that do not move, for one reason.
type KeptShards struct {
	Reason   string   `json:"reason"`
	Count    int      `json:"count"`
	Subjects []string `json:"subjects"`
}

// Rebalance is what the balance would do now.
type Rebalance struct {
	DryRun bool          `json:"dry_run"`
	Moves  []PlannedMove `json:"moves"`
	Kept   []KeptShards  `json:"kept"`
}

// RebalanceOf returns a plan in its JSON form.
func RebalanceOf(p *groupview.Plan) Rebalance {
	r := Rebalance{DryRun: true, Moves: make([]PlannedMove, len(p.Moves)), Kept: make([]KeptShards, len(p.Kept))}
	for i := range p.Moves {
		m := &p.Moves[i]
		r.Moves[i] = PlannedMove{m.Shard.Name, output.IdentityOf(m.From), output.IdentityOf(m.To), m.Reason}
	}
	for i := range p.Kept {
		r.Kept[i] = KeptShards{p.Kept[i].Reason, len(p.Kept[i].Shards), p.Kept[i].Shards}
	}
	return r
}
