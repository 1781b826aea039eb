package group

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// RaiseTerms ends the tenures of shards up to the term floor, so that the next tenure of each has
// a higher term, and so has a shard that is created later. Use it after a database was restored
// from a backup, because its terms would be used a second time. Pass a floor that no tenure before
// the restore has exceeded, such as the highest term that any receiver of fenced writes has seen.
//
// It does not ask whether the session of a leader lives: a member that still runs may lead until
// its lease ends. So stop all members first. It also replaces a shard record or a floor that is
// damaged. It never lowers a term. Outcomes are in the order of names. It is safe to run again.
//
// Errors: ErrTermFloor, ErrInvalidName, ErrBatchTooLarge, ErrInvalidState (a newer program has
// written the floor).
func (g *Group) RaiseTerms(tr kv.Transaction, names []string, floor uint64, now time.Time) ([]Outcome, error) {
	if floor == 0 || floor > election.MaxTermFloor {
		return nil, fmt.Errorf("%w: it is %d; use 1 to %d", fdbelection.ErrTermFloor, floor, uint64(election.MaxTermFloor))
	}
	if err := checkShards(names); err != nil {
		return nil, err
	}
	reads, floorRead := g.beginShards(tr, names), tr.Get(g.keys.floor)
	outcomes, err := g.awaitShards(names, reads)
	if err != nil {
		return nil, err
	}
	lowest, err := g.awaitFloor(floorRead)
	if err != nil {
		return nil, err
	}
	if record.IsDamaged(lowest.err) {
		lowest.err = nil // it is replaced
	}
	if err := lowest.raise(floor); err != nil {
		return nil, err
	}
	g.writeFloor(tr, lowest)
	wrote := false
	for i := range outcomes {
		o := &outcomes[i]
		above := o.Err == nil && (o.Shard.Term > floor || o.Shard.Term == floor && o.Shard.Vacant())
		if o.Removed || above || record.IsNewer(o.Err) {
			continue
		}
		o.Err, wrote = nil, true
		g.writeShard(tr, o, Shard{Name: names[i], Term: floor, Nonce: o.Shard.Nonce, Reason: ReasonRaised, At: now})
	}
	if wrote {
		g.ring(tr)
	}
	return outcomes, nil
}
