package group

import (
	"fmt"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// MaxBatch is the most shards of one call. A transaction with them has less than 1 MB with
// names of common lengths, and less than 5 MB with the longest ones.
const MaxBatch = 500

// Outcome is what became of one shard of a batch.
type Outcome struct {
	// Shard is the record after the call. If Removed, there is none.
	Shard   Shard
	Removed bool
	// Err says why nothing was done: ErrHeld, ErrNoShard, ErrTarget, ErrFenced or
	// ErrInvalidState. It is nil if what was asked is done, now or by an earlier run.
	Err error
}

// checkBatch returns nil if a batch is not too large and names each shard once.
func checkBatch(names []string) error {
	if len(names) > MaxBatch {
		return tooLarge(len(names))
	}
	seen := make(map[string]struct{}, len(names))
	for _, name := range names {
		seen[name] = struct{}{}
	}
	if len(seen) < len(names) {
		return fmt.Errorf("%w: a batch names a shard twice", ErrInvalidName)
	}
	return nil
}

// checkShards returns nil if a batch is not too large and all of its names are valid.
func checkShards(names []string) error {
	if len(names) > MaxBatch {
		return tooLarge(len(names))
	}
	for _, name := range names {
		if err := checkName("the name of the shard", name); err != nil {
			return err
		}
	}
	return nil
}

func tooLarge(n int) error {
	return fmt.Errorf("%w: %d; use at most %d", ErrBatchTooLarge, n, MaxBatch)
}

// beginShards begins to read the records of shards. It reads nothing for a name that no shard
// can have.
func (g *Group) beginShards(tr kv.ReadTransaction, names []string) []kv.Future[[]byte] {
	reads := make([]kv.Future[[]byte], len(names))
	for i, name := range names {
		if record.NameProblem(name) == "" {
			reads[i] = tr.Get(g.keys.of(KindShard, name))
		}
	}
	return reads
}

// awaitShards returns the shard records that were read. The Err of one that is missing or
// cannot be read says so.
func (g *Group) awaitShards(names []string, reads []kv.Future[[]byte]) ([]Outcome, error) {
	outcomes := make([]Outcome, len(reads))
	for i, read := range reads {
		o, name := &outcomes[i], names[i]
		var value []byte
		if read != nil {
			var err error
			if value, err = read.Get(); err != nil {
				return nil, err
			}
		}
		if value == nil {
			o.Shard.Name, o.Removed, o.Err = name, true, noShard(name)
			continue
		}
		o.Shard, o.Err = decodeShard(g.keys.of(KindShard, name), name, value)
	}
	return outcomes, nil
}

func noShard(name string) error { return fmt.Errorf("%w: %s", ErrNoShard, election.SafeText(name)) }

// writeShard begins or ends a tenure.
func (g *Group) writeShard(tr kv.Transaction, o *Outcome, next Shard) {
	o.Shard = next
	g.write(tr, KindShard, next.Name, next.encode())
}

// removeShard removes a shard and what an operator wanted for it.
func (g *Group) removeShard(tr kv.Transaction, name, by, why string) {
	g.remove(tr, KindShard, name, by, why)
	g.remove(tr, KindPin, name, by, why)
	g.remove(tr, KindRequest, name, by, why)
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

// floor is the highest term of any shard that was removed. A shard that is created again begins
// there, so its next term is a new one.
type floor struct {
	term uint64
	// err says that the record cannot be read. No shard can be created or removed then.
	err     error
	changed bool
}

// awaitFloor returns the floor. Errors: those of the store.
func (g *Group) awaitFloor(read kv.Future[[]byte]) (floor, error) {
	value, err := read.Get()
	if err != nil || value == nil {
		return floor{}, err
	}
	r := record.Open("floor", g.keys.floor, value)
	term := r.Count()
	if err := r.Close(); err != nil {
		return floor{err: err}, nil //nolint:nilerr // it costs only what depends on the floor
	}
	return floor{term: term}, nil
}

// raise raises the floor to a term.
func (f *floor) raise(term uint64) error {
	if f.err == nil && term > f.term {
		f.term, f.changed = term, true
	}
	return f.err
}

// writeFloor writes a floor that was raised.
func (g *Group) writeFloor(tr kv.Transaction, f floor) {
	if f.changed {
		tr.Set(g.keys.floor, floorValue(f.term))
	}
}

func floorValue(term uint64) []byte { return subspace.AppendUint(record.New(12), term) }
