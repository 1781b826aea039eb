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
// ErrBatchTooLarge, ErrInvalidName (a shard is named twice), ErrInvalidState (of the config or
// its own record).
func (g *Group) Claim(tr kv.Transaction, me election.Identity, claims []Claim, now time.Time) ([]Outcome, error) {
	names := make([]string, len(claims))
	for i := range claims {
		if names[i] = claims[i].Shard; claims[i].Nonce == uuid.Nil {
			return nil, fdbelection.ErrNoNonce
		}
	}
	if err := checkBatch(names); err != nil {
		return nil, err
	}
	ownRead, configRead := tr.Get(g.keys.of(KindMember, me.ID)), tr.Get(g.keys.config)
	reads := g.beginShards(tr, names)
	if err := g.mayClaim(tr, me, ownRead, configRead); err != nil {
		return nil, err
	}
	outcomes, err := g.awaitShards(names, reads)
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
