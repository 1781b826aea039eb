package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// at returns a change of a candidate record: the address in its metadata, and its heartbeat.
func at(address string, heartbeat uint64) func(*election.Candidate) {
	return func(c *election.Candidate) {
		c.Metadata, c.Heartbeats = map[string]string{"addr": address}, heartbeat
	}
}

// found returns the answer of a read that found the candidate record of the leader.
func (r *rig) found(leader election.LeaderRecord, c election.Candidate) Answer {
	a := r.reads(leader)
	a.Candidate = &c
	return a
}

// TestMetadataOfTheLeader: a follower reads the record of the leader again after a watch has
// fired, and reports it if its metadata have changed. It reports nothing twice.
func TestMetadataOfTheLeader(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.join().answer(WatchTerm, r.found(leader, candidate(bob, 1, at("1", 1)))).does("leader bob in 1", "candidate -> follower: another process leads")
	fired := func(c election.Candidate) *rig {
		r.pass(time.Second).fire(WatchTerm, nil)
		require.Equal(t, election.Token{Term: 1}, r.op(WatchTerm).Known, "it reads the record again")
		return r.answer(WatchTerm, r.found(leader, c))
	}
	fired(candidate(bob, 1, at("2", 2))).does("metadata of bob in 1")
	require.Equal(t, "2", r.m.View().Record.Metadata["addr"])
	fired(candidate(bob, 1, at("2", 3))).does()
	fired(candidate(bob, 1)).does("metadata of bob in 1")
	require.Empty(t, r.m.View().Record.Metadata)
	r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, r.reads(leader)).does()

	// A list finds a change whose watch was lost, and a newer read is not undone by an older one.
	r.jump(15*time.Second).answer(List, Answer{Members: []election.Candidate{candidate(bob, 1, at("3", 9))}}).does("metadata of bob in 1")
	before := r.now().Local
	r.jump(time.Second)
	old := r.found(leader, candidate(bob, 1, at("2", 8)))
	old.Start, old.Seen = before.Add(-time.Second), before
	r.fire(WatchTerm, nil).answer(WatchTerm, old).does()
	again := candidate(bob, 2, at("4", 1)) // it was evicted and has registered again
	r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, r.found(leader, again)).does("metadata of bob in 1")

	// The next leader is reported once, with its metadata.
	r.pass(time.Second).fire(WatchTerm, nil)
	r.answer(WatchTerm, r.found(r.leader(carol, 2), candidate(carol, 2, at("5", 1)))).does("leader carol in 2", "candidate -> follower: another process leads")
}

// TestMetadataInAnOutdatedAnswer: a read that is older than the known ballot still shows the
// candidate record of the same tenure.
func TestMetadataInAnOutdatedAnswer(t *testing.T) {
	r := newRig(t)
	leader := r.leader(bob, 1)
	r.join().answer(WatchTerm, r.found(leader, candidate(bob, 1, at("1", 1))))
	start := r.pass(time.Second).now().Local
	r.fire(WatchTerm, nil).answer(ReadLeader, r.reads(r.leader(bob, 1)))
	a := r.found(leader, candidate(bob, 1, at("2", 2)))
	a.Start, a.Seen = start, start
	r.answer(WatchTerm, a).does("metadata of bob in 1")
}

// TestOwnMetadata: a leader reports its own metadata once they are committed.
func TestOwnMetadata(t *testing.T) {
	r := newRig(t).elect()
	change := func(address string) *rig {
		return r.step(RegistrationChanged{Priority: 5, Metadata: map[string]string{"addr": address}})
	}
	change("1").does("do renew 1")
	r.renew().does("metadata of alice in 1")
	r.pass(heartbeat)
	r.renew().does()
	change("2").does("do renew 1")
	change("3")
	r.renew().does("do renew 1")
	r.renew().does("metadata of alice in 1")

	follower := newRig(t).follow(r.leader(bob, 1))
	follower.step(RegistrationChanged{Priority: 5, Metadata: map[string]string{"addr": "1"}})
	follower.answer(ElectionCycle, follower.did(election.Followed, follower.standing(bob, 1))).does()
}
