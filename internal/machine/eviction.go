package machine

import (
	"slices"

	"github.com/fdbelection/fdbelection/election"
)

// evicts reports whether this process evicts candidates that have timed out. The leader
// does. While there is no leader, the first live voter by rank does.
func (m *Machine) evicts() bool {
	if m.tenure.leads() {
		return true
	}
	return m.me.ranked() && !m.tenure.exists() && m.leader.known && m.leaderless() && m.firstInRank()
}

// evictable returns the candidates to evict, as many as one transaction takes. The
// holder of leadership is not one of them: its record has to outlive its lease.
func (m *Machine) evictable() []election.Candidate {
	var dead []election.Candidate
	for i := range m.candidates.members {
		c := &m.candidates.members[i]
		if c.Identity == m.me.Identity || m.leader.record.HeldBy(c.Identity) || !m.timedOut(c) || len(dead) == election.MaxEvictions {
			continue
		}
		dead = append(dead, c.Candidate)
	}
	return dead
}

func (m *Machine) startEviction() {
	if dead := m.evictable(); len(dead) > 0 {
		m.begin(&m.operations.listing, Operation{Kind: Evict, Members: dead, Limit: m.operationLimit()})
	}
}

func (m *Machine) answeredEviction(a *Answer) {
	if a.Err != nil {
		m.reportFailure(Evict, a.Err)
		return
	}
	m.store.failures[Evict] = ""
	if len(a.Evicted) == 0 {
		return
	}
	m.candidates.members = slices.DeleteFunc(slices.Clone(m.candidates.members), func(c Member) bool {
		return m.timedOut(&c) && slices.Contains(a.Evicted, c.ID)
	})
	m.do(Evicted{IDs: a.Evicted})
}
