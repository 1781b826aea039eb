package election

import (
	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// A notice is a key that processes watch instead of the records that it stands for. Each
// write gives it a value that it has not had before, so that a watch cannot miss it. No code
// reads the value. It is set without a read, so two writers of a notice do not conflict, and
// neither does work that is fenced by the term record.
//
//   - The leader notice changes with the term record, with the acceptance of a hand-over, and
//     with the registration of the holder, except with its readiness.
//   - The candidates notice changes with the set of candidates and with each registration.
//
// Renewals and heartbeats that change nothing else write no notice, so the watches stay
// asleep.

// writeTerm writes the term record and the leader notice. Every writer of the term record
// calls it. nonce and ballot make the value of the notice unique.
func (e *LeaderElection) writeTerm(tr kv.Transaction, term TermRecord, nonce uuid.UUID) {
	tr.Set(e.keys.term, term.encode())
	tr.Set(e.keys.leaderNotice, notice(nonce, term.Ballot))
}

// noteAcceptance writes the leader notice after the renewal that accepts a hand-over.
func (e *LeaderElection) noteAcceptance(tr kv.Transaction, accepted *LeaderRecord) {
	tr.Set(e.keys.leaderNotice, notice(accepted.Nonce, accepted.Ballot))
}

// noteRegistration writes the candidates notice if a heartbeat after own writes another
// registration than own has, or if own is nil. If the candidate holds leadership, it also
// writes the leader notice, unless only its readiness has changed: no follower
// needs that, and the reason may change with each heartbeat.
func (e *LeaderElection) noteRegistration(tr kv.Transaction, v *view, own, next *Candidate) {
	if own != nil && own.Registration.Equal(&next.Registration) {
		return
	}
	value := registrationNotice(next)
	tr.Set(e.keys.candidatesNotice, value)
	told := next.Registration
	if own != nil {
		told.NotReady = own.NotReady
	}
	if v.leader.HeldBy(next.Identity) && (own == nil || !own.Registration.Equal(&told)) {
		tr.Set(e.keys.leaderNotice, value)
	}
}

// noteRemoval writes the candidates notice after a candidate was removed, alone or as the
// last of several.
func (e *LeaderElection) noteRemoval(tr kv.Transaction, c *Candidate) {
	tr.Set(e.keys.candidatesNotice, subspace.AppendBool(registrationNotice(c), true))
}

// registrationNotice returns the value of a notice of a registration. It has the time,
// because a candidate whose record was removed counts its heartbeats from one again.
func registrationNotice(c *Candidate) []byte {
	return record.AppendTime(notice(c.Incarnation, c.Heartbeats), c.LastHeartbeat)
}

// notice returns the value of a notice.
func notice(by uuid.UUID, count uint64) []byte {
	return subspace.AppendUint(subspace.AppendUUID(record.New(48), by), count)
}
