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
// shard is vacant afterwards, and its Outcome has ErrTarget. If the tenure has ended already, by an earlier
// run or otherwise, the Outcome has the record as it is. Err is ErrFenced if that is the
// tenure of another leader that this call did not begin.
//
// It conflicts with changes of these shards, of its own member record, of those of the
// targets and of the config. It is safe to run again, with the same nonces.
//
// Errors: ErrSessionEnded (the shards are free), ErrNoNonce, ErrBatchTooLarge, ErrInvalidState
// (of its own record).
func (g *Group) Release(tr kv.Transaction, me election.Identity, releases []Release, now time.Time) ([]Outcome, error) {
	if len(releases) > MaxBatch {
		return nil, tooLarge(len(releases))
	}
	ownRead, floorRead := tr.Get(g.keys.of(KindMember, me.ID)), kv.Future[[]byte](nil)
	reads := make([]kv.Future[[]byte], len(releases))
	targets := make(map[string]kv.Future[[]byte])
	for i := range releases {
		r := &releases[i]
		reads[i] = tr.Get(g.keys.of(KindShard, r.Token.Shard))
		switch id := r.Target.ID; {
		case r.Remove:
			if floorRead == nil {
				floorRead = tr.Get(g.keys.floor)
			}
		case id == "":
		case r.Nonce == uuid.Nil:
			return nil, fdbelection.ErrNoNonce
		case targets[id] == nil:
			targets[id] = tr.Get(g.keys.of(KindMember, id))
		}
	}
	disabled := false
	if len(targets) > 0 { // a hand-over depends on the config, as a claim does
		config, err := g.awaitConfig(tr.Get(g.keys.config))
		if kv.CodeOf(err) != 0 {
			return nil, err
		}
		disabled = err == nil && !config.Enabled
	}
	if _, err := g.session(ownRead, me); err != nil {
		return nil, err
	}
	outcomes, err := g.awaitShards(reads, func(i int) string { return releases[i].Token.Shard })
	if err != nil {
		return nil, err
	}
	b := releasing{Group: g, tr: tr, targets: targets, disabled: disabled, now: now}
	for i := range outcomes {
		if err := b.release(&outcomes[i], &releases[i]); err != nil {
			return nil, err
		}
	}
	return outcomes, b.finish(floorRead)
}

// releasing is a batch of releases.
type releasing struct {
	*Group
	tr      kv.Transaction
	targets map[string]kv.Future[[]byte]
	// disabled says that no tenure may begin, since the group is disabled.
	disabled bool
	now      time.Time
	wrote    bool
	floor    uint64 // the highest term of a removed shard
}

// release ends one tenure.
func (b *releasing) release(o *Outcome, r *Release) error {
	switch {
	case o.Err != nil:
		if o.Removed && r.Remove {
			o.Err = nil
		}
		return nil
	case o.Shard.vacatedBy(r.Token), r.Target.ID != "" && o.Shard.Leader == r.Target && o.Shard.Nonce == r.Nonce:
		return nil // an earlier run did it
	case !o.Shard.in(r.Token):
		o.Err = fmt.Errorf("%w: now %s, the token is %s", fdbelection.ErrFenced, o.Shard.String(), r.Token)
		return nil
	}
	b.wrote = true
	if r.Remove {
		b.floor = max(b.floor, o.Shard.Term)
		b.removeShard(b.tr, o.Shard.Name, r.Token.ID, r.Reason.String())
		o.Removed = true
		return nil
	}
	next := Shard{Name: o.Shard.Name, Term: o.Shard.Term, Nonce: o.Shard.Nonce, Reason: r.Reason, At: b.now, Moves: r.Moves}
	if r.Target.ID != "" {
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

// finish raises the floor if shards were removed, and rings the bell if anything was written.
func (b *releasing) finish(floorRead kv.Future[[]byte]) error {
	if b.floor > 0 {
		if err := b.raiseFloor(b.tr, floorRead, b.floor); err != nil {
			return err
		}
	}
	if b.wrote {
		b.ring(b.tr)
	}
	return nil
}
