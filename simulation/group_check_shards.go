package simulation

import (
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
)

// checkShard checks one change of a shard record: invariants 33, 38, 39 and 40.
func (w *groupWorld) checkShard(c *groupCommit, change *groupChange) {
	before, after := change.before.Shard, change.after.Shard
	switch {
	case change.before.Kind == 0:
		w.checkCreated(c, change)
	case before == nil:
		w.violated(invGroupTerms, "%s wrote over the record of %s, which cannot be read", c.who(), change.name)
	case after == nil:
		w.checkRemoved(c, before)
	case c.entry.Label == labelRaise && after.Vacant() && after.Term >= before.Term && after.Reason == group.ReasonRaised:
		// An operator may end any tenure.
	case after.Term == before.Term && after.Vacant() && !before.Vacant():
		if after.Nonce != before.Nonce {
			w.violated(invGroupTerms, "%s changed the nonce of %s", c.who(), before)
		}
		w.checkReleased(c, before)
		w.checkMoves(c, before, after)
	case after.Term == before.Term+1 && !after.Vacant() && c.kind() == membership.Release:
		w.checkReleased(c, before)
		w.checkHandOver(c, after)
		w.checkMoves(c, before, after)
	case after.Term == before.Term+1 && !after.Vacant() && c.kind() == membership.Claim:
		w.checkShardClaim(c, before, after)
	default:
		w.violated(invGroupTerms, "%s wrote %s after %s", c.who(), after, before)
	}
}

// checkCreated: a shard is created vacant, above every term that it had earlier.
func (w *groupWorld) checkCreated(c *groupCommit, change *groupChange) {
	after := change.after.Shard
	switch {
	case c.by != nil || after == nil || !after.Vacant():
		w.violated(invGroupTerms, "%s created %s as %v", c.who(), change.name, after)
	case after.Term != c.floor || after.Term < w.highest[change.name]:
		w.violated(invGroupTerms, "%s created %s in term %d, the floor is %d, and it was in term %d", c.who(), change.name, after.Term, c.floor, w.highest[change.name])
	case w.highest[change.name] > 0:
		w.situation("shard created again")
	}
}

// checkRemoved: a shard is removed by its leader, or if it is free, and its term stays below the
// floor.
func (w *groupWorld) checkRemoved(c *groupCommit, before *group.Shard) {
	if w.floor() < before.Term {
		w.violated(invGroupTerms, "%s removed %s, and the floor is %d", c.who(), before, w.floor())
	}
	for _, kind := range []group.Kind{group.KindPin, group.KindRequest} {
		if row := w.rows[groupRecord{kind, before.Name}]; row.Kind != 0 {
			w.violated(invGroupOwner, "%s removed %s and left its %s", c.who(), before, kind)
		}
	}
	if c.kind() == membership.Release {
		w.checkReleased(c, before)
		w.situation("shard removed by its leader")
	} else if !before.Vacant() && livesIn(c.before, before.Leader) {
		w.violated(invGroupOwner, "%s removed %s, whose session lives", c.who(), before)
	}
}

// checkReleased is invariant 38 and a part of 40: only the leader of a shard gives it up, while
// its session lives, after its work has returned or its use of the lease has ended.
func (w *groupWorld) checkReleased(c *groupCommit, before *group.Shard) {
	if c.kind() != membership.Release || c.op.what.Me != before.Leader || !livesIn(c.before, before.Leader) {
		w.violated(invGroupOwner, "%s gave up %s", c.who(), before)
		return
	}
	p := c.by
	if r := p.runs[before.Name]; p.alive && r != nil && r.token == before.Token() && !r.expired {
		w.violated(invGroupWork, "%s gave up %s, whose work has not returned", c.who(), before)
	}
	if p.alive && p.machine.Leads(before.Token()) {
		w.violated(invGroupWork, "%s gave up %s, and believes that it leads", c.who(), before)
	}
}

// checkHandOver is a part of invariant 39: the target of a hand-over may receive shards.
func (w *groupWorld) checkHandOver(c *groupCommit, after *group.Shard) {
	m := memberIn(c.before, after.Leader.ID)
	switch {
	case m == nil || m.Identity != after.Leader || !m.Ready() || m.Draining:
		w.violated(invGroupClaim, "%s handed %s to member %v", c.who(), after, m)
	case c.readable && !c.config.Enabled:
		w.violated(invGroupClaim, "%s handed over %s, and the group is disabled", c.who(), after)
	}
}

// damagedSince reports whether the member record with the id of a session was damaged. A claim that had
// read it before knows that the session has ended: the read is by snapshot, since no session comes back.
func (w *groupWorld) damagedSince(c *groupCommit, session election.Identity) bool {
	return w.tampered[session] && c.before[groupRecord{group.KindMember, session.ID}].Member == nil
}

// checkShardClaim is a part of invariant 39: a shard is claimed if it is free, the group is enabled and
// the claimant may receive shards.
func (w *groupWorld) checkShardClaim(c *groupCommit, before, after *group.Shard) {
	me := memberIn(c.before, after.Leader.ID)
	anyReady := w.readyFrom > 0 && w.readyFrom <= c.entry.ReadVersion // it reads other members by snapshot
	switch {
	case after.Leader != c.op.what.Me:
		w.violated(invGroupClaim, "%s claimed %s for another member", c.who(), after)
	case !before.Vacant() && livesIn(c.before, before.Leader) && !w.damagedSince(c, before.Leader):
		w.violated(invGroupOwner, "%s claimed %s, whose session lives", c.who(), before)
	case !c.readable || !c.config.Enabled:
		w.violated(invGroupClaim, "%s claimed %s, and the group is disabled", c.who(), after)
	case me == nil || me.Draining || !me.Ready() && anyReady:
		w.violated(invGroupClaim, "%s claimed %s as %v", c.who(), after, me)
	}
}

// checkMoves is a part of invariant 44: a shard that was moved for balance is not moved for
// balance again too soon.
func (w *groupWorld) checkMoves(c *groupCommit, before, after *group.Shard) {
	if after.Reason != group.ReasonBalance {
		return
	}
	if after.Moves != 1 && after.Moves != before.Moves+1 {
		w.violated(invGroupBalance, "%s moved %s, and %d moves in a row are now %d", c.who(), before, before.Moves, after.Moves)
	}
	if before.Moves == 0 || w.damaged {
		return
	}
	stayed := c.by.clocks.scaled(w.now - w.began[before.Name])
	if least := w.settle << min(before.Moves, 10); stayed < least {
		w.violated(invGroupBalance, "%s moved %s after %s, with %d moves and a delay of %s", c.who(), before, stayed, before.Moves, least)
	}
	w.situation("shard moved for balance again")
}
