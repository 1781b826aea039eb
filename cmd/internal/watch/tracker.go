package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
)

// news is one change that "watch" reports.
type news struct {
	Time   time.Time        `json:"time"` // when it was seen, on the local wall clock
	Event  string           `json:"event"`
	Leader *output.Identity `json:"leader"` // nil: there is no leader
	Term   uint64           `json:"term"`
	Ballot uint64           `json:"ballot"`
	// Candidate is the candidate that changed, or nil.
	Candidate *output.Identity `json:"candidate"`
	Reason    string           `json:"reason"`
}

// The events of "watch".
const (
	eventStart            = "start"             // the leadership at the start
	eventElected          = "elected"           // a tenure began
	eventVacant           = "vacant"            // a tenure ended, and no other one has begun
	eventAccepted         = "accepted"          // a successor has accepted leadership
	eventLeaseExpired     = "lease_expired"     // no renewal was seen for the lease
	eventRenewed          = "renewed"           // a renewal after that
	eventRequested        = "requested"         // there is a new request to the leader
	eventWithdrawn        = "withdrawn"         // the request is gone
	eventConfig           = "config"            // the config has changed
	eventReset            = "reset"             // the ballot went back
	eventPresent          = "present"           // a candidate at the start
	eventJoined           = "joined"            // a candidate has registered
	eventRestarted        = "restarted"         // it has registered again
	eventLeft             = "left"              // it has unregistered, or was evicted
	eventChanged          = "changed"           // its priority, role, readiness or metadata has changed
	eventTimedOut         = "timed_out"         // no heartbeat was seen for the candidate timeout
	eventHeartbeatResumed = "heartbeat_resumed" // a heartbeat after that
	eventDuplicate        = "duplicate"         // a process was refused because of a duplicate id
	eventUnreadable       = "unreadable"        // the store or a record cannot be read
	eventReadable         = "readable"          // it can be read again
)

// noCandidate is the candidate of news about the leadership.
var noCandidate election.Identity

// tracker finds what has changed between two reads. Leases and timeouts count from what it
// has seen itself, on the local monotonic clock. No clock of another host matters.
type tracker struct {
	last         *records.Snapshot // nil before the first read
	observation  election.Observation
	leaseExpired bool
	heartbeats   map[string]heartbeat // by the id of the candidate
	unreadable   string
	now          time.Time // when the present read returned, on the local wall clock
	news         []news
}

// heartbeat is the newest heartbeat of a candidate, and since when it was seen.
type heartbeat struct {
	count    uint64
	since    time.Time
	timedOut bool
}

// Next compares a read with the one before and returns what has changed. seen and wall are
// the monotonic clock and the wall clock after the read.
func (t *tracker) Next(s *records.Snapshot, seen, wall time.Time) []news {
	t.now, t.news = wall, nil
	if t.last != nil && s.Leader.Ballot < t.last.Leader.Ballot {
		t.report(eventReset, s.Leader, noCandidate, fmt.Sprintf("the ballot went back from %d to %d: the election was removed, or its store restored",
			t.last.Leader.Ballot, s.Leader.Ballot))
		*t = tracker{now: wall, news: t.news}
	}
	ballot := t.observation.Ballot
	t.observation = t.observation.Next(s.Leader, seen)
	t.reportTenures(s)
	t.reportLease(s, ballot, seen)
	t.reportRequest(s)
	t.reportConfig(s)
	t.reportCandidates(s, seen)
	t.reportDuplicate(s)
	t.reportUnreadable(s)
	t.last = s
	return t.news
}

func (t *tracker) report(event string, l election.LeaderRecord, candidate election.Identity, reason string) {
	t.news = append(t.news, news{
		Time: t.now, Event: event, Leader: output.IdentityOf(l.Identity), Term: l.Term, Ballot: l.Ballot,
		Candidate: output.IdentityOf(candidate), Reason: reason,
	})
}

// reportTenures reports every tenure since the last read, in order, as the history has them.
func (t *tracker) reportTenures(s *records.Snapshot) {
	leader := s.Leader
	if t.last == nil {
		t.report(eventStart, leader, noCandidate, records.AcquireText(leader))
		return
	}
	last := t.last.Leader
	term, vacant := last.Term, last.Vacant()
	for _, e := range slices.Backward(s.History) {
		if e.Ballot <= last.Ballot || e.Ballot > leader.Ballot || e.Kind == election.EventDuplicate {
			continue
		}
		at := election.LeaderRecord{Term: e.Term, Ballot: e.Ballot, Identity: e.To}
		term, vacant = e.Term, e.Kind == election.EventEnded
		if vacant {
			at.Identity = election.Identity{}
			t.report(eventVacant, at, noCandidate, e.From.ID+": "+e.Reason)
		} else {
			t.report(eventElected, at, noCandidate, e.Reason)
		}
	}
	switch { // changes that the history has not kept
	case leader.Term > term && !leader.Vacant():
		t.report(eventElected, leader, noCandidate, records.AcquireText(leader))
	case leader.Vacant() && (!vacant || leader.Term > term):
		t.report(eventVacant, leader, noCandidate, records.AcquireText(leader))
	case leader.Term == last.Term && leader.Accepted && !last.Accepted && !leader.Vacant():
		t.report(eventAccepted, leader, noCandidate, records.AcquireText(leader))
	}
}

// reportLease reports a leader that did not renew for its lease, and its next renewal.
func (t *tracker) reportLease(s *records.Snapshot, ballot uint64, seen time.Time) {
	switch over := !s.Leader.Vacant() && t.observation.LeaseExpired(s.Leader, seen); {
	case over && !t.leaseExpired:
		t.leaseExpired = true
		t.report(eventLeaseExpired, s.Leader, noCandidate, "no renewal was seen for its lease of "+s.Leader.LeaseDuration.String())
	case !over && t.leaseExpired:
		t.leaseExpired = false
		if t.last != nil && s.Leader.Token() == t.last.Leader.Token() && s.Leader.Ballot != ballot {
			t.report(eventRenewed, s.Leader, noCandidate, "it renews again")
		}
	}
}

func (t *tracker) reportRequest(s *records.Snapshot) {
	stands := func(s *records.Snapshot) bool {
		return s != nil && s.Request.Kind != election.NoRequest && s.Request.Term == s.Leader.Term && !s.Leader.Vacant()
	}
	before, now := stands(t.last), stands(s)
	switch {
	case now && (!before || s.Request.Nonce != t.last.Request.Nonce || s.Request.Kind != t.last.Request.Kind):
		t.report(eventRequested, s.Leader, s.Request.Identity, s.Request.Kind.String())
	case before && !now && s.Leader.Term == t.last.Leader.Term && !s.Leader.Vacant():
		t.report(eventWithdrawn, s.Leader, t.last.Request.Identity, t.last.Request.Kind.String())
	}
}

func (t *tracker) reportConfig(s *records.Snapshot) {
	if t.last == nil {
		if !s.Config.ElectionEnabled {
			t.report(eventConfig, s.Leader, noCandidate, "the election is disabled")
		}
		return
	}
	before, now := t.last.Config, s.Config
	if before.Revision == now.Revision {
		return
	}
	var differs []string
	for _, d := range records.Differences(records.Settings, before, now) {
		differs = append(differs, fmt.Sprintf("%s %s -> %s", d.Setting, d.From, d.To))
	}
	t.report(eventConfig, s.Leader, noCandidate, strings.TrimSpace(fmt.Sprintf("revision %d: %s", now.Revision, strings.Join(differs, ", "))))
}

func (t *tracker) reportCandidates(s *records.Snapshot, seen time.Time) {
	before := make(map[string]*election.Candidate)
	if t.last != nil {
		for i := range t.last.Candidates {
			before[t.last.Candidates[i].ID] = &t.last.Candidates[i]
		}
	}
	heartbeats := make(map[string]heartbeat, len(s.Candidates))
	for i := range s.Candidates {
		c := &s.Candidates[i]
		t.reportCandidate(s, before[c.ID], c)
		heartbeats[c.ID] = t.reportHeartbeat(s, c, seen)
		delete(before, c.ID)
	}
	t.heartbeats = heartbeats
	if t.last == nil || s.CandidatesUnreadable {
		return // a candidate that cannot be read has not left
	}
	for i := range t.last.Candidates {
		if who := t.last.Candidates[i].Identity; before[who.ID] != nil {
			t.report(eventLeft, s.Leader, who, "it is not registered any more")
		}
	}
}

func (t *tracker) reportCandidate(s *records.Snapshot, before, now *election.Candidate) {
	what := fmt.Sprintf("%s, priority %d", now.Role, now.Priority)
	switch {
	case t.last == nil:
		t.report(eventPresent, s.Leader, now.Identity, what)
	case before == nil:
		t.report(eventJoined, s.Leader, now.Identity, what)
	case before.Incarnation != now.Incarnation || before.Versionstamp != now.Versionstamp:
		t.report(eventRestarted, s.Leader, now.Identity, what)
	case before.Role != now.Role || before.Priority != now.Priority:
		t.report(eventChanged, s.Leader, now.Identity, what)
	case before.Ready() != now.Ready():
		t.report(eventChanged, s.Leader, now.Identity, records.ReadyEvent(now))
	case output.Metadata(before.Metadata) != output.Metadata(now.Metadata):
		t.report(eventChanged, s.Leader, now.Identity, "tags "+output.Metadata(now.Metadata))
	}
}

// reportHeartbeat returns the heartbeat of a candidate. It reports a candidate that has
// timed out, and its next heartbeat.
func (t *tracker) reportHeartbeat(s *records.Snapshot, c *election.Candidate, seen time.Time) heartbeat {
	h, known := t.heartbeats[c.ID]
	if !known || h.count != c.Heartbeats {
		if h.timedOut {
			t.report(eventHeartbeatResumed, s.Leader, c.Identity, "it sends heartbeats again")
		}
		return heartbeat{count: c.Heartbeats, since: seen}
	}
	if !h.timedOut && seen.Sub(h.since) > s.Config.CandidateTimeout {
		h.timedOut = true
		t.report(eventTimedOut, s.Leader, c.Identity, "no heartbeat was seen for "+s.Config.CandidateTimeout.String())
	}
	return h
}

// reportDuplicate reports a process that was refused since the last read.
func (t *tracker) reportDuplicate(s *records.Snapshot) {
	newest := func(s *records.Snapshot) (event election.Event) {
		if i := slices.IndexFunc(s.History, func(e election.Event) bool { return e.Kind == election.EventDuplicate }); i >= 0 {
			event = s.History[i]
		}
		return event
	}
	if t.last == nil {
		return
	}
	if event := newest(s); event.Kind == election.EventDuplicate && event != newest(t.last) {
		t.report(eventDuplicate, s.Leader, event.To, records.DuplicateText(&event))
	}
}

func (t *tracker) reportUnreadable(s *records.Snapshot) {
	text := ""
	if s.Unreadable != nil {
		text = records.WithRemedies(s.Unreadable, "to repair it").Error()
	}
	if text != t.unreadable {
		t.unreadable = text
		if text == "" {
			t.report(eventReadable, s.Leader, noCandidate, "all records can be read")
		} else {
			t.report(eventUnreadable, s.Leader, noCandidate, text)
		}
	}
}
