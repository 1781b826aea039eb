package group

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Release is a shard that its leader gives up.
type Release struct {
	// Token is the tenure that ends.
	Token Token
	// Target is the session that leads the shard next. Without an ID, the shard is vacant
	// afterwards.
	Target election.Identity
	// Nonce names the next tenure. Draw it outside of the transaction's closure.
	Nonce uuid.UUID
	// Reason says why.
	Reason Reason
	// Moves is the new number of moves for balance in a row.
	Moves uint32
	// Remove deletes the shard. Target is ignored.
	Remove bool
}

// Release ends tenures of the caller. It hands each shard over to its target, leaves it
// vacant or removes it. The caller has stopped the work on these shards, and leads them no
// more, whatever the result is. It must call Release again until it returns a result.
//
// If the target of a hand-over is absent, not ready or draining, or the group is disabled, the
// shard is vacant afterwards, and its Outcome has ErrTarget. If the tenure has ended already, by
// an earlier run or otherwise, the Outcome has the record as it is. Err is ErrFenced if the
// tenure was not one of the caller, or if another one has followed that this call did not begin.
// Err is ErrInvalidState if the shard cannot be read, or if it should be removed and the floor
// cannot be read, without which no shard can be removed.
//
// It conflicts with changes of these shards and of its own member record. A hand-over also
// conflicts with changes of the record of its target and of the config. It is safe to run again,
// with the same nonces.
//
// Errors: ErrSessionEnded (the shards are free), ErrNoNonce, ErrBatchTooLarge, ErrInvalidName (a
// shard is named twice), ErrInvalidState (of its own record).
func (g *Group) Release(tr kv.Transaction, me election.Identity, releases []Release, now time.Time) ([]Outcome, error) {
	names := make([]string, len(releases))
	removes, targets := false, make(map[string]kv.Future[[]byte])
	for i := range releases {
		r := &releases[i]
		names[i] = r.Token.Shard
		removes = removes || r.Remove
		if r.handsOver() && r.Nonce == uuid.Nil {
			return nil, fdbelection.ErrNoNonce
		}
	}
	if err := checkBatch(names); err != nil {
		return nil, err
	}
	ownRead, reads := tr.Get(g.keys.of(KindMember, me.ID)), g.beginShards(tr, names)
	for i := range releases {
		if r := &releases[i]; r.handsOver() && targets[r.Target.ID] == nil {
			targets[r.Target.ID] = tr.Get(g.keys.of(KindMember, r.Target.ID))
		}
	}
	b := releasing{Group: g, tr: tr, me: me, targets: targets, now: now}
	if err := b.begin(removes); err != nil {
		return nil, err
	}
	if _, err := g.session(ownRead, me); err != nil {
		return nil, err
	}
	outcomes, err := g.awaitShards(names, reads)
	if err != nil {
		return nil, err
	}
	for i := range outcomes {
		if err := b.release(&outcomes[i], &releases[i]); err != nil {
			return nil, err
		}
	}
	if b.wrote {
		g.writeFloor(tr, b.floor)
		g.ring(tr)
	}
	return outcomes, nil
}

// handsOver reports whether another tenure follows.
func (r *Release) handsOver() bool { return !r.Remove && r.Target.ID != "" }

// releasing is a batch of releases.
type releasing struct {
	*Group
	tr      kv.Transaction
	me      election.Identity
	targets map[string]kv.Future[[]byte]
	// disabled says that no tenure may begin, since the group is disabled.
	disabled bool
	now      time.Time
	wrote    bool
	floor    floor // if a shard is to be removed
}

// begin reads what hand-overs and removals depend on.
func (b *releasing) begin(removes bool) (err error) {
	var floorRead kv.Future[[]byte]
	if removes {
		floorRead = b.tr.Get(b.keys.floor)
	}
	if len(b.targets) > 0 { // a hand-over depends on the config, as a claim does
		config, err := b.awaitConfig(b.tr.Get(b.keys.config))
		if kv.CodeOf(err) != 0 {
			return err
		}
		b.disabled = err == nil && !config.Enabled
	}
	if removes {
		b.floor, err = b.awaitFloor(floorRead)
	}
	return err
}

// release ends one tenure.
func (b *releasing) release(o *Outcome, r *Release) error {
	switch {
	case o.Err != nil:
		if o.Removed && r.Remove {
			o.Err = nil
		}
		return nil
	case o.Shard.vacatedBy(r.Token), r.handsOver() && o.Shard.Term == r.Token.Term+1 && o.Shard.Nonce == r.Nonce:
		return nil // an earlier run did it
	case r.Token.Identity != b.me, !o.Shard.in(r.Token):
		o.Err = fmt.Errorf("%w: now %s, the token is %s", fdbelection.ErrFenced, o.Shard.String(), r.Token)
		return nil
	}
	if r.Remove {
		if o.Err = b.floor.raise(o.Shard.Term); o.Err == nil {
			b.removeShard(b.tr, o.Shard.Name, r.Token.ID, "removed")
			b.wrote, o.Removed = true, true
		}
		return nil
	}
	next := Shard{Name: o.Shard.Name, Term: o.Shard.Term, Nonce: o.Shard.Nonce, Reason: r.Reason, At: b.now, Moves: r.Moves}
	if r.handsOver() {
		fit, err := b.fit(r.Target)
		if err != nil {
			return err
		}
		if fit {
			next.Term, next.Leader, next.Nonce = next.Term+1, r.Target, r.Nonce
		} else {
			o.Err = ErrTarget
		}
	}
	b.writeShard(b.tr, o, next)
	b.wrote = true
	return nil
}

// fit reports whether a target may receive a shard.
func (b *releasing) fit(target election.Identity) (bool, error) {
	value, err := b.targets[target.ID].Get()
	if err != nil || value == nil || b.disabled {
		return false, err
	}
	m, err := decodeMember(b.keys.of(KindMember, target.ID), target.ID, value)
	return err == nil && m.Identity == target && m.Ready() && !m.Draining, nil
}
