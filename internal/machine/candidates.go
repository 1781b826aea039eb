package machine

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// Member is a candidate as this process has seen it.
type Member struct {
	election.Candidate
	// Since is when this heartbeat was first seen, on the local clock.
	Since time.Time
}

// candidateList is what the process knows of the candidates. A slice that copies share
// is never changed in place.
type candidateList struct {
	tried   bool // an attempt to list has ended
	members []Member
	listed  time.Time // when the read that found them began
	due     time.Time // when they are listed again
	// complete says that members are all candidates. Otherwise they are the shortlist,
	// the leader and this process.
	complete bool
	first    shortlist
	// armedAt is when the watch of the candidates notice was last armed. A list that began
	// before may be older than what was read with the watch.
	armedAt time.Time
	// reported are the members of the last report, if any was made.
	reported []Member
}

// planListing lists the candidates. The process that evicts lists all of them with each
// of their heartbeats. All others list the shortlist once per candidate timeout. A list
// reads the term record as well, because a renewal does not and a watch may be lost.
func (m *Machine) planListing() {
	switch {
	case m.operations.listing.busy() || !m.config.read || m.life.leaving():
	case !m.now.Local.Before(m.candidates.due):
		op := Operation{Kind: List, Token: m.tenure.token, Limit: m.operationLimit()}
		if !m.listsAll() {
			m.limitToShortlist(&op)
		}
		m.begin(&m.operations.listing, op)
	default:
		m.wakeAt(m.candidates.due)
	}
}

func (m *Machine) answeredList(op *Operation, a *Answer) {
	c := &m.candidates
	if a.Err == nil && m.missingFromIndex(op, a) {
		c.first.damaged, c.due = true, m.now.Local
		return
	}
	c.tried = true
	if a.Err != nil {
		m.reportFailure(List, a.Err)
	} else {
		m.store.failures[List] = ""
		if c.armedAt.Before(a.Start) || c.armedAt.IsZero() {
			m.sawCandidates(op, a)
		}
		m.checkTermRecord(&a.Status)
		m.drainUnready()
	}
	period := m.config.CandidateTimeout
	evicts := m.evicts()
	if evicts {
		period /= 3
	}
	c.due = m.now.Local.Add(period - time.Duration(m.chance(m.operations.lastID)*float64(period)/10))
	if a.Err == nil && !c.complete && m.listsAll() { // this list has shown that all are needed
		c.due = m.now.Local
	}
	if a.Err == nil && evicts {
		m.startEviction()
	}
}

func (m *Machine) sawCandidates(op *Operation, a *Answer) {
	c := &m.candidates
	c.members, c.listed, c.complete = mergeMembers(c.members, a.Members, a.Seen), a.Start, op.First == 0
	m.sawRanks(op, a)
	if leader := c.find(m.leader.record.Identity); leader != nil {
		m.sawLeaderCandidate(&leader.Candidate, a.Start)
	}
	if m.settings.FollowCandidates && (c.reported == nil || !slices.EqualFunc(c.members, c.reported, sameRegistration)) {
		c.reported = c.members
		m.do(CandidatesChanged{})
	}
}

// sameRegistration reports whether two members differ in their heartbeats at most.
func sameRegistration(a, b Member) bool {
	return a.Versionstamp == b.Versionstamp && a.Registration.Equal(&b.Registration)
}

// mergeMembers returns the candidates of a list that was read at seen. Those whose
// heartbeat has not changed keep their Since.
func mergeMembers(known []Member, candidates []election.Candidate, seen time.Time) []Member {
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

func (l *candidateList) find(who election.Identity) *Member {
	i := slices.IndexFunc(l.members, func(m Member) bool { return m.Identity == who })
	if i < 0 {
		return nil
	}
	return &l.members[i]
}

// timedOut reports whether no heartbeat of a candidate was seen for the candidate
// timeout: from after the read that found its heartbeat first to before the last read.
func (m *Machine) timedOut(c *Member) bool {
	return m.candidates.listed.Sub(c.Since) >= m.config.CandidateTimeout
}
