package machine

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// TestReadingsInAnyOrder: operations that run beside each other answer as they
// like. What is older than what is known is dropped, unless it was read later: then
// it is of a database that was restored.
func TestReadingsInAnyOrder(t *testing.T) {
	at := func(s float64) time.Time { return localEpoch.Add(time.Duration(s * float64(time.Second))) }
	for _, c := range []struct {
		name          string
		term, ballot  uint64
		start         float64
		wantTerm      uint64
		wantFollowing []string
	}{
		{"newer", 3, 12, 9, 3, []string{"leader carol in 3"}},
		{"newer, and read long ago", 3, 12, 1, 3, []string{"leader carol in 3"}},
		{"older, and read before the newer one was known", 1, 5, 9, 2, []string{}},
		{"older, and read after it: restored", 1, 5, 10.5, 1, []string{"leader carol in 1"}},
		{"the same tenure, renewed", 2, 11, 10.5, 2, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.follow(r.vacant(0), candidate(bob, 1), candidate(alice, 2)).jump(10 * time.Second)
			r.ballot = 10
			known := r.standing(bob, 2)
			if op, ok := r.main(); ok {
				delete(r.pending, op.ID)
				a := r.reads(known)
				a.Start, a.Seen = at(8), at(8.5)
				r.step(Answered{Op: op.ID, Answer: a})
			}
			r.local = 11 * time.Second
			who := carol
			if c.term == 2 {
				who = bob
			}
			leader := r.standing(who, c.term)
			leader.Ballot = c.ballot
			a := r.reads(leader)
			a.Start, a.Seen = at(c.start), at(10.9)
			r.fire(WatchTerm, nil).answer(WatchTerm, a)
			require.Equal(t, c.wantTerm, r.m.View().Leader.Term)
			got := []string{}
			for _, action := range r.acts {
				if _, ok := action.(LeaderChanged); ok {
					got = append(got, text(action))
				}
			}
			require.Equal(t, c.wantFollowing, got)
		})
	}
}

// TestPassed: no term has passed before the first one, whatever the record says.
func TestPassed(t *testing.T) {
	for _, c := range []struct {
		leader election.LeaderRecord
		want   uint64
	}{
		{election.LeaderRecord{}, 0},
		{election.LeaderRecord{Identity: bob}, 0},
		{election.LeaderRecord{Identity: bob, Term: 1}, 0},
		{election.LeaderRecord{Identity: bob, Term: 7}, 6},
		{election.LeaderRecord{Term: 7}, 7},
	} {
		require.Equal(t, c.want, Passed(c.leader), "%v", c.leader)
	}
}

// TestMissedTenures are told of in order, and once, whoever read them.
func TestMissedTenures(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1)).pass(heartbeat).does("do read the leader record")
	look := r.op(ReadLeader)
	require.Equal(t, r.standing(bob, 1).Term, look.Known.Term)
	missed := func(terms ...uint64) (all []election.LeaderRecord) {
		for _, term := range terms {
			all = append(all, election.LeaderRecord{Term: term, Ballot: 10 + term, Identity: carol})
		}
		return all
	}
	r.fire(WatchTerm, nil)
	r.ballot = 30
	a := r.reads(r.leader(bob, 4))
	a.Missed = missed(2, 3)
	r.answer(WatchTerm, a).does("leader carol in 2", "leader carol in 3", "leader bob in 4")
	a = r.reads(r.leader(bob, 6))
	a.Missed = missed(2, 3, 4, 5)
	r.answer(ReadLeader, a).does("leader carol in 5", "leader bob in 6")
}

// TestMissedAtTheStart: of two readings that began before anything was known, the
// slower one cannot name what passed between them. It is put aside for another
// look.
func TestMissedAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		first, second election.LeaderRecord
		blind         bool
	}{
		"a tenure in a vacancy":     {election.LeaderRecord{}, election.LeaderRecord{Term: 1, Ballot: 2}, true},
		"a tenure between two":      {election.LeaderRecord{Term: 3, Ballot: 3, Identity: bob}, election.LeaderRecord{Term: 5, Ballot: 5, Identity: carol}, true},
		"the next one":              {election.LeaderRecord{Term: 3, Ballot: 3, Identity: bob}, election.LeaderRecord{Term: 4, Ballot: 5, Identity: carol}, false},
		"the end of the same":       {election.LeaderRecord{Term: 3, Ballot: 3, Identity: bob}, election.LeaderRecord{Term: 3, Ballot: 5}, false},
		"the first one":             {election.LeaderRecord{}, election.LeaderRecord{Term: 1, Ballot: 1, Identity: carol}, false},
		"the first one of its kind": {election.LeaderRecord{Term: 3, Ballot: 3}, election.LeaderRecord{Term: 4, Ballot: 4, Identity: carol}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly }).step(Begin{})
			r.answer(WatchTerm, failing(errors.New("no answer"))).pass(heartbeat)
			require.False(t, r.op(ReadLeader).LeaderKnown || r.op(WatchTerm).LeaderKnown)
			r.answer(WatchTerm, r.reads(c.first))
			r.answer(ReadLeader, r.reads(c.second))
			if !c.blind {
				require.Equal(t, c.second, r.m.View().Leader)
				return
			}
			require.Equal(t, c.first, r.m.View().Leader)
			require.True(t, r.op(ReadLeader).LeaderKnown, "it looks again")
			r.answer(ReadLeader, r.reads(c.second))
			require.Equal(t, c.second, r.m.View().Leader)
		})
	}
}

// TestTheLeadersRecord is asked for once, and kept up to date by the listing.
func TestTheLeadersRecord(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.join()
	require.Zero(t, r.op(WatchTerm).Known)
	a := r.reads(leader)
	r.answer(WatchTerm, a)
	require.Nil(t, r.m.View().Record, "it could not be read")
	r.pass(heartbeat)
	require.Equal(t, election.Token{Term: 1}, r.op(ReadLeader).Known, "it is asked for again")
	record := candidate(bob, 1)
	a.Candidate = &record
	r.answer(ReadLeader, a).pass(heartbeat)
	require.Equal(t, &record, r.m.View().Record)
	require.Equal(t, leader.Token(), r.op(ReadLeader).Known)
	a.Candidate = nil
	r.answer(ReadLeader, a)
	require.Equal(t, &record, r.m.View().Record)

	beside := newRig(t).join()
	a.Start, a.Seen = beside.now().Local, beside.now().Local
	beside.jump(time.Second).answer(WatchTerm, a)
	a.Candidate = &record
	beside.jump(heartbeat).answer(ReadLeader, a)
	require.Equal(t, &record, beside.m.View().Record, "a reading of the same ballot that began earlier tells it too")
	a.Candidate = nil

	moved := candidate(bob, 1, func(c *election.Candidate) { c.Heartbeats, c.Metadata = 2, map[string]string{"at": "elsewhere"} })
	r.jump(15*time.Second).answer(List, Answer{Members: []election.Candidate{moved}})
	require.Equal(t, "elsewhere", r.m.View().Record.Metadata["at"])
	r.jump(15*time.Second).answer(List, Answer{Members: []election.Candidate{record}})
	require.Equal(t, "elsewhere", r.m.View().Record.Metadata["at"], "what is older tells nothing new")

	r.retell(r.reads(r.leader(carol, 2)))
	require.Nil(t, r.m.View().Record, "it is not of this leader")
	r.retell(r.reads(r.vacant(2)))
	require.Equal(t, r.m.leader.record.Token(), r.m.leader.knownTenure(alice), "nothing to ask for")

	r = newRig(t).elect()
	r.jump(5*time.Second).answer(List, Answer{Members: []election.Candidate{candidate(alice, 1)}})
	require.Nil(t, r.m.View().Record, "it is the own one")
}

// TestConfigs are adopted when they are read, and not when they are older than
// what is known.
func TestConfigs(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	look := func(revision uint64, start time.Duration) {
		a := r.reads(r.standing(bob, 1))
		a.Status.Config.Revision = revision
		a.Status.Config.HeartbeatInterval += time.Duration(revision)
		a.Start, a.Seen = localEpoch.Add(start), r.now().Local
		r.fire(WatchTerm, nil).answer(WatchTerm, a)
	}
	adopted := func() (all []uint64) {
		for _, action := range r.acts {
			if a, ok := action.(ConfigChanged); ok {
				all = append(all, a.Config.Revision)
			}
		}
		return all
	}
	r.local = 10 * time.Second
	look(5, 9*time.Second)
	require.Equal(t, []uint64{5}, adopted())
	r.local = 11 * time.Second
	look(4, 9*time.Second)
	require.Empty(t, adopted(), "read before")
	r.local = 12 * time.Second
	look(5, 9*time.Second)
	require.Empty(t, adopted(), "nothing new")
	r.local = 13 * time.Second
	look(4, 12500*time.Millisecond)
	require.Equal(t, []uint64{4}, adopted(), "restored")
}

// TestAConfigThatChanges has the heartbeats and the listing follow it, and the
// leader renew by it at once.
func TestAConfigThatChanges(t *testing.T) {
	r := newRig(t, standingBy)
	r.follow(r.leader(bob, 1))
	r.config.CandidateTimeout, r.config.Revision = 6*time.Second, 2
	r.config.HeartbeatInterval = time.Second
	r.pass(500*time.Millisecond).fire(WatchTerm, nil).answer(WatchTerm, r.reads(r.standing(bob, 1)))
	require.Equal(t, 2500*time.Millisecond, r.m.me.heartbeatAt.Sub(localEpoch))
	require.Equal(t, 6500*time.Millisecond, r.m.candidates.due.Sub(localEpoch))

	r = newRig(t).elect().pass(time.Second)
	r.config.LeaseDuration, r.config.Revision = 5*time.Second, 2
	r.fire(WatchTerm, nil).answer(WatchTerm, r.reads(r.standing(alice, 1))).does("do renew 1")
	r.renew().does()
	r.config.Revision = 3
	r.pass(heartbeat).answer(ElectionCycle, r.did(election.Renewed, r.leader(alice, 1))).does()
	require.Equal(t, uint64(3), r.m.View().Config.Revision, "what it was renewed by need not be renewed again")
}

// TestAnotherTenure is acted on at once, whatever was planned under the last one.
func TestAnotherTenure(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority = 9 })
	r.follow(r.leader(bob, 1)).answer(ElectionCycle, r.did(election.RequestedPreemption, r.standing(bob, 1))).idle()
	r.jump(350 * time.Millisecond)
	if op, ok := r.main(); ok {
		r.answer(op.Kind, r.reads(r.leader(carol, 2)))
	}
	r.does("leader carol in 2", "do election cycle")
}

// TestWhoHeldItLast is known from the seat itself too.
func TestWhoHeldItLast(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1), candidate(bob, 1), candidate(alice, 2))
	r.jump(300*time.Millisecond).answer(ReadLeader, r.reads(r.leader(carol, 2)))
	r.m.me.heartbeatAt = r.now().Local
	r.jump(1).answer(ElectionCycle, r.did(election.Followed, r.vacant(2)))
	require.Equal(t, carol, r.m.leader.last)
	require.Equal(t, 1, r.m.rankedBefore())

	a := r.reads(r.vacant(5))
	a.Status.Term.Identity = bob
	r.retell(a)
	require.Equal(t, bob, r.m.leader.last, "and from the term record, where the tenure itself was missed")
}

// TestStates: what a process plays beside a leader that it judges by either mode.
func TestStates(t *testing.T) {
	for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByClock, fdbelection.ExpiryByObservation} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Aim = StandBy })
			r.config.Expiry = mode
			r.follow(r.leader(bob, 1)).does("leader bob in 1", "candidate -> follower: another candidate leads")
			seat := r.standing(bob, 1)
			require.False(t, r.m.leaderless())
			view := r.m.View()
			require.Equal(t, 10*time.Second, view.LeaseEnd.Sub(localEpoch))
			for r.local < 10*time.Second {
				r.state(StateFollower).pass(500 * time.Millisecond)
				if op, ok := r.main(); ok {
					r.answer(op.Kind, r.reads(seat))
				}
			}
			r.state(StateCandidate)
		})
	}
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	view := r.m.View()
	require.False(t, view.Leaderless)
	r.jump(300*time.Millisecond).answer(ReadLeader, r.reads(r.vacant(1)))
	r.does("vacant since 1", "do election cycle", "follower -> candidate: no leader is known")
	view = r.m.View()
	require.True(t, view.Leaderless)
	require.Zero(t, view.LeaseEnd)
}

func TestNames(t *testing.T) {
	require.Equal(t, "jeopardy", StateJeopardy.String())
	require.Equal(t, "State(-1)", State(-1).String())
	require.Equal(t, "State(6)", State(6).String())
	require.True(t, StateJeopardy.Leads() && StateLeader.Leads() && !StateFollower.Leads())
	seen := map[string]bool{}
	for kind := Register; kind <= WatchRequest; kind++ {
		require.NotEmpty(t, kind.String())
		require.False(t, seen[kind.String()], kind)
		seen[kind.String()] = true
	}
}

// TestTheMarks: events and actions are what they say, and nothing else is.
func TestTheMarks(t *testing.T) {
	for _, e := range []Event{
		Begin{}, Tick{}, AimChanged{}, RegistrationChanged{}, Leave{}, CommitStarting{}, CommitDone{}, Answered{}, WatchEnded{}, WorkReturning{}, WorkReturned{},
	} {
		e.event()
		m, actions := Step(New(testSettings()), e, Now{Local: localEpoch, Wall: wallEpoch})
		if _, ok := e.(Begin); !ok {
			if _, ok := e.(Leave); !ok {
				require.Empty(t, actions, "%T before the beginning", e)
			}
		}
		require.NotEqual(t, StateLeader, m.State())
	}
	for _, a := range []Action{
		StartOperation{}, CancelOperation{}, Lead{}, Drain{}, Expire{}, StateChanged{}, LeaderChanged{}, ConfigChanged{}, Evicted{}, Report{}, Wake{}, Finish{},
	} {
		a.action()
		require.NotContains(t, text(a), "machine.")
	}
}

// TestChance is spread over its range, and the same for the same purpose.
func TestChance(t *testing.T) {
	m := New(testSettings())
	low, high := 0, 0
	for i := range uint64(1000) {
		c := m.chance(i)
		require.True(t, c >= 0 && c < 1)
		require.InDelta(t, c, m.chance(i), 0)
		if c < 0.1 {
			low++
		}
		if c >= 0.9 {
			high++
		}
	}
	require.InDelta(t, 100, low, 50)
	require.InDelta(t, 100, high, 50)
	other := m
	other.me.Incarnation = uuid.UUID{77}
	require.NotEqual(t, m.chance(1), other.chance(1))
}
