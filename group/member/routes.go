package member

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// Leader is the member that leads a shard.
type Leader struct {
	election.Identity
	// Term is the term of its tenure.
	Term uint64
	// Tags are those of the member, such as its address. Do not change them.
	Tags map[string]string
}

// routes are the leaders of all shards, as this process knows them.
type routes struct {
	mu      sync.RWMutex
	shards  map[string]route
	members map[string]target
}

type route struct {
	leader election.Identity
	term   uint64
}

type target struct {
	incarnation uuid.UUID
	tags        map[string]string
}

func (r *routes) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shards, r.members = make(map[string]route), make(map[string]target)
}

// update adopts what has changed in the mirror.
func (r *routes) update(m *mirror.Mirror, change *membership.RoutesChanged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range change.Shards {
		if s := m.Shard(name); s != nil && s.Unreadable == nil && !s.Vacant() {
			r.shards[name] = route{s.Leader, s.Term}
		} else {
			delete(r.shards, name)
		}
	}
	if !change.Members {
		return
	}
	clear(r.members)
	for _, id := range m.MemberIDs() {
		if member := m.Member(id); member != nil {
			r.members[id] = target{member.Incarnation, member.Tags}
		}
	}
}

// Leader returns the member that leads a shard, as far as this process knows. It does no I/O and
// takes well under a microsecond. The answer may be out of date by the time of a watch: the
// receiver of a request must check that it leads the shard, with Member.Shard. It returns false
// if the shard is free or unknown.
func (m *Member) Leader(shard string) (Leader, bool) {
	r := &m.routes
	r.mu.RLock()
	defer r.mu.RUnlock()
	route, ok := r.shards[shard]
	if !ok {
		return Leader{}, false
	}
	to, ok := r.members[route.leader.ID]
	if !ok || to.incarnation != route.leader.Incarnation {
		return Leader{}, false
	}
	return Leader{Identity: route.leader, Term: route.term, Tags: to.tags}, true
}

// Shard returns the tenure in which this process leads a shard now, by its own clock. It does no
// I/O.
func (m *Member) Shard(name string) (*Shard, bool) {
	s := m.last()
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	shard := s.shards[name]
	s.mu.Unlock()
	return shard, shard != nil && shard.Leads()
}

// Shards returns the tenures of the shards that this process leads now, in the order of their
// names. It does no I/O.
func (m *Member) Shards() []*Shard {
	s := m.last()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.shards))
	shards := make([]*Shard, 0, len(names))
	for _, name := range names {
		shards = append(shards, s.shards[name])
	}
	s.mu.Unlock()
	return slices.DeleteFunc(shards, func(shard *Shard) bool { return !shard.Leads() })
}

// noteSynced notes that the mirror is complete. The caller holds s.mu.
func (s *session) noteSynced() {
	select {
	case <-s.synced:
	default:
		if s.machine.Mirror().Complete() {
			close(s.synced)
		}
	}
}

// WaitSynced waits until this process knows the leaders of all shards once, so that Leader
// answers for each. It returns the cause of ctx if ctx ends first, and another error if the member
// is not running.
func (m *Member) WaitSynced(ctx context.Context) error {
	s := m.last()
	if s == nil {
		return errNotRunning
	}
	select {
	case <-s.synced:
		return nil
	case <-s.ended:
		return errNotRunning
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
