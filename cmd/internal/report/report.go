// Package report has what the subcommands and the HTTP API say about an election in JSON. A
// name means the same in both. docs/output.schema.json describes every member.
package report

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
)

// Status is the status of an election.
type Status struct {
	Store    string           `json:"store"`
	Root     string           `json:"root"`
	Election string           `json:"election"`
	Leader   *output.Identity `json:"leader"` // nil: there is none, or its record is missing
	Term     uint64           `json:"term"`
	Ballot   uint64           `json:"ballot"`
	Tenure   *Tenure          `json:"tenure"` // of the leader
	Config   Config           `json:"config"`
	Request  *Request         `json:"request"` // nil: there is none
	// Delays says which candidates do not lead yet, and why.
	Delays []Delay `json:"delays"`
	// Settled says whether a leader is settled; nil if that is not known.
	Settled *bool           `json:"settled"`
	Waited  output.Duration `json:"waited_seconds"`
	// Unreadable is empty if all records can be read.
	Unreadable []records.Damaged `json:"unreadable"`
}

// StatusOf returns the status that a reader at now has read, with the newest events of the
// history. Store, Root, Election, Delays, Settled and Waited are left to the caller.
func StatusOf(read *election.Status, events []election.Event, now time.Time) Status {
	l := &read.Leader
	s := Status{
		Term: l.Term, Ballot: l.Ballot, Config: ConfigOf(read.Config), Delays: []Delay{}, Unreadable: records.DamagedIn(read.Unreadable),
	}
	if records.LeaderLost(read) {
		s.Ballot = read.Term.Ballot
	} else if !l.Vacant() {
		s.Leader, s.Tenure = output.IdentityOf(l.Identity), TenureOf(l, events, now)
	}
	if read.Request.Term == l.Term && !l.Vacant() {
		s.Request = RequestOf(read.Request)
	}
	return s
}

// Tenure is the tenure of a leader.
type Tenure struct {
	Priority      int32           `json:"priority"`
	AcquireReason string          `json:"acquire_reason"`
	Accepted      bool            `json:"accepted"`
	Since         time.Time       `json:"since"` // when the tenure began, by the history
	Lease         output.Duration `json:"lease_seconds"`
	LeaseExpiry   time.Time       `json:"lease_expiry"`
	// LeaseExpired compares the clock of the leader with the local clock.
	LeaseExpired bool `json:"lease_expired"`
}

// TenureOf returns the tenure of a leader for a reader at now. events are the newest ones of
// the history.
func TenureOf(l *election.LeaderRecord, events []election.Event, now time.Time) *Tenure {
	return &Tenure{
		Priority: l.Priority, AcquireReason: l.AcquireReason.String(), Accepted: l.Accepted, Since: beganAt(events, l).UTC(),
		Lease: output.Duration(l.LeaseDuration), LeaseExpiry: l.LeaseExpiry.UTC(), LeaseExpired: l.ExpiredAt(now),
	}
}

// beganAt returns when a tenure began, by the newest events of the history, so that all
// reports agree. The leader record has another time if leadership was handed over, or if the
// record was lost and written again.
func beganAt(events []election.Event, l *election.LeaderRecord) time.Time {
	for i := range events {
		if v := &events[i]; v.Kind == election.EventBegan && v.Term == l.Term && v.Nonce == l.Nonce {
			return v.At
		}
	}
	return l.AcquiredAt
}

// Config is the config of an election.
type Config struct {
	Revision         uint64          `json:"revision"`
	Enabled          bool            `json:"enabled"`
	Lease            output.Duration `json:"lease_seconds"`
	Heartbeat        output.Duration `json:"heartbeat_seconds"`
	Margin           output.Duration `json:"margin_seconds"`
	CandidateTimeout output.Duration `json:"candidate_timeout_seconds"`
	Expiry           string          `json:"expiry"`
	Preemption       bool            `json:"preemption"`
	PreemptionGrace  output.Duration `json:"preemption_grace_seconds"`
	MinimumTenure    output.Duration `json:"minimum_tenure_seconds"`
	PreemptDelay     output.Duration `json:"preempt_delay_seconds"`
	HistoryLimit     int             `json:"history_limit"`
}

// ConfigOf returns a config in its JSON form.
func ConfigOf(c fdbelection.Config) Config {
	return Config{
		Revision: c.Revision, Enabled: c.ElectionEnabled,
		Lease: output.Duration(c.LeaseDuration), Heartbeat: output.Duration(c.HeartbeatInterval),
		Margin: output.Duration(c.EffectiveMargin()), CandidateTimeout: output.Duration(c.CandidateTimeout),
		Expiry: c.Expiry.String(), Preemption: c.AllowPreemption,
		PreemptionGrace: output.Duration(c.PreemptionGrace), MinimumTenure: output.Duration(c.MinimumTenure), PreemptDelay: output.Duration(c.PreemptDelay),
		HistoryLimit: c.HistoryLimit,
	}
}

// Request is what is asked of the leader.
type Request struct {
	Kind string `json:"kind"`
	Term uint64 `json:"term"`
	// Candidate is the challenger, or the target of a transfer. It is nil for a resign
	// request. Priority and Counter are those of a challenger.
	Candidate *output.Identity `json:"candidate"`
	Priority  int32            `json:"priority"`
	Counter   uint64           `json:"counter"`
}

// RequestOf returns nil if there is no request.
func RequestOf(i election.Request) *Request {
	if i.Kind == election.NoRequest {
		return nil
	}
	return &Request{Kind: i.Kind.String(), Term: i.Term, Candidate: output.IdentityOf(i.Identity), Priority: i.Priority, Counter: i.Counter}
}

// Delay is a rule that keeps a candidate from claiming or preempting.
type Delay struct {
	Candidate *output.Identity `json:"candidate"`
	Rule      string           `json:"rule"`
	Until     time.Time        `json:"until"` // by the clock of the candidate
}

// DelaysOf returns what delays candidates at now, by the local clock. It is never nil.
func DelaysOf(candidates []election.Candidate, now time.Time) []Delay {
	delays := []Delay{}
	for i := range candidates {
		if c := &candidates[i]; c.Delay.Rule != "" && now.Before(c.Delay.Until) {
			delays = append(delays, Delay{output.IdentityOf(c.Identity), c.Delay.Rule, c.Delay.Until.UTC()})
		}
	}
	return delays
}

// The types of what is listed.
const (
	TypeElection = "election"
	TypeGroup    = "group"
)

// Listed is one election or group of a list.
type Listed struct {
	Type       string           `json:"type"`
	Election   string           `json:"election"`
	Leader     *output.Identity `json:"leader"` // nil: there is none
	Term       uint64           `json:"term"`
	Ballot     uint64           `json:"ballot"`
	Candidates int              `json:"candidates"`
	Enabled    bool             `json:"enabled"`
	// Unreadable names the records that cannot be read. Their values are missing.
	Unreadable []records.Damaged `json:"unreadable"`
	Group      string            `json:"group"`
	Members    int               `json:"members"` // of a group
}

// Name returns the name of the election or group.
func (l *Listed) Name() string { return l.Election + l.Group }

// ListedGroupOf returns a group as a list has it. unreadable is the error of its records.
func ListedGroupOf(name string, enabled bool, members int, unreadable error) Listed {
	return Listed{Type: TypeGroup, Group: name, Enabled: enabled, Members: members, Unreadable: records.DamagedIn(unreadable)}
}

// ListedOf returns an election as a list has it. unreadable is the error of its records; an
// election without a status has nothing else.
func ListedOf(name string, read *election.Status, candidates int, unreadable error) Listed {
	l := Listed{
		Type: TypeElection, Election: name, Candidates: candidates, Term: read.Leader.Term, Ballot: read.Leader.Ballot,
		Enabled: read.Config.ElectionEnabled, Unreadable: records.DamagedIn(unreadable),
	}
	if records.LeaderLost(read) {
		l.Ballot = read.Term.Ballot
	} else if !read.Leader.Vacant() {
		l.Leader = output.IdentityOf(read.Leader.Identity)
	}
	return l
}

// Candidate is one candidate.
type Candidate struct {
	Rank        int    `json:"rank"`
	ID          string `json:"id"`
	Incarnation string `json:"incarnation"`
	Role        string `json:"role"`
	Priority    int32  `json:"priority"`
	Leads       bool   `json:"leads"`
	Ready       bool   `json:"ready"`
	// NotReady is why it is not ready, or empty.
	NotReady      string    `json:"not_ready"`
	Heartbeats    uint64    `json:"heartbeats"`
	LastHeartbeat time.Time `json:"last_heartbeat"`
	// Age is the age of the last heartbeat. It compares the clock of the candidate with
	// the local clock.
	Age output.Duration `json:"age_seconds"`
	// TimedOut: the candidate looks dead by the clocks, and the reader waited and saw no
	// heartbeat. Nil: it looks dead by the clocks, and the reader did not wait.
	TimedOut *bool `json:"timed_out"`
	// ClockAhead is nil if no heartbeat was seen.
	ClockAhead *output.Duration  `json:"clock_ahead_seconds"`
	Tags       map[string]string `json:"tags"`
}

// CandidateOf returns the candidate at a rank, from 1, for a reader at now. TimedOut and
// ClockAhead are left to the caller.
func CandidateOf(c *election.Candidate, rank int, leader *election.LeaderRecord, now time.Time) Candidate {
	tags := c.Metadata
	if tags == nil {
		tags = map[string]string{}
	}
	return Candidate{
		Rank: rank, ID: c.ID, Incarnation: c.Incarnation.String(), Role: c.Role.String(), Priority: c.Priority,
		Leads: leader.HeldBy(c.Identity), Ready: c.Ready(), NotReady: c.NotReady, Heartbeats: c.Heartbeats, LastHeartbeat: c.LastHeartbeat.UTC(),
		Age: output.Duration(now.Sub(c.LastHeartbeat)), Tags: tags,
	}
}

// Event is one event of the history.
type Event struct {
	Time   time.Time        `json:"time"`
	Event  string           `json:"event"`
	Term   uint64           `json:"term"`
	Ballot uint64           `json:"ballot"`
	From   *output.Identity `json:"from"` // nil: there was no leader
	To     *output.Identity `json:"to"`   // nil: there is no leader
	Reason string           `json:"reason"`
	Nonce  string           `json:"nonce"`
}

// EventOf returns an event in its JSON form.
func EventOf(v *election.Event) Event {
	return Event{
		Term: v.Term, Event: v.Kind.String(), Time: v.At.UTC(), From: output.IdentityOf(v.From), To: output.IdentityOf(v.To),
		Reason: v.Reason, Ballot: v.Ballot, Nonce: v.Nonce.String(),
	}
}
