package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

func following(s *Settings) { s.FollowCandidates = true }

// changed reports whether the last step reported the candidates.
func (r *rig) changed() bool {
	for _, action := range r.acts {
		if _, ok := action.(CandidatesChanged); ok {
			return true
		}
	}
	return false
}

// TestAnArmingOfTheCandidatesWatchThatHangs: the view tells that it is overdue, for Health.
func TestAnArmingOfTheCandidatesWatchThatHangs(t *testing.T) {
	r := newRig(t, following, standingBy).follow(election.LeaderRecord{}, candidate(alice, 1))
	r.op(WatchCandidates)
	for range 10 {
		r.jump(heartbeat)
		if op, ok := r.main(); ok {
			r.answer(op.Kind, r.reads(r.m.leader.record))
		}
	}
	require.Equal(t, WatchCandidates, r.m.View().Awaited)
	require.True(t, r.m.View().Due.Before(r.now().Local))
}

// TestFollowedCandidates: a process that follows the candidates lists all of them, again at
// each change, and reports each difference other than a heartbeat once.
func TestFollowedCandidates(t *testing.T) {
	r := newRig(t, following)
	r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
	require.Zero(t, r.op(List).First, "all candidates")
	me := candidate(alice, 1)
	require.True(t, r.answer(List, Answer{Members: []election.Candidate{me}}).changed())
	r.answer(WatchCandidates, Answer{Members: []election.Candidate{me}}).answer(WatchTerm, r.reads(r.leader(bob, 1)))
	fired := func(members ...election.Candidate) *rig {
		r.pass(time.Second).fire(WatchCandidates, nil)
		return r.answer(WatchCandidates, Answer{Members: members})
	}
	require.True(t, fired(me, candidate(bob, 2)).changed(), "a candidate has registered")
	require.False(t, fired(me, candidate(bob, 2, func(c *election.Candidate) { c.Heartbeats = 9 })).changed(), "a heartbeat")
	require.True(t, fired(me, candidate(bob, 2, at("1", 10))).changed(), "metadata")
	require.True(t, fired(me, candidate(bob, 3, at("1", 1))).changed(), "it has registered again")
	require.True(t, fired(me).changed(), "it is gone")
	require.True(t, r.m.View().Complete)

	// A list that began before the watch was armed may be older, a later one is not.
	r.jump(15 * time.Second)
	require.Zero(t, r.op(List).First)
	start := r.now().Local
	r.jump(time.Second).fire(WatchCandidates, nil).answer(WatchCandidates, Answer{Members: []election.Candidate{me, candidate(bob, 4)}})
	require.True(t, r.changed())
	r.answer(List, Answer{Members: []election.Candidate{me}, Start: start, Seen: start})
	require.False(t, r.changed())
	require.Len(t, r.m.View().Members, 2)
	r.jump(15*time.Second).answer(List, Answer{Members: []election.Candidate{me}})
	require.True(t, r.changed())

	// A watch that fails may have missed a change. It is armed at a limited rate.
	r.pass(time.Second).fire(WatchCandidates, errStore)
	require.True(t, r.started(List))
	require.False(t, r.started(WatchCandidates))
	r.jump(heartbeat)
	require.True(t, r.started(WatchCandidates))
}

// TestCandidatesWatchIsLimited: however often it fires, it is armed once per step on average.
func TestCandidatesWatchIsLimited(t *testing.T) {
	r := newRig(t, following, standingBy)
	r.follow(r.leader(bob, 1))
	armed := 0
	for end := r.local + 10*heartbeat; r.local < end; r.pass(time.Millisecond) {
		if _, ok := r.find(WatchCandidates); ok {
			armed++
			r.answer(WatchCandidates, Answer{}).fire(WatchCandidates, nil)
		}
		if _, ok := r.find(ReadLeader); ok {
			r.answer(ReadLeader, r.reads(r.leader(bob, 1)))
		}
	}
	require.InDelta(t, 10*heartbeat/pollStep(r.config.HeartbeatInterval), armed, 3)
}

// TestCandidatesAreNotFollowedByDefault: without the setting there is no such watch.
func TestCandidatesAreNotFollowedByDefault(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 1))
	_, ok := r.find(WatchCandidates)
	require.False(t, ok)
	require.False(t, r.changed())

	// The watch is cancelled when the process leaves.
	r = newRig(t, following)
	r.follow(r.leader(bob, 1)).answer(WatchCandidates, Answer{})
	watch := r.armed[WatchCandidates]
	r.step(Leave{})
	require.Contains(t, r.acts, CancelOperation{Op: watch})
}
