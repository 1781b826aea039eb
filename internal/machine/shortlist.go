package machine

import (
	"cmp"
	"strings"

	"github.com/fdbelection/fdbelection/election"
)

// shortlisted is how many voters a process lists that does not evict, from the beginning
// of the rank index. They take turns at an open seat; all others wait until these had
// theirs, see spread.
const shortlisted = 8

// shortlist is what the machine knows of the beginning of the rank index.
type shortlist struct {
	entries []election.RankEntry
	// more says that the index may go on after them with voters that are not listed.
	more bool
	// spent says that none of them is alive.
	spent bool
	// broken says that the index has no entry of this voter.
	broken bool
}

// votes reports whether the process is listed as a voter.
func (m *Machine) votes() bool { return m.registered && m.me.Role == election.Voter }

// listsAll reports whether the next list is of all candidates: that of the process that
// evicts the dead. While there is no leader and the first by rank are dead, each voter
// has to find out whether it is the one. Without an index that can be used there is no
// other list.
func (m *Machine) listsAll() bool {
	first := &m.candidates.first
	return m.holds() || m.evicts() || m.votes() && (first.broken || first.spent && m.leaderless())
}

// short is the list of the first by rank, of the leader and of this process. The records
// that were found last time are read in the same wave as the index.
func (m *Machine) short(op *Operation) {
	op.First = m.settings.Shortlist
	if m.registered {
		op.Also = append(op.Also, m.me.ID)
	}
	if leader := &m.leader.leader; !leader.Vacant() {
		op.Also = append(op.Also, leader.ID)
	}
	for i := range m.candidates.first.entries {
		op.Also = append(op.Also, m.candidates.first.entries[i].ID)
	}
}

// misses reports whether the rank index was read to its end and has no entry of this
// voter: it is damaged, and does not say who goes first.
func (m *Machine) misses(op *Operation, a *Answer) bool {
	if op.First == 0 || len(a.Ranked) >= op.First || !m.votes() {
		return false
	}
	for i := range a.Ranked {
		if a.Ranked[i].ID == m.me.ID {
			return false
		}
	}
	return true
}

// sawRank takes in the beginning of the rank, from the index or from the list of all.
func (m *Machine) sawRank(op *Operation, a *Answer) {
	first := shortlist{entries: a.Ranked, more: op.First > 0 && len(a.Ranked) >= op.First}
	if op.First == 0 {
		for i := range a.Members {
			if c := &a.Members[i]; c.Role == election.Voter && len(first.entries) < m.settings.Shortlist {
				first.entries = append(first.entries, rankOf(c))
			}
		}
	}
	first.spent = len(first.entries) >= m.settings.Shortlist
	for i := range m.candidates.members {
		if c := &m.candidates.members[i]; !m.timedOut(c) && first.has(&c.Candidate) {
			first.spent = false
		}
	}
	m.candidates.first = first
}

func rankOf(c *election.Candidate) election.RankEntry {
	return election.RankEntry{ID: c.ID, Priority: c.Priority, Versionstamp: c.Versionstamp}
}

// has reports whether a candidate is among the first.
func (s *shortlist) has(c *election.Candidate) bool {
	for i := range s.entries {
		if c.Role == election.Voter && s.entries[i] == rankOf(c) {
			return true
		}
	}
	return false
}

// outside reports whether this candidate ranks after all that are listed, and does not
// know how many are in between. The last leader goes after those as well.
func (m *Machine) outside() bool {
	first := &m.candidates.first
	if !first.more {
		return false
	}
	last := &first.entries[len(first.entries)-1]
	own := m.candidates.find(m.me.Identity)
	switch {
	case m.leader.last == m.me.Identity:
		return true
	case m.me.Priority != last.Priority:
		return m.me.Priority < last.Priority
	default:
		return own == nil || ranksBefore(*last, rankOf(&own.Candidate))
	}
}

// ranksBefore reports whether a voter ranks before another one of the same priority. Two
// that were registered in one transaction can have the same versionstamp.
func ranksBefore(a, b election.RankEntry) bool {
	return cmp.Or(a.Versionstamp.Compare(b.Versionstamp), strings.Compare(a.ID, b.ID)) < 0
}
