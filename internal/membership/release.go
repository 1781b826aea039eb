package membership

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
)

// planRelease releases tenures whose work has stopped.
func (m *Machine) planRelease() {
	if len(m.tenures.releasable) == 0 {
		return
	}
	var releases []group.Release
	var load loads
	for _, name := range sorted(m.tenures.releasable) {
		one := m.tenures.of[name]
		if m.now.Local.Before(one.retryAt) {
			m.wakeAt(one.retryAt)
			continue
		}
		r := group.Release{Token: one.token, Reason: one.reason, Moves: m.movesAfter(one), Remove: one.remove}
		if target := m.targetOf(one, &load); target.ID != "" {
			r.Target, r.Nonce = target, m.settings.NewNonce()
			load.add(target.ID)
		}
		one.releasing = true
		m.touch(one)
		if releases = append(releases, r); len(releases) == group.MaxBatch {
			break
		}
	}
	if releases != nil {
		m.begin(&m.slots.give, Operation{Kind: Release, Releases: releases})
	}
}

// loads are the numbers of shards of the members, counted when they are first asked for.
type loads map[string]int

func (l loads) add(id string) {
	if l != nil {
		l[id]++
	}
}

// targetOf returns the session to which a shard is handed over: the one of the plan, or the
// one with the smallest share if that is not fit. An empty one leaves the shard vacant.
func (m *Machine) targetOf(one *tenure, load *loads) election.Identity {
	switch {
	case one.remove, !m.config.Enabled, one.reason == group.ReasonWork, one.reason == group.ReasonDisabled:
		return election.Identity{}
	}
	if i, planned := m.plan.target[one.token.Shard]; planned && i >= 0 && int(i) < len(m.plan.members) {
		if to := m.receiver(m.plan.members[i].ID); to.ID != "" {
			return to
		}
	}
	if one.reason == group.ReasonBalance || one.reason == group.ReasonPin {
		return election.Identity{}
	}
	return m.leastLoaded(load)
}

// receiver returns the session of a member that may be handed a shard.
func (m *Machine) receiver(id string) election.Identity {
	member := m.mirror.Member(id)
	if id == m.session.me.ID || member == nil || !member.Ready() || member.Draining || m.mirror.Drained(id) || !m.fit(id) {
		return election.Identity{}
	}
	return member.Identity
}

// leastLoaded returns the receiver with the smallest share, counting what this batch adds.
func (m *Machine) leastLoaded(load *loads) election.Identity {
	if *load == nil {
		*load = make(loads)
		for _, s := range m.mirror.Shards() {
			load.add(s.Leader.ID)
		}
	}
	var best election.Identity
	least := 0
	for _, id := range m.mirror.MemberIDs() {
		to, held := m.receiver(id), (*load)[id]
		if to.ID == "" {
			continue
		}
		if member := m.mirror.Member(id); member.Weight == 0 || member.Capacity > 0 && held >= int(member.Capacity) {
			continue
		}
		if best.ID == "" || held < least {
			best, least = to, held
		}
	}
	return best
}

func (m *Machine) answeredRelease(op *Operation, a *Answer) {
	done := a.Outcomes
	if a.Err != nil {
		done = nil
	}
	for i := range op.Releases {
		r := &op.Releases[i]
		one := m.tenures.of[r.Token.Shard]
		if one == nil || one.token != r.Token {
			continue
		}
		one.releasing = false
		if i >= len(done) {
			m.touch(one)
			continue
		}
		if o := &done[i]; errors.Is(o.Err, fdbelection.ErrInvalidState) && m.life.phase == running {
			one.retryAt = m.now.Local.Add(m.config.HeartbeatInterval) // only its record would say that it is over
			m.touch(one)
		} else {
			one.lost = true
			m.seen(o, a.Version)
			m.settle(one)
		}
	}
	m.plan.dirty = true
	if a.Err != nil {
		m.failed(op, a.Err)
	}
}

// seen adds the record of an outcome to the mirror.
func (m *Machine) seen(o *group.Outcome, version int64) {
	row := group.Row{Kind: group.KindShard, Name: o.Shard.Name, Removed: o.Removed}
	switch {
	case version == 0: // the log will show it
		m.sync.again = true
		return
	case errors.Is(o.Err, fdbelection.ErrInvalidState):
		row.Unreadable = o.Err
	default:
		shard := o.Shard
		row.Shard = &shard
	}
	m.mirror.Apply(row, version)
}
