package watch

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
)

// TestTracker: everything that happened between two reads is reported once, in order.
func TestTracker(t *testing.T) {
	a := election.Identity{ID: "a", Incarnation: uuid.UUID{1}}
	b := election.Identity{ID: "b", Incarnation: uuid.UUID{2}}
	config := fdbelection.DefaultConfig()
	config.Revision = 1
	held := func(term, ballot uint64, by election.Identity, accepted bool) election.LeaderRecord {
		return election.LeaderRecord{
			Term: term, Ballot: ballot, Identity: by, Accepted: accepted, LeaseDuration: time.Second,
			Nonce: uuid.UUID{byte(term)}, AcquireReason: election.AcquireTransfer,
		}
	}
	began := func(term, ballot uint64, from, to election.Identity) election.Event {
		return election.Event{Term: term, Ballot: ballot, Kind: election.EventBegan, From: from, To: to, Reason: "vacancy"}
	}
	ended := func(term, ballot uint64, from election.Identity) election.Event {
		return election.Event{Term: term, Ballot: ballot, Kind: election.EventEnded, From: from, Reason: "resigned"}
	}
	before := records.Snapshot{Status: election.Status{Config: config, Leader: held(1, 5, a, true)}}
	voter := election.Candidate{Registration: election.Registration{Identity: a}, Heartbeats: 1}
	with := func(s records.Snapshot, change func(s *records.Snapshot)) *records.Snapshot { change(&s); return &s }

	for name, c := range map[string]struct {
		first, then *records.Snapshot
		after       time.Duration
		want        []string
	}{
		"nothing":   {&before, &before, 0, nil},
		"a renewal": {&before, with(before, func(s *records.Snapshot) { s.Leader.Ballot = 6 }), 0, nil},
		"three tenures": {&before, with(before, func(s *records.Snapshot) {
			s.Leader = held(3, 12, b, true)
			s.History = []election.Event{began(3, 12, a, b), ended(2, 10, a), began(2, 8, a, a), ended(1, 7, a), began(1, 1, b, a)}
		}), 0, []string{
			"leader=- term=1 ballot=7 event=vacant reason=\"a: resigned\"",
			"leader=a term=2 ballot=8 event=elected reason=vacancy",
			"leader=- term=2 ballot=10 event=vacant reason=\"a: resigned\"",
			"leader=b term=3 ballot=12 event=elected reason=vacancy",
		}},
		"a tenure without history": {
			&before, with(before, func(s *records.Snapshot) { s.Leader = held(4, 20, b, true) }), 0,
			[]string{"leader=b term=4 ballot=20 event=elected reason=transfer"},
		},
		"a vacancy without history": {
			&before, with(before, func(s *records.Snapshot) { s.Leader = held(1, 6, election.Identity{}, true) }), 0,
			[]string{"leader=- term=1 ballot=6 event=vacant reason=vacant"},
		},
		"a successor accepts": {
			with(before, func(s *records.Snapshot) { s.Leader = held(2, 6, b, false) }),
			with(before, func(s *records.Snapshot) { s.Leader = held(2, 7, b, true) }), 0,
			[]string{"leader=b term=2 ballot=7 event=accepted reason=transfer"},
		},
		"a lease that runs out": {
			&before, &before, time.Second,
			[]string{"leader=a term=1 ballot=5 event=lease_expired reason=\"no renewal was seen for its lease of 1s\""},
		},
		"a candidate without a heartbeat for its timeout": {
			with(before, func(s *records.Snapshot) { s.Candidates = []election.Candidate{voter} }),
			with(before, func(s *records.Snapshot) { s.Candidates = []election.Candidate{voter} }), config.CandidateTimeout,
			[]string{"leader=a term=1 ballot=5 event=lease_expired reason=\"no renewal was seen for its lease of 1s\""},
		},
		"a candidate without a heartbeat for longer": {
			with(before, func(s *records.Snapshot) { s.Candidates = []election.Candidate{voter} }),
			with(before, func(s *records.Snapshot) { s.Candidates = []election.Candidate{voter} }), config.CandidateTimeout + 1,
			[]string{
				"leader=a term=1 ballot=5 event=lease_expired reason=\"no renewal was seen for its lease of 1s\"",
				"leader=a term=1 ballot=5 event=timed_out candidate=a reason=\"no heartbeat was seen for 15s\"",
			},
		},
		"a restored store": {
			&before, with(before, func(s *records.Snapshot) { s.Leader = held(1, 2, b, true) }), 0,
			[]string{
				"leader=b term=1 ballot=2 event=reset reason=\"the ballot went back from 5 to 2: the election was removed, or its store restored\"",
				"leader=b term=1 ballot=2 event=start reason=transfer",
			},
		},
		"a request": {
			&before, with(before, func(s *records.Snapshot) {
				s.Request = election.Request{Kind: election.TransferRequest, Term: 1, Identity: b, Nonce: uuid.UUID{9}}
			}), 0,
			[]string{"leader=a term=1 ballot=5 event=requested candidate=b reason=transfer"},
		},
		"a void request": {
			&before, with(before, func(s *records.Snapshot) { s.Request = election.Request{Kind: election.ResignRequest, Term: 7} }), 0, nil,
		},
		"a request that was withdrawn": {
			with(before, func(s *records.Snapshot) { s.Request = election.Request{Kind: election.ResignRequest, Term: 1} }), &before, 0,
			[]string{"leader=a term=1 ballot=5 event=withdrawn reason=resign"},
		},
		"another config": {
			&before, with(before, func(s *records.Snapshot) {
				s.Config.Revision, s.Config.ElectionEnabled, s.Config.HistoryLimit = 2, false, 9
			}), 0,
			[]string{"leader=a term=1 ballot=5 event=config reason=\"revision 2: history_limit 128 -> 9, enabled true -> false\""},
		},
		"candidates": {
			with(before, func(s *records.Snapshot) {
				gone := election.Candidate{Registration: election.Registration{Identity: election.Identity{ID: "gone"}}}
				s.Candidates = []election.Candidate{voter, gone}
			}),
			with(before, func(s *records.Snapshot) {
				changed, fresh := voter, voter
				changed.Priority, changed.Heartbeats = 7, 2
				fresh.Identity = b
				s.Candidates = []election.Candidate{changed, fresh}
			}), 0,
			[]string{
				"leader=a term=1 ballot=5 event=changed candidate=a reason=\"voter, priority 7\"",
				"leader=a term=1 ballot=5 event=joined candidate=b reason=\"voter, priority 0\"",
				"leader=a term=1 ballot=5 event=left candidate=gone reason=\"it is not registered any more\"",
			},
		},
		"a restart and tags": {
			with(before, func(s *records.Snapshot) {
				other := voter
				other.Identity = b
				s.Candidates = []election.Candidate{voter, other}
			}),
			with(before, func(s *records.Snapshot) {
				again, tagged := voter, voter
				again.Incarnation = uuid.UUID{3}
				tagged.Identity, tagged.Metadata = b, map[string]string{"zone": "x y"}
				s.Candidates = []election.Candidate{again, tagged}
			}), 0,
			[]string{
				"leader=a term=1 ballot=5 event=restarted candidate=a reason=\"voter, priority 0\"",
				"leader=a term=1 ballot=5 event=changed candidate=b reason=\"tags zone=\\\"x y\\\"\"",
			},
		},
		"readiness": {
			with(before, func(s *records.Snapshot) {
				cold := voter
				cold.Identity, cold.NotReady = b, "cold\x1b[2J"
				s.Candidates = []election.Candidate{voter, cold}
			}),
			with(before, func(s *records.Snapshot) {
				cold, warm := voter, voter
				cold.NotReady, warm.Identity = "lost\x1b[2J", b
				s.Candidates = []election.Candidate{cold, warm}
			}), 0,
			[]string{
				`leader=a term=1 ballot=5 event=changed candidate=a reason="not ready: \"lost\\x1b[2J\""`,
				`leader=a term=1 ballot=5 event=changed candidate=b reason=ready`,
			},
		},
		"an unreadable candidate has not left": {
			with(before, func(s *records.Snapshot) { s.Candidates = []election.Candidate{voter} }),
			with(before, func(s *records.Snapshot) {
				s.Unreadable, s.CandidatesUnreadable = errors.New("candidate a is broken"), true
			}), 0,
			[]string{"leader=a term=1 ballot=5 event=unreadable reason=\"candidate a is broken\""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var track tracker
			wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			track.Next(c.first, time.Unix(100, 0), wall)
			var got []string
			for _, n := range track.Next(c.then, time.Unix(100, 0).Add(c.after), wall) {
				got = append(got, n.line()[len("2026-01-02T03:04:05.000Z "):])
			}
			require.Equal(t, c.want, got)
			require.Empty(t, track.Next(c.then, time.Unix(100, 0).Add(c.after), wall), "each is reported once")
		})
	}
}

// TestTrackerReportsRecovery: the next renewal of a leader and the next heartbeat of a candidate
// are reported.
func TestTrackerReportsRecovery(t *testing.T) {
	me := election.Identity{ID: "a"}
	config := fdbelection.DefaultConfig()
	at := func(ballot, heartbeats uint64) *records.Snapshot {
		return &records.Snapshot{
			Status: election.Status{Config: config, Leader: election.LeaderRecord{
				Term: 1, Ballot: ballot, Identity: me, Accepted: true, LeaseDuration: config.LeaseDuration,
			}},
			Candidates: []election.Candidate{{Registration: election.Registration{Identity: me}, Heartbeats: heartbeats}},
		}
	}
	var track tracker
	var events []string
	now := time.Unix(100, 0)
	for _, read := range []struct {
		passed             time.Duration
		ballot, heartbeats uint64
	}{{0, 1, 1}, {time.Minute, 1, 1}, {time.Minute, 1, 1}, {time.Second, 2, 2}, {time.Second, 2, 2}} {
		now = now.Add(read.passed)
		for _, n := range track.Next(at(read.ballot, read.heartbeats), now, now) {
			events = append(events, n.Event)
		}
	}
	require.Equal(t, []string{eventStart, eventPresent, eventLeaseExpired, eventTimedOut, eventRenewed, eventHeartbeatResumed}, events)
}

// TestTrackerSuccession: a new leader after an expired lease is reported as elected, and
// not as renewed.
func TestTrackerSuccession(t *testing.T) {
	config := fdbelection.DefaultConfig()
	at := func(term, ballot uint64, id string) *records.Snapshot {
		return &records.Snapshot{Status: election.Status{Config: config, Leader: election.LeaderRecord{
			Term: term, Ballot: ballot, Identity: election.Identity{ID: id}, Accepted: true, LeaseDuration: config.LeaseDuration,
		}}}
	}
	var track tracker
	var events []string
	now := time.Unix(100, 0)
	for _, s := range []*records.Snapshot{at(1, 1, "a"), at(1, 1, "a"), at(2, 2, "b")} {
		for _, n := range track.Next(s, now, now) {
			events = append(events, n.Event)
		}
		now = now.Add(time.Minute)
	}
	require.Equal(t, []string{eventStart, eventLeaseExpired, eventElected}, events)
}
