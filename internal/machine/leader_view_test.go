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

// TestReadingsInAnyOrder: concurrent operations are answered in any order. A lower ballot is
// ignored, unless it was read later: then the database was restored.
func TestReadingsInAnyOrder(t *testing.T) {
	at := func(s float64) time.Time { return localEpoch.Add(time.Duration(s * float64(time.Second))) }
	for _, c := range []struct {
		name         string
		term, ballot uint64
		start        float64
		wantTerm     uint64
		wantChanges  []string
	}{
		{"newer", 3, 12, 9, 3, []string{"leader carol in 3"}},
		{"newer, and its read began long ago", 3, 12, 1, 3, []string{"leader carol in 3"}},
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
			require.Equal(t, c.wantChanges, got)
		})
	}
}

// TestPassed: no term has passed before the first one.
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

// Missed tenures are reported once and in order, even if two operations have read them.
func TestMissedTenures(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1)).pass(heartbeat).does("do read the leader record")
	read := r.op(ReadLeader)
	require.Equal(t, r.standing(bob, 1).Term, read.Known.Term)
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

// TestMissedAtTheStart: of two reads that began before the leader was known, the slower one
// does not know the tenures between the two. It is ignored, and the leader is read again.
func TestMissedAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		first, second election.LeaderRecord
		readAgain     bool
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
			if !c.readAgain {
				require.Equal(t, c.second, r.m.View().Leader)
				return
			}
			require.Equal(t, c.first, r.m.View().Leader)
			require.True(t, r.op(ReadLeader).LeaderKnown, "it reads again")
			r.answer(ReadLeader, r.reads(c.second))
			require.Equal(t, c.second, r.m.View().Leader)
		})
	}
}

// TestTheLeadersRecord: the candidate record of the leader is read once, and lists keep it
// up to date.
func TestTheLeadersRecord(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.join()
	require.Zero(t, r.op(WatchTerm).Known)
	a := r.reads(leader)
	r.answer(WatchTerm, a)
	require.Nil(t, r.m.View().Record, "it could not be read")
	r.pass(heartbeat)
	require.Equal(t, election.Token{Term: 1}, r.op(ReadLeader).Known, "it is read again")
	record := candidate(bob, 1)
	a.Candidate = &record
	r.answer(ReadLeader, a).pass(heartbeat)
	require.Equal(t, &record, r.m.View().Record)
	require.Equal(t, leader.Token(), r.op(ReadLeader).Known)
	a.Candidate = nil
	r.answer(ReadLeader, a)
	require.Equal(t, &record, r.m.View().Record)

	other := newRig(t).join()
	a.Start, a.Seen = other.now().Local, other.now().Local
	other.jump(time.Second).answer(WatchTerm, a)
	a.Candidate = &record
	other.jump(heartbeat).answer(ReadLeader, a)
	require.Equal(t, &record, other.m.View().Record, "an earlier read of the same ballot counts too")
	a.Candidate = nil

	newer := candidate(bob, 1, func(c *election.Candidate) { c.Heartbeats, c.Metadata = 2, map[string]string{"at": "elsewhere"} })
	r.jump(15*time.Second).answer(List, Answer{Members: []election.Candidate{newer}})
	require.Equal(t, "elsewhere", r.m.View().Record.Metadata["at"])
	before := r.now().Local
	r.jump(15*time.Second).answer(List, Answer{Members: []election.Candidate{record}, Start: before, Seen: before})
	require.Equal(t, "elsewhere", r.m.View().Record.Metadata["at"], "an older record is ignored")
	r.jump(15*time.Second).answer(List, Answer{Members: []election.Candidate{record}})
	require.Empty(t, r.m.View().Record.Metadata, "the database was restored")

	r.rereads(r.reads(r.leader(carol, 2)))
	require.Nil(t, r.m.View().Record, "the record is of another leader")
	r.rereads(r.reads(r.vacant(2)))
	require.Equal(t, r.m.leader.record.Token(), r.m.leader.knownTenure(alice), "there is nothing to read")

	r = newRig(t).elect()
	r.jump(5*time.Second).answer(List, Answer{Members: []election.Candidate{candidate(alice, 1)}})
	require.Nil(t, r.m.View().Record, "this process leads")
}

// Configs are adopted when they are read, unless they are older than the known one.
func TestConfigs(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	read := func(revision uint64, start time.Duration) {
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
	read(5, 9*time.Second)
	require.Equal(t, []uint64{5}, adopted())
	r.local = 11 * time.Second
	read(4, 9*time.Second)
	require.Empty(t, adopted(), "read before")
	read(4, 10*time.Second)
	require.Empty(t, adopted(), "read beside it, by a coarse clock")
	r.local = 12 * time.Second
	read(5, 9*time.Second)
	require.Empty(t, adopted(), "unchanged")
	r.local = 13 * time.Second
	read(4, 12500*time.Millisecond)
	require.Equal(t, []uint64{4}, adopted(), "restored")
}

// TestAChangedConfig: heartbeats and lists follow it, and the leader renews at once.
func TestAChangedConfig(t *testing.T) {
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
	require.Equal(t, uint64(3), r.m.View().Config.Revision, "a renewal by the new config need not be repeated")
}

// TestAChallengerActsAtOnceInANewTenure: it does not wait for what it planned in the last.
func TestAChallengerActsAtOnceInANewTenure(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Me.Priority = 9 })
	r.follow(r.leader(bob, 1)).answer(ElectionCycle, r.did(election.RequestedPreemption, r.standing(bob, 1))).idle()
	r.jump(350 * time.Millisecond)
	if op, ok := r.main(); ok {
		r.answer(op.Kind, r.reads(r.leader(carol, 2)))
	}
	r.does("leader carol in 2", "do election cycle")
}

// The last holder is known from the leader record and from the term record.
func TestTheLastHolder(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1), candidate(bob, 1), candidate(alice, 2))
	r.jump(300*time.Millisecond).answer(ReadLeader, r.reads(r.leader(carol, 2)))
	r.m.me.heartbeatAt = r.now().Local
	r.jump(1).answer(ElectionCycle, r.did(election.Followed, r.vacant(2)))
	require.Equal(t, carol, r.m.leader.last)
	require.Equal(t, 1, r.m.rankedBefore())

	a := r.reads(r.vacant(5))
	a.Status.Term.Identity = bob
	r.rereads(a)
	require.Equal(t, bob, r.m.leader.last, "from the term record, if the tenure itself was missed")
}

// TestStates: the states of a follower, with expiry by clock and by observation.
func TestStates(t *testing.T) {
	for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByClock, fdbelection.ExpiryByObservation} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Aim = StandBy })
			r.config.Expiry = mode
			r.follow(r.leader(bob, 1)).does("leader bob in 1", "candidate -> follower: another process leads")
			leader := r.standing(bob, 1)
			require.False(t, r.m.leaderless())
			view := r.m.View()
			require.Equal(t, 10*time.Second, view.LeaseEnd.Sub(localEpoch))
			for r.local < 10*time.Second {
				r.state(StateFollower).pass(500 * time.Millisecond)
				if op, ok := r.main(); ok {
					r.answer(op.Kind, r.reads(leader))
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
	r.does("vacant since 1", "do election cycle", "follower -> candidate: there is no leader")
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
	for kind := Register; kind <= WatchCandidates; kind++ {
		require.NotEmpty(t, kind.String())
		require.False(t, seen[kind.String()], kind)
		seen[kind.String()] = true
	}
}

// TestEventsBeforeTheStart: they cause no actions, except Begin and Leave. The texts of the rig
// cover every action.
func TestEventsBeforeTheStart(t *testing.T) {
	for _, e := range []Event{
		Begin{}, Tick{}, AimChanged{}, RegistrationChanged{}, Leave{}, CommitStarting{}, CommitDone{}, Answered{}, WatchEnded{}, WorkReturning{}, WorkReturned{},
	} {
		e.event()
		m, actions := step(New(testSettings()), e, Now{Local: localEpoch, Wall: wallEpoch})
		if _, ok := e.(Begin); !ok {
			if _, ok := e.(Leave); !ok {
				require.Empty(t, actions, "%T before the start", e)
			}
		}
		require.NotEqual(t, StateLeader, m.State())
	}
	for _, a := range []Action{
		StartOperation{&Operation{}}, CancelOperation{}, Lead{}, Drain{}, Expire{}, StateChanged{}, LeaderChanged{}, CandidatesChanged{}, ConfigChanged{}, Evicted{}, Report{}, Wake{}, Finish{},
	} {
		a.action()
		require.NotContains(t, text(a), "machine.")
	}
}

// TestChance: the numbers are spread over the range, and equal for the same purpose.
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
