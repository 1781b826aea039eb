package group

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// CreateShards adds shards to the group, vacant. It returns how many of them did not exist.
// A shard that existed earlier continues with a higher term than any that was removed. It is
// safe to run again.
//
// Errors: ErrNotInitialized, ErrInvalidName, ErrBatchTooLarge, ErrInvalidState.
func (g *Group) CreateShards(tr kv.Transaction, names []string, now time.Time) (int, error) {
	reads, err := g.beginShards(tr, names)
	if err != nil {
		return 0, err
	}
	configRead, floorRead := tr.Snapshot().Get(g.keys.config), tr.Get(g.keys.floor)
	if _, err := g.awaitConfig(configRead); err != nil {
		return 0, err
	}
	floor, err := g.awaitFloor(floorRead)
	if err != nil {
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
		shard := Shard{Name: name, Term: floor, Reason: ReasonCreated, At: now}
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
// Errors: ErrInvalidName, ErrBatchTooLarge, ErrInvalidState (of the floor).
func (g *Group) RemoveShards(tr kv.Transaction, names []string) ([]Outcome, error) {
	reads, err := g.beginShards(tr, names)
	if err != nil {
		return nil, err
	}
	floorRead := tr.Get(g.keys.floor)
	outcomes, err := g.awaitShards(reads, func(i int) string { return names[i] })
	if err != nil {
		return nil, err
	}
	living := g.beginLiving(tr, outcomes, noSession)
	floor, wrote := uint64(0), false
	for i := range outcomes {
		o := &outcomes[i]
		if errors.Is(o.Err, ErrNoShard) {
			o.Err = nil
		}
		if o.Removed || o.Err != nil {
			continue
		}
		lives, err := living.holds(o.Shard.Leader)
		if err != nil {
			return nil, err
		}
		if lives {
			r := Request{Kind: RemoveRequest, Term: o.Shard.Term}
			if err := g.request(tr, o.Shard.Name, r); err != nil {
				o.Err = err
			}
			continue
		}
		floor, wrote, o.Removed = max(floor, o.Shard.Term), true, true
		g.removeShard(tr, o.Shard.Name, "", "removed")
	}
	if !wrote {
		return outcomes, nil
	}
	g.ring(tr)
	return outcomes, g.raiseFloor(tr, floorRead, floor)
}

// removeShard removes a shard and what an operator wanted for it.
func (g *Group) removeShard(tr kv.Transaction, name, by, why string) {
	g.remove(tr, KindShard, name, by, why)
	g.remove(tr, KindPin, name, by, why)
	g.remove(tr, KindRequest, name, by, why)
}

// beginShards begins to read the records of shards.
func (g *Group) beginShards(tr kv.Transaction, names []string) ([]kv.Future[[]byte], error) {
	if len(names) > MaxBatch {
		return nil, tooLarge(len(names))
	}
	for _, name := range names {
		if err := checkName("the name of the shard", name); err != nil {
			return nil, err
		}
	}
	reads := make([]kv.Future[[]byte], len(names))
	for i, name := range names {
		reads[i] = tr.Get(g.keys.of(KindShard, name))
	}
	return reads, nil
}

// awaitFloor returns the highest term of any shard that was removed.
func (g *Group) awaitFloor(read kv.Future[[]byte]) (uint64, error) {
	value, err := read.Get()
	if err != nil || value == nil {
		return 0, err
	}
	r := record.Open("floor", g.keys.floor, value)
	floor := r.Count()
	return floor, r.Close()
}

// raiseFloor makes a shard that is created again begin above term.
func (g *Group) raiseFloor(tr kv.Transaction, read kv.Future[[]byte], term uint64) error {
	floor, err := g.awaitFloor(read)
	if err != nil || floor >= term {
		return err
	}
	tr.Set(g.keys.floor, subspace.AppendUint(record.New(12), term))
	return nil
}
