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

// news is one line of "watch".
type news struct {
	Time   time.Time        `json:"time"` // when it was seen, by the clock here
	Event  string           `json:"event"`
	Leader *output.Identity `json:"leader"` // nil: there is none
	Term   uint64           `json:"term"`
	Ballot uint64           `json:"ballot"`
	// Candidate is the one that it is about; nil if it is not about one.
	Candidate *output.Identity `json:"candidate"`
	Reason    string           `json:"reason"`
}

// The events of "watch".
const (
	eventStart            = "start"             // the seat, as it was found
	eventElected          = "elected"           // a tenure began
	eventVacant           = "vacant"            // a tenure ended, and nobody has followed yet
	eventAccepted         = "accepted"          // who was handed the seat has taken it
	eventLeaseExpired     = "lease_expired"     // no renewal for the whole lease, by the clock here
	eventRenewed          = "renewed"           // a renewal after that
	eventRequested        = "requested"         // something is asked of the leader
	eventWithdrawn        = "withdrawn"         // it is not any more
	eventConfig           = "config"            // the config has changed
	eventReset            = "reset"             // the records are of another past
	eventPresent          = "present"           // a candidate, as it was found
	eventJoined           = "joined"            // a candidate has come
	eventRestarted        = "restarted"         // it has come anew, under the same id
	eventLeft             = "left"              // it has gone, or was evicted
	eventChanged          = "changed"           // its priority, role or tags are others
	eventTimedOut         = "timed_out"         // no heartbeat of it for the candidate timeout, by the clock here
	eventHeartbeatResumed = "heartbeat_resumed" // a heartbeat after that
	eventDuplicate        = "duplicate"         // a process was turned away, as another one is active under its id
	eventUnreadable       = "unreadable"        // the store, or a record, cannot be read
	eventReadable         = "readable"          // it can be read again
)

// none is the candidate of news that is not about one.
var none election.Identity

// tracker makes out of looks what has changed between them. It judges silence by
// what it has seen itself, on the monotonic clock here: no stamp of another host
// takes part.
type tracker struct {
	last       *records.Snapshot // nil before the first look
	seat       election.Observation
	silent     bool
	pulses     map[string]pulse // of the candidates, by id
	unreadable string
	now        time.Time // of the look that is being compared, by the calendar here
	told       []news
}

// pulse is when a heartbeat of a candidate was seen first.
type pulse struct {
	heartbeats uint64
	since      time.Time
	quiet      bool
}

// next takes a look in, and returns what has changed. seen is the monotonic clock
// after the look, wall the calendar.
func (t *tracker) Next(s *records.Snapshot, seen, wall time.Time) []news {
	t.now, t.told = wall, nil
	if t.last != nil && s.Leader.Ballot < t.last.Leader.Ballot {
		t.tell(eventReset, s.Leader, none, fmt.Sprintf("the ballot went back from %d to %d: the election was removed, or its store restored",
			t.last.Leader.Ballot, s.Leader.Ballot))
		*t = tracker{now: wall, told: t.told}
	}
	ballot := t.seat.Ballot
	t.seat = t.seat.Next(s.Leader, seen)
	t.tellSeat(s)
	t.tellSilence(s, ballot, seen)
	t.tellIntent(s)
	t.tellConfig(s)
	t.tellCandidates(s, seen)
	t.tellDuplicate(s)
	t.tellUnreadable(s)
	t.last = s
	return t.told
}

func (t *tracker) tell(event string, seat election.LeaderRecord, candidate election.Identity, reason string) {
	t.told = append(t.told, news{
		Time: t.now, Event: event, Leader: output.IdentityOf(seat.Identity), Term: seat.Term, Ballot: seat.Ballot,
		Candidate: output.IdentityOf(candidate), Reason: reason,
	})
}

// tellSeat tells of every tenure since the last look, in order, as the history
// has them.
func (t *tracker) tellSeat(s *records.Snapshot) {
	seat := s.Leader
	if t.last == nil {
		t.tell(eventStart, seat, none, records.AcquireText(seat))
		return
	}
	last := t.last.Leader
	term, vacant := last.Term, last.Vacant()
	for _, e := range slices.Backward(s.History) {
		if e.Ballot <= last.Ballot || e.Ballot > seat.Ballot || e.Kind == election.EventDuplicate {
			continue
		}
		at := election.LeaderRecord{Term: e.Term, Ballot: e.Ballot, Identity: e.To}
		term, vacant = e.Term, e.Kind == election.EventEnded
		if vacant {
			at.Identity = election.Identity{}
			t.tell(eventVacant, at, none, e.From.ID+": "+e.Reason)
		} else {
			t.tell(eventElected, at, none, e.Reason)
		}
	}
	switch { // what the history does not keep
	case seat.Term > term && !seat.Vacant():
		t.tell(eventElected, seat, none, records.AcquireText(seat))
	case seat.Vacant() && (!vacant || seat.Term > term):
		t.tell(eventVacant, seat, none, records.AcquireText(seat))
	case seat.Term == last.Term && seat.Accepted && !last.Accepted && !seat.Vacant():
		t.tell(eventAccepted, seat, none, records.AcquireText(seat))
	}
}

// tellSilence tells of a leader that did not renew for its lease.
func (t *tracker) tellSilence(s *records.Snapshot, ballot uint64, seen time.Time) {
	switch over := !s.Leader.Vacant() && t.seat.LeaseExpired(s.Leader, seen); {
	case over && !t.silent:
		t.silent = true
		t.tell(eventLeaseExpired, s.Leader, none, "no renewal was seen for its lease of "+s.Leader.LeaseDuration.String())
	case !over && t.silent:
		t.silent = false
		if t.last != nil && s.Leader.Token() == t.last.Leader.Token() && s.Leader.Ballot != ballot {
			t.tell(eventRenewed, s.Leader, none, "it renews again")
		}
	}
}

func (t *tracker) tellIntent(s *records.Snapshot) {
	stands := func(s *records.Snapshot) bool {
		return s != nil && s.Request.Kind != election.NoRequest && s.Request.Term == s.Leader.Term && !s.Leader.Vacant()
	}
	before, now := stands(t.last), stands(s)
	switch {
	case now && (!before || s.Request.Nonce != t.last.Request.Nonce || s.Request.Kind != t.last.Request.Kind):
		t.tell(eventRequested, s.Leader, s.Request.Identity, s.Request.Kind.String())
	case before && !now && s.Leader.Term == t.last.Leader.Term && !s.Leader.Vacant():
		t.tell(eventWithdrawn, s.Leader, t.last.Request.Identity, t.last.Request.Kind.String())
	}
}

func (t *tracker) tellConfig(s *records.Snapshot) {
	if t.last == nil {
		if !s.Config.ElectionEnabled {
			t.tell(eventConfig, s.Leader, none, "the election is disabled")
		}
		return
	}
	before, now := t.last.Config, s.Config
	if before.Revision == now.Revision {
		return
	}
	var differs []string
	for _, d := range records.Differences(before, now) {
		differs = append(differs, fmt.Sprintf("%s %s -> %s", d.Setting, d.From, d.To))
	}
	t.tell(eventConfig, s.Leader, none, strings.TrimSpace(fmt.Sprintf("revision %d: %s", now.Revision, strings.Join(differs, ", "))))
}

func (t *tracker) tellCandidates(s *records.Snapshot, seen time.Time) {
	before := make(map[string]*election.Candidate)
	if t.last != nil {
		for i := range t.last.Candidates {
			before[t.last.Candidates[i].ID] = &t.last.Candidates[i]
		}
	}
	pulses := make(map[string]pulse, len(s.Candidates))
	for i := range s.Candidates {
		c := &s.Candidates[i]
		t.tellCandidate(s, before[c.ID], c)
		pulses[c.ID] = t.beat(s, c, seen)
		delete(before, c.ID)
	}
	t.pulses = pulses
	if t.last == nil || s.CandidatesUnreadable {
		return // one that cannot be read has not left
	}
	for i := range t.last.Candidates {
		if who := t.last.Candidates[i].Identity; before[who.ID] != nil {
			t.tell(eventLeft, s.Leader, who, "it is not registered any more")
		}
	}
}

func (t *tracker) tellCandidate(s *records.Snapshot, before, now *election.Candidate) {
	what := fmt.Sprintf("%s, priority %d", now.Role, now.Priority)
	switch {
	case t.last == nil:
		t.tell(eventPresent, s.Leader, now.Identity, what)
	case before == nil:
		t.tell(eventJoined, s.Leader, now.Identity, what)
	case before.Incarnation != now.Incarnation || before.Versionstamp != now.Versionstamp:
		t.tell(eventRestarted, s.Leader, now.Identity, what)
	case before.Role != now.Role || before.Priority != now.Priority:
		t.tell(eventChanged, s.Leader, now.Identity, what)
	case output.Metadata(before.Metadata) != output.Metadata(now.Metadata):
		t.tell(eventChanged, s.Leader, now.Identity, "tags "+output.Metadata(now.Metadata))
	}
}

// beat returns the pulse of a candidate, and tells where it has stopped or come
// back.
func (t *tracker) beat(s *records.Snapshot, c *election.Candidate, seen time.Time) pulse {
	p, known := t.pulses[c.ID]
	if !known || p.heartbeats != c.Heartbeats {
		if p.quiet {
			t.tell(eventHeartbeatResumed, s.Leader, c.Identity, "its heartbeats go on")
		}
		return pulse{heartbeats: c.Heartbeats, since: seen}
	}
	if !p.quiet && seen.Sub(p.since) > s.Config.CandidateTimeout {
		p.quiet = true
		t.tell(eventTimedOut, s.Leader, c.Identity, "no heartbeat was seen for "+s.Config.CandidateTimeout.String())
	}
	return p
}

// tellDuplicate tells of a process that was turned away since the last look.
func (t *tracker) tellDuplicate(s *records.Snapshot) {
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
		t.tell(eventDuplicate, s.Leader, event.To, records.DuplicateText(&event))
	}
}

func (t *tracker) tellUnreadable(s *records.Snapshot) {
	text := ""
	if s.Unreadable != nil {
		text = records.WithRemedies(s.Unreadable, "to mend it").Error()
	}
	if text != t.unreadable {
		t.unreadable = text
		if text == "" {
			t.tell(eventReadable, s.Leader, none, "all records can be read")
		} else {
			t.tell(eventUnreadable, s.Leader, none, text)
		}
	}
}
