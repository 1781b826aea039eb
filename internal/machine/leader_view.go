package machine

import (
	"cmp"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// leaderView is what the process knows of the leadership, from its own reads and writes.
type leaderView struct {
	record election.LeaderRecord
	known  bool      // it was read at least once
	readAt time.Time // when the record was taken from an answer, on the local clock
	// last is the holder, or the last holder if leadership is vacant.
	last election.Identity
	// candidate is the candidate record of the leader if it is known, and candidateOf
	// the tenure for which it was read.
	candidate   *election.Candidate
	candidateOf election.Token
	candidateAt time.Time // when it was taken from an answer, on the local clock
	// reported are the metadata of the leader as the last LeaderChanged reported them.
	reported map[string]string
	// observation says since when the record has been seen as it is.
	observation election.Observation
	// freshness says how old the newest write of the record can be.
	freshness election.Freshness
}

// sawStatus handles a complete reading of the leadership.
func (m *Machine) sawStatus(op *Operation, a *Answer) {
	m.adoptConfig(a)
	if m.leader.skipsTenures(op, a) {
		m.poll.readNow = true
		return
	}
	m.sawLeader(a)
	if m.leader.record.Vacant() && a.Status.Leader.Vacant() {
		m.leader.last = a.Status.Term.Identity
	}
	m.request.saw(&a.Status.Request, m.now.Local)
	if m.tenure.leads() && m.requestStands(&a.Status.Request) {
		m.renewal.now = true // the renewal drains for it
	}
	m.checkTermRecord(&a.Status)
	m.reportUnreadable(a.Status.Unreadable)
}

// sawLeader handles a reading of the leader record, unless it is outdated.
func (m *Machine) sawLeader(a *Answer) {
	v, leader := &m.leader, a.Status.Leader
	if v.outdated(a) {
		// A record of another tenure is from before this tenure, or was written after all
		// records were removed.
		m.poll.readNow = m.poll.readNow || m.tenure.exists() && leader.Token() != m.tenure.token
		m.sawLeaderCandidate(a.Candidate, a.Start)
		return
	}
	before, first := v.record, !v.known
	newTenure := first || leader.Token() != before.Token() || leader.Vacant() != before.Vacant()
	if newTenure { // act on it without the delays that were set before
		m.claim.retryAt, m.renewal.at = time.Time{}, time.Time{}
	}
	if leader.Ballot != before.Ballot {
		m.claim.delay = claimDelay{}
		m.claim.headStart.sawBallot(before.Ballot, leader.Ballot, m.now.Local)
	}
	if !first && leader.Term != before.Term && m.candidates.tried && !leader.HeldBy(m.me.Identity) {
		// The last leader may have left: find out who is next in rank.
		soon := time.Duration(m.chance(leader.Term) * float64(m.config.HeartbeatInterval))
		m.candidates.due = clock.Earliest(m.candidates.due, m.now.Local.Add(soon))
	}
	if !leader.Vacant() {
		v.last = leader.Identity
	}
	m.claim.termChanged = false
	v.record, v.known, v.readAt = leader, true, m.now.Local
	v.observation = v.observation.Next(leader, a.Seen)
	v.freshness = v.freshness.Next(leader, a.Start)
	v.forgetCandidate(m.me.Identity)
	v.takeCandidate(m.me.Identity, a.Candidate, a.Start, m.now.Local)
	if m.datesBallots() {
		m.poll.saw(&leader, a.Seen, m.config.HeartbeatInterval)
	} else {
		m.poll.idle(leader.Ballot, a.Seen, m.config.HeartbeatInterval)
	}
	if newTenure || leader.Accepted != before.Accepted {
		for _, missed := range a.Missed {
			if missed.Term > before.Term { // otherwise another answer has reported it
				m.do(LeaderChanged{Leader: missed})
			}
		}
		m.do(LeaderChanged{Leader: leader})
		v.reported = m.leaderMetadata()
	} else {
		m.reportMetadata()
	}
	m.checkLeadership()
}

// sawLeaderCandidate handles a candidate record, which may be that of the leader. start is
// when the read began.
func (m *Machine) sawLeaderCandidate(c *election.Candidate, start time.Time) {
	if m.leader.takeCandidate(m.me.Identity, c, start, m.now.Local) {
		m.reportMetadata()
	}
}

// leaderMetadata are the metadata of the leader, or nil if they are not known.
func (m *Machine) leaderMetadata() map[string]string {
	v := &m.leader
	switch {
	case v.record.HeldBy(m.me.Identity):
		return m.me.Metadata
	case v.candidate == nil || v.record.Vacant():
		return nil
	}
	return v.candidate.Metadata
}

// reportMetadata reports the leader again if its metadata differ from the reported ones.
// Metadata of this process count once they are committed.
func (m *Machine) reportMetadata() {
	v := &m.leader
	if v.record.HeldBy(m.me.Identity) && !maps.Equal(m.me.written, m.me.Metadata) {
		return
	}
	if metadata := m.leaderMetadata(); !v.record.Vacant() && !maps.Equal(metadata, v.reported) {
		m.do(LeaderChanged{Leader: v.record, Metadata: true})
		v.reported = metadata
	}
}

// checkLeadership ends the tenure at once if the leader record does not name it.
// sawLeader calls it only with a record that is not outdated.
func (m *Machine) checkLeadership() {
	if m.tenure.exists() && m.leader.record.Token() != m.tenure.token {
		m.loseLeadership()
	}
}

// checkTermRecord ends the tenure at once if the leader record names it and the term
// record does not: the term record was removed or cannot be read. The fence refuses this
// tenure, and only a new tenure writes the term record again.
func (m *Machine) checkTermRecord(status *election.Status) {
	current := status.Leader.Token() == m.tenure.token
	if m.tenure.exists() && current && (status.Term.Token != m.tenure.token || !status.Term.Held) {
		m.loseLeadership()
	}
}

// electionMissing handles that the election does not exist. If it existed, all its
// records may be gone. A leader ends its tenure at once. The process does not create the
// election again and does not claim before one lease has passed.
func (m *Machine) electionMissing(a *Answer) {
	m.me.registered = false
	m.leader.observation = m.leader.observation.NextLost(clock.Latest(a.Seen, m.now.Local))
	if m.tenure.exists() {
		m.loseLeadership()
	}
}

// sawBallot handles that an answer shows a ballot, even if it is not used otherwise: it is older
// than what is known, its operation was cancelled, or it is a list. If the election was gone, it
// exists again, or it is an answer from before. In both cases this process has seen a ballot, and
// has to wait for a lease if the election is gone at the next read.
func (v *leaderView) sawBallot(a *Answer) {
	if a.Err == nil && a.Status.Leader.Ballot > 0 && v.observation.Ballot == 0 && !v.observation.LostAt.IsZero() {
		v.observation = v.observation.Next(a.Status.Leader, a.Seen)
	}
}

// waitAfterLoss is when this process may create the election or claim again after it
// saw the election or the leader record disappear. Until then the leader of the lost
// records may still lead. It is zero if nothing was lost.
func (v *leaderView) waitAfterLoss(config *knownConfig) time.Time {
	seen := &v.observation
	if seen.LostAt.IsZero() {
		return time.Time{}
	}
	return seen.LostAt.Add(max(seen.Lease, config.LeaseDuration))
}

// skipsTenures reports whether a reading passes over tenures that it cannot name. Its
// operation began before the leadership was known, so it did not ask for them, and
// another operation was quicker.
func (v *leaderView) skipsTenures(op *Operation, a *Answer) bool {
	return v.known && !op.LeaderKnown && Passed(a.Status.Leader) > v.record.Term
}

// Passed returns the newest term that has ended.
func Passed(leader election.LeaderRecord) uint64 {
	if leader.Vacant() || leader.Term == 0 {
		return leader.Term
	}
	return leader.Term - 1
}

// outdated reports whether a reading is older than what is known. Concurrent operations
// are answered in any order. A lower ballot whose read began after the higher one was
// known is newer: the database was restored.
func (v *leaderView) outdated(a *Answer) bool {
	return v.known && a.Status.Leader.Ballot < v.record.Ballot && !a.Start.After(v.readAt)
}

// forgetCandidate forgets the candidate record of a leader before this one.
func (v *leaderView) forgetCandidate(me election.Identity) {
	token := v.record.Token()
	switch {
	case v.record.HeldBy(me): // it is this process's own record
		v.candidate, v.candidateOf = nil, token
	case v.candidateOf != token:
		v.candidate, v.candidateOf = nil, election.Token{}
	}
}

// takeCandidate takes a candidate record from a read that began at start, and reports
// whether it did. It ignores nil, records of other candidates than the leader and of this
// process, and the older record of a concurrent read. A lower heartbeat counter in a read
// that began after the known record was taken is newer: the database was restored.
func (v *leaderView) takeCandidate(me election.Identity, c *election.Candidate, start, now time.Time) bool {
	if c == nil || c.Identity == me || !v.record.HeldBy(c.Identity) {
		return false
	}
	if known := v.candidate; known != nil && known.Identity == c.Identity && !start.After(v.candidateAt) &&
		cmp.Or(c.Versionstamp.Compare(known.Versionstamp), cmp.Compare(c.Heartbeats, known.Heartbeats)) < 0 {
		return false
	}
	v.candidate, v.candidateOf, v.candidateAt = c, v.record.Token(), now
	return true
}

// knownTenure is the tenure whose holder need not be read again. If its candidate record
// is missing the token has only the term: it still says from which term on tenures were
// missed.
func (v *leaderView) knownTenure(me election.Identity) election.Token {
	if v.candidate == nil && !v.record.HeldBy(me) && !v.record.Vacant() {
		return election.Token{Term: v.record.Term}
	}
	return v.record.Token()
}
