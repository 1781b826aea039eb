package machine

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// Member is a candidate, as this process has seen it.
type Member struct {
	election.Candidate
	// Since is when, on the local clock, this heartbeat was first seen.
	Since time.Time
}

// candidateList is what the machine knows of the candidates. A slice that is shared is
// never changed.
type candidateList struct {
	tried   bool // to list them
	members []Member
	listed  time.Time // when the last read of them began
	due     time.Time
	// complete says that members are all candidates. Else they are the first by rank, the
	// leader and this process.
	complete bool
	first    shortlist
}

// planChores plans to read the candidates: the process that evicts the dead lists all
// of them with each of their heartbeats, all others the first by rank, once per
// candidate timeout. A leader has the term record read as well: its renewals do not,
// and a watch may be lost.
func (m *Machine) planChores() {
	switch {
	case m.chore.busy() || !m.configured || m.leaving():
	case !m.now.Local.Before(m.candidates.due):
		op := Operation{Kind: List, Token: m.tenure.token, Limit: m.patience()}
		if !m.listsAll() {
			m.short(&op)
		}
		m.begin(&m.chore, op)
	default:
		m.at(m.candidates.due)
	}
}

// listed takes in the candidates. Since is kept for those who have not moved.
func (m *Machine) listed(op *Operation, a *Answer) {
	r := &m.candidates
	if a.Err == nil && m.misses(op, a) {
		r.first.broken, r.due = true, m.now.Local
		return
	}
	r.tried = true
	if a.Err != nil {
		m.reportFailure(List, a.Err)
	} else {
		m.reportedErrors[List] = ""
		m.sawMembers(op, a)
		m.checkTerm(&a.Status)
	}
	period := m.config.CandidateTimeout
	evicts := m.evicts()
	if evicts {
		period /= 3
	}
	r.due = m.now.Local.Add(period - time.Duration(m.chance(m.nextOp)*float64(period)/10))
	if a.Err == nil && !r.complete && m.listsAll() { // it has just found out that it has to
		r.due = m.now.Local
	}
	if dead := m.dead(); a.Err == nil && evicts && len(dead) > 0 {
		m.begin(&m.chore, Operation{Kind: Evict, Members: dead, Limit: m.patience()})
	}
}

func (m *Machine) sawMembers(op *Operation, a *Answer) {
	r := &m.candidates
	r.members, r.listed, r.complete = merge(r.members, a.Members, a.Seen), a.Start, op.First == 0
	m.sawRank(op, a)
	if c := r.find(m.leader.leader.Identity); c != nil {
		m.knowRecord(&c.Candidate)
	}
}

// merge returns candidates as members that were seen at an instant. Those that have not
// moved since they were seen before keep their Since.
func merge(known []Member, candidates []election.Candidate, seen time.Time) []Member {
	before := make(map[election.Identity]*Member, len(known))
	for i := range known {
		before[known[i].Identity] = &known[i]
	}
	members := make([]Member, len(candidates))
	for i, c := range candidates {
		members[i] = Member{c, seen}
		if old := before[c.Identity]; old != nil && old.Heartbeats == c.Heartbeats && old.Versionstamp == c.Versionstamp {
			members[i].Since = old.Since
		}
	}
	return members
}

// evicts reports whether this process removes dead candidates, for which it lists all:
// the leader does, and while there is none the first live voter by rank.
func (m *Machine) evicts() bool {
	if m.leads() {
		return true
	}
	return m.votes() && !m.holds() && m.leader.looked && m.leaderless() && m.foremost()
}

func (r *candidateList) find(who election.Identity) *Member {
	i := slices.IndexFunc(r.members, func(m Member) bool { return m.Identity == who })
	if i < 0 {
		return nil
	}
	return &r.members[i]
}

// timedOut reports whether a candidate was seen not to move for the candidate
// timeout: from the read that saw its heartbeat first to the last one.
func (m *Machine) timedOut(c *Member) bool {
	return m.candidates.listed.Sub(c.Since) >= m.config.CandidateTimeout
}

// dead returns the candidates to evict. The holder of the seat is never one of them,
// as its record has to outlive its lease.
func (m *Machine) dead() []election.Candidate {
	var dead []election.Candidate
	for i := range m.candidates.members {
		c := &m.candidates.members[i]
		if c.Identity == m.me.Identity || m.leader.leader.HeldBy(c.Identity) || !m.timedOut(c) || len(dead) == election.MaxEvictions {
			continue
		}
		dead = append(dead, c.Candidate)
	}
	return dead
}

// evicted takes in who was removed.
func (m *Machine) evicted(a *Answer) {
	if a.Err != nil {
		m.reportFailure(Evict, a.Err)
		return
	}
	m.reportedErrors[Evict] = ""
	if len(a.Evicted) == 0 {
		return
	}
	m.candidates.members = slices.DeleteFunc(slices.Clone(m.candidates.members), func(c Member) bool {
		return m.timedOut(&c) && slices.Contains(a.Evicted, c.ID)
	})
	m.do(Evicted{IDs: a.Evicted})
}

// foremost reports whether this candidate goes first at an open seat.
func (m *Machine) foremost() bool { return m.ahead() == 0 && !m.outside() }

// ahead counts the listed candidates that go first at an open seat: the voters of a
// higher rank that are alive. The last leader goes last.
func (m *Machine) ahead() int {
	own := m.candidates.find(m.me.Identity)
	last := m.leader.last == m.me.Identity
	ahead := 0
	for i := range m.candidates.members {
		c := &m.candidates.members[i]
		switch {
		case c.ID == m.me.ID, c.Role != election.Voter, m.timedOut(c), c.Identity == m.leader.last:
		case last, c.Priority > m.me.Priority:
			ahead++
		case c.Priority == m.me.Priority && (own == nil || ranksBefore(rankOf(&c.Candidate), rankOf(&own.Candidate))):
			ahead++
		}
	}
	return ahead
}
