package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// View is what a machine knows, for others to read.
type View struct {
	State State
	// Me is the candidate as it stands, or will with the next heartbeat.
	Me election.Registration
	// Config is the one that stands, or by which it is to be made.
	Config fdbelection.Config
	// Leader is the leader record, and Leaderless whether nobody leads by it as
	// far as this process can tell.
	Leader     election.LeaderRecord
	Leaderless bool
	// LeaseEnd is when, on the local clock, the lease of another leader is over as
	// far as this process can tell.
	LeaseEnd time.Time
	// Record is the candidate record of the leader, where it is known.
	Record *election.Candidate
	// Members are the candidates as they were listed last; Listed is when. Unless Whole,
	// they are the first by rank, the leader and this process.
	Members  []Member
	Listed   time.Time
	Complete bool
	// Failures counts the tenures in a row whose work failed. HoldOff is until when,
	// on the local clock, this process claims and challenges nothing, after failed work
	// or a request to resign; zero, or in the past: it does not hold off.
	Failures int
	HoldOff  time.Time
	// StoreError says what is wrong at present, or nothing.
	StoreError string
}

// View returns what the machine knew at the end of its last step.
func (m *Machine) View() View {
	v := View{
		State: m.told, Me: m.me, Config: m.config,
		Leader: m.leader.leader, Leaderless: m.leaderless() && !m.leads(), Record: m.leader.record,
		Members: m.candidates.members, Listed: m.candidates.listed, Complete: m.candidates.complete, StoreError: m.storeError,
		Failures: m.failures, HoldOff: m.holdOff,
	}
	if m.healthy() {
		v.Failures = 0
	}
	if m.leader.looked && !m.leader.leader.Vacant() && !m.leader.leader.HeldBy(m.me.Identity) {
		v.LeaseEnd = m.leaseEnd()
	}
	return v
}

// TenureDeadlines is how far the tenure of a term may be believed in: until Stop the
// process leads, and until End its work may use what is left of the lease. Both
// are zero once it is over.
type TenureDeadlines struct {
	Term      uint64
	Stop, End time.Time
}

// Deadlines returns that of the present tenure. Its Term is zero where there is
// none, or none whose work has not returned.
func (m *Machine) Deadlines() TenureDeadlines {
	b := TenureDeadlines{Term: m.tenure.token.Term}
	h := m.tenure.deadlines()
	switch m.tenure.stage {
	case leading:
		b.Stop, b.End = h.Stop, h.End
	case draining:
		b.End = h.End
	case none, over:
	}
	return b
}

// Holds reports whether the process may hold the seat of a tenure of its own:
// its work has not returned, or the seat is still to be given up, by a hand-over
// or by leaving.
func (m *Machine) Holds() bool {
	return m.holds() || m.handover.pending() || m.phase == departing && m.present
}

// TimedOut reports whether a candidate was seen not to move for the candidate
// timeout.
func (v *View) TimedOut(c *Member) bool { return v.Listed.Sub(c.Since) >= v.Config.CandidateTimeout }

// Relist makes the members all candidates, as a read found them that began at listed
// and returned before seen. Since is kept for those that have not moved.
func (v *View) Relist(all []election.Candidate, listed, seen time.Time) {
	v.Members, v.Listed, v.Complete = merge(v.Members, all, seen), listed, true
}
