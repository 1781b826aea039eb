package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// leaderView is what the machine knows of the seat, from what it has read or written.
type leaderView struct {
	leader election.LeaderRecord
	looked bool      // it has been seen at all
	readAt time.Time // when that was taken in: what began to read later is not older
	// last held the seat before, where it is vacant.
	last election.Identity
	// record is the candidate record of the leader, where it is known.
	record *election.Candidate
	of     election.Token // whose record that is
	// seen is since when, as a base of observation.
	seen election.Observation
}

// sawState takes in a whole reading of the seat.
func (m *Machine) sawState(op *Operation, a *Answer) {
	m.adopt(a)
	if m.missesTenures(op, a) {
		m.readNow = true
		return
	}
	m.sawLeader(a)
	if m.leader.leader.Vacant() && a.Status.Leader.Vacant() {
		m.leader.last = a.Status.Term.Identity
	}
	m.sawIntent(a)
	if m.leads() && m.requestStands(&a.Status.Request) {
		m.renewNow = true // which obeys it
	}
	m.checkTerm(&a.Status)
	m.passedOver(a.Status.Unreadable)
}

// checkTerm ends the tenure at once if the leader record names it and the term
// record does not: that was removed, or cannot be read. The fence refuses this
// tenure, and nothing but a new one mends the record.
func (m *Machine) checkTerm(state *election.Status) {
	told := state.Leader.Token() == m.tenure.token
	if m.holds() && told && (state.Term.Token != m.tenure.token || !state.Term.Held) {
		m.lose()
	}
}

// electionGone takes in that the election is not there, although it was: all of its
// records may be gone. A leader by them ends its tenure at once, and this process
// neither makes the election again nor claims in it before one lease has passed.
func (m *Machine) electionGone(a *Answer) {
	m.registered = false
	m.leader.seen = m.leader.seen.Lost(latest(a.Seen, m.now.Local))
	if m.holds() {
		m.lose()
	}
}

// reopens is when this process may begin again after it has seen the election, or
// its leader record, disappear: the leader by that record may believe for another lease.
func (m *Machine) reopens() time.Time {
	seen := &m.leader.seen
	if seen.LostAt.IsZero() {
		return time.Time{}
	}
	return seen.LostAt.Add(max(seen.Lease, m.config.LeaseDuration))
}

// missesTenures reports whether a reading passes over tenures and cannot name them: it
// began before anything was known, and another one was quicker.
func (m *Machine) missesTenures(op *Operation, a *Answer) bool {
	return m.leader.looked && !op.LeaderKnown && Passed(a.Status.Leader) > m.leader.leader.Term
}

// Passed returns the newest term that has passed: where nobody leads, the last
// one has.
func Passed(leader election.LeaderRecord) uint64 {
	if leader.Vacant() || leader.Term == 0 {
		return leader.Term
	}
	return leader.Term - 1
}

// outdated reports whether a reading is older than what is known. Operations that
// run beside each other answer in any order. A lower ballot whose read began after
// the higher one was known is of a database that was restored.
func (m *Machine) outdated(a *Answer) bool {
	return m.leader.looked && a.Status.Leader.Ballot < m.leader.leader.Ballot && !a.Start.After(m.leader.readAt)
}

// sawLeader takes in a reading of the leader record, if it is not outdated.
func (m *Machine) sawLeader(a *Answer) {
	s, leader := &m.leader, a.Status.Leader
	if m.outdated(a) {
		// Of another tenure it is older than the own one, or of records that were removed.
		m.readNow = m.readNow || m.holds() && leader.Token() != m.tenure.token
		return
	}
	before, first := s.leader, !s.looked
	if first || leader.Token() != before.Token() || leader.Vacant() != before.Vacant() {
		m.claimAt, m.renewAt = time.Time{}, time.Time{} // what there is to do about it need not wait
	}
	if leader.Ballot != before.Ballot {
		m.claimDelay = claimDelay{}
	}
	if !first && leader.Term != before.Term && m.candidates.tried && !leader.HeldBy(m.me.Identity) { // who goes next time has changed too
		soon := time.Duration(m.chance(leader.Term) * float64(m.config.HeartbeatInterval))
		m.candidates.due = earliest(m.candidates.due, m.now.Local.Add(soon))
	}
	if !leader.Vacant() {
		s.last = leader.Identity
	}
	m.termChanged = false
	s.leader, s.looked, s.readAt = leader, true, m.now.Local
	s.seen = s.seen.Next(leader, a.Seen)
	m.know(a)
	if m.dates() {
		m.poll.saw(&leader, a.Seen, m.config.HeartbeatInterval)
	} else {
		m.poll.idle(leader.Ballot, a.Seen, m.config.HeartbeatInterval)
	}
	if first || leader.Token() != before.Token() || leader.Vacant() != before.Vacant() || leader.Accepted != before.Accepted {
		for _, missed := range a.Missed {
			if missed.Term > before.Term { // else another operation has told of it meanwhile
				m.do(LeaderChanged{Leader: missed})
			}
		}
		m.do(LeaderChanged{Leader: leader})
	}
	m.checkLeadership()
}

// know keeps the candidate record of the leader.
func (m *Machine) know(a *Answer) {
	s := &m.leader
	token := s.leader.Token()
	switch {
	case s.leader.HeldBy(m.me.Identity):
		s.record, s.of = nil, token // it is the own one
	case a.Candidate != nil && a.Candidate.Identity == s.leader.Identity:
		s.record, s.of = a.Candidate, token
	case s.of != token:
		s.record, s.of = nil, election.Token{}
	}
}

// knowRecord keeps what is newer of the leader's record.
func (m *Machine) knowRecord(c *election.Candidate) {
	s := &m.leader
	if c.Identity != m.me.Identity && (s.record == nil || s.record.Heartbeats < c.Heartbeats) {
		s.record, s.of = c, s.leader.Token()
	}
}

// known is the tenure of which an operation need not read the holder's record.
func (m *Machine) known() election.Token {
	if m.leader.record == nil && !m.leader.leader.HeldBy(m.me.Identity) && !m.leader.leader.Vacant() {
		return election.Token{Term: m.leader.leader.Term} // but which terms were missed
	}
	return m.leader.leader.Token()
}

// checkLeadership ends the tenure at once where the seat was seen to be another's, or
// nobody's. Nothing is concluded about an older tenure from a record of its own.
func (m *Machine) checkLeadership() {
	if m.holds() && m.leader.leader.Token() != m.tenure.token {
		m.lose()
	}
}

// adopt takes over the config that was read with the seat, if it is not older
// than the one that is known.
func (m *Machine) adopt(a *Answer) {
	config := a.Status.Config
	switch {
	case config.LeaseDuration == 0, m.configured && config == m.config:
		return // an answer without one, or nothing new
	case m.configured && config.Revision < m.config.Revision && a.Start.Before(m.configAt):
		return
	}
	first := !m.configured
	m.config, m.configured, m.configAt = config, true, m.now.Local
	if first {
		m.term.due = time.Time{} // there was nothing to watch before
	} else {
		m.heartbeatAt = earliest(m.heartbeatAt, m.now.Local.Add(config.CandidateTimeout/3))
		m.candidates.due = earliest(m.candidates.due, m.now.Local.Add(config.CandidateTimeout))
		m.renewNow = m.renewNow || m.leads()
	}
	m.do(ConfigChanged{Config: config})
}

// leaderless reports whether nobody leads, as far as this process can tell.
func (m *Machine) leaderless() bool {
	leader := &m.leader.leader
	switch {
	case !m.leader.looked, leader.Vacant(), leader.HeldBy(m.me.Identity):
		return true
	case m.byClock():
		return leader.ExpiredAt(m.now.Wall)
	default:
		return m.leader.seen.LeaseExpired(*leader, m.now.Local)
	}
}

// byClock reports whether the leader record says when its lease ends.
func (m *Machine) byClock() bool {
	return m.config.Expiry == fdbelection.ExpiryByClock && !m.leader.leader.Lost()
}

// leaseEnd is when the lease of the leader is over, as this process may judge
// it, on the local clock.
func (m *Machine) leaseEnd() time.Time {
	if m.byClock() {
		return m.now.Local.Add(m.leader.leader.LeaseExpiry.Sub(m.now.Wall))
	}
	return m.leader.seen.LeaseEnd(m.leader.leader)
}

// dates reports whether the machine has to know how old a ballot is.
func (m *Machine) dates() bool {
	return m.aim == Campaign && m.me.Role == election.Voter && !m.leader.leader.Vacant() &&
		!m.holds() && m.config.ElectionEnabled && m.config.Expiry == fdbelection.ExpiryByObservation
}
