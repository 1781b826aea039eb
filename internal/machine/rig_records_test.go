package machine

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/subspace"
)

// leader returns a leader record of the next ballot, renewed now.
func (r *rig) leader(who election.Identity, term uint64) election.LeaderRecord {
	r.ballot++
	return r.standing(who, term)
}

// standing returns a leader record of the last ballot.
func (r *rig) standing(who election.Identity, term uint64) election.LeaderRecord {
	r.ballot = max(r.ballot, term)
	return election.LeaderRecord{
		Ballot: r.ballot, Term: term, Identity: who, Priority: 5, Accepted: true, Nonce: uuid.UUID{byte(term)},
		LeaseDuration: r.config.LeaseDuration, LeaseExpiry: r.now().Wall.Add(r.config.LeaseDuration), AcquiredAt: r.now().Wall,
	}
}

// vacant returns a leader record without a holder, after a term.
func (r *rig) vacant(term uint64) election.LeaderRecord {
	if term > 0 {
		r.ballot++
	}
	return election.LeaderRecord{Ballot: r.ballot, Term: term, Nonce: uuid.UUID{byte(term)}}
}

// reads returns the answer of an operation that saw a leader record.
func (r *rig) reads(leader election.LeaderRecord) Answer {
	return Answer{Status: election.Status{Config: r.config, Leader: leader}}
}

// did returns the answer of a cycle.
func (r *rig) did(action election.Action, leader election.LeaderRecord) Answer {
	a := r.reads(leader)
	a.Action = action
	return a
}

// failing returns the answer of an operation that failed.
func failing(err error) Answer { return Answer{Err: err} }

// candidate returns a record of priority 5. place is the order of registration.
func candidate(who election.Identity, place byte, changes ...func(*election.Candidate)) election.Candidate {
	c := election.Candidate{Registration: election.Registration{Identity: who, Priority: 5}, Heartbeats: 1}
	c.Versionstamp = subspace.Versionstamp{Transaction: [10]byte{9: place}}
	c.ReadySince = c.Versionstamp
	for _, change := range changes {
		change(&c)
	}
	return c
}

// join starts the machine, registers and lists the candidates. The leader is not known yet.
func (r *rig) join(members ...election.Candidate) *rig {
	r.t.Helper()
	r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
	if len(members) == 0 {
		members = []election.Candidate{candidate(alice, 1)}
	}
	if r.answer(List, Answer{Members: members}); r.m.candidates.first.damaged { // alice is not in the rank index
		r.answer(List, Answer{Members: members})
	}
	return r
}

// follow joins and shows the machine a leader record.
func (r *rig) follow(leader election.LeaderRecord, members ...election.Candidate) *rig {
	r.t.Helper()
	return r.join(members...).answer(WatchTerm, r.reads(leader))
}

// elect makes the machine lead in term 1.
func (r *rig) elect() *rig {
	r.t.Helper()
	r.follow(r.vacant(0)).answer(ElectionCycle, r.did(election.Claimed, r.leader(alice, 1)))
	require.Equal(r.t, StateLeader, r.m.State())
	return r.answer(WatchRequest, r.reads(r.standing(alice, 1)))
}

// renew answers the running renewal.
func (r *rig) renew() *rig {
	r.t.Helper()
	op := r.op(ElectionCycle)
	return r.answer(ElectionCycle, r.commits(op, 1, r.config).did(election.Renewed, r.leader(alice, op.Token.Term)))
}

// commits reports an attempt to renew, and that it was committed.
func (r *rig) commits(op Operation, attempt int, config fdbelection.Config) *rig {
	r.t.Helper()
	r.step(CommitStarting{Op: op.ID, Attempt: attempt, Start: r.now().Local, Lease: config.LeaseDuration, Config: config})
	return r.step(CommitDone{Op: op.ID, Attempt: attempt})
}

// requested returns the answer of a renewal that found a request.
func (r *rig) requested(request election.Request, canHandOver bool) Answer {
	a := r.did(election.Renewed, r.leader(alice, request.Term))
	a.Status.Request, a.CanHandOver = request, canHandOver
	return a
}
