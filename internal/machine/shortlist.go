package machine

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/election"
)

// defaultShortlist is how many voters are on the shortlist. They claim a vacant
// leadership in the order of their rank, one after the other. All other voters wait
// until these had the time to claim, see outsideDelay.
const defaultShortlist = 8

// shortlist is what the process knows of the first voters by rank.
type shortlist struct {
	entries []election.RankEntry
	// more says that there may be voters after these that are not listed.
	more bool
	// allDead says that the shortlist is full and all its voters have timed out.
	allDead bool
	// damaged says that the rank index has no entry of this voter.
	damaged bool
}

// listsAll reports whether the next list is of all candidates. The process that evicts needs
// all, and so does one that follows them. While there is no leader and the shortlist is dead,
// each voter lists all to find out whether it is the one that evicts. If the rank index is
// damaged there is no shortlist.
func (m *Machine) listsAll() bool {
	first := &m.candidates.first
	return m.settings.FollowCandidates || m.tenure.exists() || m.evicts() || m.me.ranked() && (first.damaged || first.allDead && m.leaderless())
}

// limitToShortlist makes op a list of the shortlist, the leader and this process. The
// records of the last shortlist are read together with the rank index.
func (m *Machine) limitToShortlist(op *Operation) {
	op.First = m.settings.Shortlist
	if m.me.registered {
		op.Also = append(op.Also, m.me.ID)
	}
	if leader := &m.leader.record; !leader.Vacant() {
		op.Also = append(op.Also, leader.ID)
	}
	for i := range m.candidates.first.entries {
		op.Also = append(op.Also, m.candidates.first.entries[i].ID)
	}
}

// missingFromIndex reports whether the whole rank index was read and has no entry of
// this voter. Then the index is damaged and does not show the rank.
func (m *Machine) missingFromIndex(op *Operation, a *Answer) bool {
	if op.First == 0 || len(a.Ranked) >= op.First || !m.me.ranked() || !m.me.indexed {
		return false
	}
	return !slices.ContainsFunc(a.Ranked, func(e election.RankEntry) bool { return e.ID == m.me.ID })
}

// sawRanks updates the shortlist from the rank index, or from a list of all candidates.
func (m *Machine) sawRanks(op *Operation, a *Answer) {
	first := shortlist{entries: a.Ranked, more: op.First > 0 && len(a.Ranked) >= op.First}
	if op.First == 0 {
		for i := range a.Members {
			if c := &a.Members[i]; c.Role == election.Voter && c.Ready() && len(first.entries) < m.settings.Shortlist {
				first.entries = append(first.entries, rankOf(c))
			}
		}
	}
	alive := func(c Member) bool {
		return !m.timedOut(&c) && slices.Contains(first.entries, rankOf(&c.Candidate))
	}
	first.allDead = len(first.entries) >= m.settings.Shortlist && !slices.ContainsFunc(m.candidates.members, alive)
	m.candidates.first = first
}

func rankOf(c *election.Candidate) election.RankEntry {
	return election.RankEntry{ID: c.ID, Priority: c.Priority, Versionstamp: c.ReadySince}
}

// ownRank is the rank of this candidate among its priority, or nil if it is not known: it is
// not listed, or the list shows it as it was before it became ready.
func (m *Machine) ownRank() *election.RankEntry {
	own := m.candidates.find(m.me.Identity)
	if own == nil || !own.Ready() {
		return nil
	}
	entry := rankOf(&own.Candidate)
	return &entry
}

// outsideShortlist reports whether this candidate ranks after the shortlist and does not
// know how many voters are in between. The last leader claims after those as well.
func (m *Machine) outsideShortlist() bool {
	first := &m.candidates.first
	switch {
	case !m.me.ready():
		return true // candidates that are not ready have no rank among each other
	case !first.more:
		return false
	}
	last := &first.entries[len(first.entries)-1]
	own := m.ownRank()
	switch {
	case m.leader.last == m.me.Identity:
		return true
	case m.me.Priority != last.Priority:
		return m.me.Priority < last.Priority
	default:
		return own == nil || ranksBefore(*last, *own)
	}
}

// firstInRank reports whether this candidate claims a vacant leadership before all
// others.
func (m *Machine) firstInRank() bool { return m.rankedBefore() == 0 && !m.outsideShortlist() }

// rankedBefore counts the listed voters that claim a vacant leadership before this
// candidate: those of a higher rank that have not timed out. The last leader claims
// last.
func (m *Machine) rankedBefore() int {
	own := m.ownRank()
	ledLast := m.leader.last == m.me.Identity
	n := 0
	for i := range m.candidates.members {
		c := &m.candidates.members[i]
		switch {
		case c.ID == m.me.ID, c.Role != election.Voter, !c.Ready(), m.timedOut(c), c.Identity == m.leader.last:
		case ledLast, c.Priority > m.me.Priority:
			n++
		case c.Priority == m.me.Priority && (own == nil || ranksBefore(rankOf(&c.Candidate), *own)):
			n++
		}
	}
	return n
}

// ranksBefore reports whether a ranks before b, which has the same priority. Two
// candidates that were registered in one transaction can have the same versionstamp.
func ranksBefore(a, b election.RankEntry) bool {
	return cmp.Or(a.Versionstamp.Compare(b.Versionstamp), strings.Compare(a.ID, b.ID)) < 0
}
