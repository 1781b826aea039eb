package group

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Claim is a shard that a member claims.
type Claim struct {
	Shard string
	// Nonce names the tenure. Draw it outside of the transaction's closure.
	Nonce uuid.UUID
}

// Outcome is what became of one shard of a batch.
type Outcome struct {
	// Shard is the record after the call. If Removed, there is none.
	Shard   Shard
	Removed bool
	// Err says why nothing was done: ErrHeld, ErrNoShard, ErrTarget, ErrFenced or
	// ErrInvalidState. It is nil if what was asked is done, now or by an earlier run.
	Err error
}

// Claim begins a tenure of the caller for each shard that is free: it is vacant, or the
// session of its leader has ended. The member must be ready, unless no member is. Outcomes are
// in the order of claims. A shard that cannot be claimed has an Err and costs the others
// nothing. A shard that the caller leads already is done.
//
// It conflicts with changes of these shards, of its own member record and of the config. It
// conflicts neither with heartbeats nor with changes of other shards. It is safe to run again,
// with the same nonces.
//
// Errors: ErrSessionEnded, ErrElectionDisabled, ErrNotReady, ErrNotInitialized, ErrNoNonce,
// ErrBatchTooLarge, ErrInvalidState (of the config or its own record).
func (g *Group) Claim(tr kv.Transaction, me election.Identity, claims []Claim, now time.Time) ([]Outcome, error) {
	if len(claims) > MaxBatch {
		return nil, tooLarge(len(claims))
	}
	ownRead, configRead := tr.Get(g.keys.of(KindMember, me.ID)), tr.Get(g.keys.config)
	reads := make([]kv.Future[[]byte], len(claims))
	for i := range claims {
		if claims[i].Nonce == uuid.Nil {
			return nil, fdbelection.ErrNoNonce
		}
		reads[i] = tr.Get(g.keys.of(KindShard, claims[i].Shard))
	}
	if err := g.mayClaim(tr, me, ownRead, configRead); err != nil {
		return nil, err
	}
	outcomes, err := g.awaitShards(reads, func(i int) string { return claims[i].Shard })
	if err != nil {
		return nil, err
	}
	living := g.beginLiving(tr, outcomes, me)
	claimed := false
	for i := range outcomes {
		o := &outcomes[i]
		if o.Err != nil || o.Shard.Leader == me {
			continue
		}
		lives, err := living.holds(o.Shard.Leader)
		switch {
		case err != nil:
			return nil, err
		case lives:
			o.Err = ErrHeld
			continue
		}
		next := Shard{
			Name: o.Shard.Name, Term: o.Shard.Term + 1, Leader: me, Nonce: claims[i].Nonce,
			Reason: ReasonExpiry, At: now, Moves: o.Shard.Moves,
		}
		if o.Shard.Vacant() {
			next.Reason = ReasonVacancy
		}
		g.writeShard(tr, o, next)
		claimed = true
	}
	if claimed {
		g.ring(tr)
	}
	return outcomes, nil
}

// mayClaim returns nil if the config and the readiness of the caller allow claims.
func (g *Group) mayClaim(tr kv.Transaction, me election.Identity, ownRead, configRead kv.Future[[]byte]) error {
	own, err := g.session(ownRead, me)
	if err != nil {
		return err
	}
	config, err := g.awaitConfig(configRead)
	switch {
	case err != nil:
		return err
	case !config.Enabled:
		return fdbelection.ErrElectionDisabled
	case own.Draining:
		return fmt.Errorf("%w: it is draining", fdbelection.ErrNotReady)
	case own.Ready():
		return nil
	}
	rows, err := g.readAll(tr.Snapshot(), KindMember)
	if err != nil {
		return err
	}
	for i := range rows {
		if m := rows[i].Member; m != nil && m.Ready() && !m.Draining {
			return fmt.Errorf("%w: %s", fdbelection.ErrNotReady, election.SafeText(own.NotReady))
		}
	}
	return nil
}

// awaitShards returns the shard records that were read. The Err of one that is missing or
// cannot be read says so.
func (g *Group) awaitShards(reads []kv.Future[[]byte], name func(i int) string) ([]Outcome, error) {
	outcomes := make([]Outcome, len(reads))
	for i, read := range reads {
		value, err := read.Get()
		if err != nil {
			return nil, err
		}
		o := &outcomes[i]
		if value == nil {
			o.Shard.Name, o.Removed, o.Err = name(i), true, ErrNoShard
			continue
		}
		o.Shard, o.Err = decodeShard(g.keys.of(KindShard, name(i)), name(i), value)
	}
	return outcomes, nil
}

// writeShard begins or ends a tenure.
func (g *Group) writeShard(tr kv.Transaction, o *Outcome, next Shard) {
	o.Shard = next
	g.write(tr, KindShard, next.Name, next.encode())
}

// living knows which of the sessions live that lead some shards. A session that has ended
// never comes back, so it reads by snapshot.
type living struct {
	group *Group
	reads map[string]kv.Future[[]byte]
}

func (g *Group) beginLiving(tr kv.Transaction, outcomes []Outcome, me election.Identity) living {
	l := living{g, make(map[string]kv.Future[[]byte])}
	for i := range outcomes {
		id := outcomes[i].Shard.Leader.ID
		if id != "" && outcomes[i].Shard.Leader != me && l.reads[id] == nil {
			l.reads[id] = tr.Snapshot().Get(g.keys.of(KindMember, id))
		}
	}
	return l
}

// holds reports whether the session of the leader of a shard lives. A member whose record
// cannot be read counts as alive until it is evicted.
func (l *living) holds(leader election.Identity) (bool, error) {
	if leader.ID == "" {
		return false, nil
	}
	value, err := l.reads[leader.ID].Get()
	if err != nil || value == nil {
		return false, err
	}
	m, unreadable := decodeMember(l.group.keys.of(KindMember, leader.ID), leader.ID, value)
	return unreadable != nil || m.Incarnation == leader.Incarnation, nil //nolint:nilerr // such a member counts as alive
}

func tooLarge(n int) error {
	return fmt.Errorf("%w: %d; use at most %d", ErrBatchTooLarge, n, MaxBatch)
}
