package machine

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/subspace"
)

// leader is a leader record of the next ballot, renewed now.
func (r *rig) leader(who election.Identity, term uint64) election.LeaderRecord {
	r.ballot++
	return r.standing(who, term)
}

// standing is a leader record of the last ballot.
func (r *rig) standing(who election.Identity, term uint64) election.LeaderRecord {
	r.ballot = max(r.ballot, term)
	return election.LeaderRecord{
		Ballot: r.ballot, Term: term, Identity: who, Priority: 5, Accepted: true, Nonce: uuid.UUID{byte(term)},
		LeaseDuration: r.config.LeaseDuration, LeaseExpiry: r.now().Wall.Add(r.config.LeaseDuration), AcquiredAt: r.now().Wall,
	}
}

// vacant is the record of a seat that was given up after a term.
func (r *rig) vacant(term uint64) election.LeaderRecord {
	if term > 0 {
		r.ballot++
	}
	return election.LeaderRecord{Ballot: r.ballot, Term: term, Nonce: uuid.UUID{byte(term)}}
}

// reads is the answer that saw a leader record.
func (r *rig) reads(leader election.LeaderRecord) Answer {
	return Answer{Status: election.Status{Config: r.config, Leader: leader}}
}

// acts is the answer of a cycle.
func (r *rig) did(action election.Action, leader election.LeaderRecord) Answer {
	a := r.reads(leader)
	a.Action = action
	return a
}

// failing is the answer of an operation that failed.
func failing(err error) Answer { return Answer{Err: err} }

// candidate is a record of priority 5 that was registered at a place in the order.
func candidate(who election.Identity, place byte, changes ...func(*election.Candidate)) election.Candidate {
	c := election.Candidate{Registration: election.Registration{Identity: who, Priority: 5}, Heartbeats: 1}
	c.Versionstamp = subspace.Versionstamp{Transaction: [10]byte{9: place}}
	for _, change := range changes {
		change(&c)
	}
	return c
}

// join has the machine begin, register and list the candidates. It has not seen
// the seat yet.
func (r *rig) join(members ...election.Candidate) *rig {
	r.t.Helper()
	r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
	if len(members) == 0 {
		members = []election.Candidate{candidate(alice, 1)}
	}
	if r.answer(List, Answer{Members: members}); r.m.candidates.first.damaged { // it is not in the rank index
		r.answer(List, Answer{Members: members})
	}
	return r
}

// follow has the machine join, and see that another candidate leads.
func (r *rig) follow(leader election.LeaderRecord, members ...election.Candidate) *rig {
	r.t.Helper()
	return r.join(members...).answer(WatchTerm, r.reads(leader))
}

// elect has the machine lead, in term 1.
func (r *rig) elect() *rig {
	r.t.Helper()
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1)))
	require.Equal(r.t, StateLeader, r.m.State())
	return r.answer(WatchRequest, r.reads(r.standing(alice, 1)))
}

// renew answers the renewal that is under way.
func (r *rig) renew() *rig {
	r.t.Helper()
	op := r.op(ElectionCycle)
	return r.answer(ElectionCycle, r.issue(op, 1, r.config).did(election.Renewed, r.leader(alice, op.Token.Term)))
}

// issue tells of an attempt to renew, and that it was committed.
func (r *rig) issue(op Operation, attempt int, config fdbelection.Config) *rig {
	r.t.Helper()
	r.step(CommitStarting{Op: op.ID, Attempt: attempt, Start: r.now().Local, Lease: config.LeaseDuration, Config: config})
	return r.step(CommitDone{Op: op.ID, Attempt: attempt})
}

// intentOf is what a renewal finds that is asked of the leader.
func (r *rig) asked(intent election.Request, granted bool) Answer {
	a := r.did(election.Renewed, r.leader(alice, intent.Term))
	a.Status.Request, a.CanHandOver = intent, granted
	return a
}
