package group

import (
	"cmp"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// CreateShards adds shards to the group, vacant. It returns how many of them did not exist.
// A shard that existed earlier continues with a higher term than any that was removed. It is
// safe to run again.
//
// Errors: ErrNotInitialized, ErrInvalidName, ErrBatchTooLarge, ErrInvalidState.
func (g *Group) CreateShards(tr kv.Transaction, names []string, now time.Time) (int, error) {
	if err := checkShards(names); err != nil {
		return 0, err
	}
	reads := g.beginShards(tr, names)
	configRead, floorRead := tr.Snapshot().Get(g.keys.config), tr.Get(g.keys.floor)
	if _, err := g.awaitConfig(configRead); err != nil {
		return 0, err
	}
	floor, err := g.awaitFloor(floorRead)
	if err = cmp.Or(err, floor.err); err != nil {
		return 0, err
	}
	created := 0
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		value, err := reads[i].Get()
		if err != nil {
			return 0, err
		}
		if value != nil || seen[name] {
			continue
		}
		seen[name] = true
		shard := Shard{Name: name, Term: floor.term, Reason: ReasonCreated, At: now}
		g.write(tr, KindShard, name, shard.encode())
		created++
	}
	if created > 0 {
		g.ring(tr)
	}
	return created, nil
}

// RemoveShards removes shards that are free, with their pins and requests. It asks the leader
// of any other one to remove it (RemoveRequest). The Outcome of a shard is Removed if it is
// gone. If it is asked of the leader, Err is nil and Shard is its record. It is safe to run
// again.
//
// The Err of a shard is ErrInvalidState if its record cannot be read, if a newer program has
// written its request, or if the floor cannot be read, without which no shard can be removed.
// RaiseTerms repairs a damaged shard record and a damaged floor.
//
// Errors: ErrInvalidName, ErrBatchTooLarge.
func (g *Group) RemoveShards(tr kv.Transaction, names []string) ([]Outcome, error) {
	if err := checkShards(names); err != nil {
		return nil, err
	}
	reads, floorRead := g.beginShards(tr, names), tr.Get(g.keys.floor)
	outcomes, err := g.awaitShards(names, reads)
	if err != nil {
		return nil, err
	}
	living := g.beginLiving(tr, outcomes, noSession)
	floor, err := g.awaitFloor(floorRead)
	if err != nil {
		return nil, err
	}
	requests := make([]kv.Future[[]byte], len(names)) // for the shards that are led
	for i := range outcomes {
		lives, err := living.holds(outcomes[i].Shard.Leader)
		if err != nil {
			return nil, err
		}
		if lives {
			requests[i] = tr.Get(g.keys.of(KindRequest, names[i]))
		}
	}
	wrote := false
	for i := range outcomes {
		o := &outcomes[i]
		switch {
		case o.Removed:
			o.Err = nil
			continue
		case requests[i] != nil:
			o.Err = g.request(tr, names[i], requests[i], Request{Kind: RemoveRequest, Term: o.Shard.Term})
			if kv.CodeOf(o.Err) != 0 {
				return nil, o.Err
			}
			continue
		case o.Err != nil:
			continue
		}
		if o.Err = floor.raise(o.Shard.Term); o.Err == nil {
			g.removeShard(tr, names[i], "", "removed")
			wrote, o.Removed = true, true
		}
	}
	if wrote {
		g.writeFloor(tr, floor)
		g.ring(tr)
	}
	return outcomes, nil
}
