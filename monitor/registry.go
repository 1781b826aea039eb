package monitor

import (
	"slices"
	"sync"
)

// registry holds the electors or the members of this process that a collector exports. It is safe
// for concurrent use.
type registry[T comparable] struct {
	limit int

	mu  sync.Mutex
	all []registered[T]
}

// registered is an elector or a member, with its labels: the name of its election or group, and
// its id.
type registered[T comparable] struct {
	value     T
	space, id string
}

// defaultRegistered is how many are exported if the options have no limit.
const defaultRegistered = 100

// add adds a value. One with the same labels is replaced.
func (r *registry[T]) add(space, id string, value T) {
	own := registered[T]{value, safeLabel(space), safeLabel(id)}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.all, func(o registered[T]) bool { return o.space == own.space && o.id == own.id })
	if at >= 0 {
		r.all[at] = own
		return
	}
	r.all = append(r.all, own)
}

func (r *registry[T]) remove(value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = slices.DeleteFunc(r.all, func(o registered[T]) bool { return o.value == value })
}

// exported returns those up to the limit, and the number of the others.
func (r *registry[T]) exported() (all []registered[T], leftOut int) {
	limit := r.limit
	if limit <= 0 {
		limit = defaultRegistered
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.all), limit)
	return slices.Clone(r.all[:n]), len(r.all) - n
}
