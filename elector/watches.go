package elector

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// watchPool shares watches among the electors of this process that use one
// database: at most one is outstanding for each key. It also bounds how often they
// log that watches fail.
type watchPool struct {
	db       kv.Database
	clock    Clock
	sessions int // guarded by pools

	mu      sync.Mutex
	watches map[watchKey]*sharedWatch
	logged  map[machine.Kind]*logged
}

// watchKey names a key to watch by its election.
type watchKey struct {
	election string // the bytes of its subspace
	kind     machine.Kind
}

// pools holds the pool of each database that a session uses.
var pools = struct {
	mu sync.Mutex
	of map[kv.Database]*watchPool
}{of: make(map[kv.Database]*watchPool)}

// joinPool returns the pool of a database for one more session, which must leave it.
// A database whose type cannot be compared gets a pool for this session alone.
func joinPool(db kv.Database, clock Clock) *watchPool {
	shares := reflect.ValueOf(db).Comparable()
	pools.mu.Lock()
	defer pools.mu.Unlock()
	var pool *watchPool
	if shares {
		pool = pools.of[db]
	}
	if pool == nil {
		pool = &watchPool{
			db: db, clock: clock, watches: make(map[watchKey]*sharedWatch), logged: make(map[machine.Kind]*logged),
		}
		if shares {
			pools.of[db] = pool
		}
	}
	pool.sessions++
	return pool
}

// leave forgets the pool with its last session.
func (p *watchPool) leave() {
	pools.mu.Lock()
	defer pools.mu.Unlock()
	p.sessions--
	if p.sessions == 0 && reflect.ValueOf(p.db).Comparable() {
		delete(pools.of, p.db)
	}
}

// sharedWatch is a watch that several operations wait for.
type sharedWatch struct {
	pool  *watchPool
	key   watchKey
	users int           // guarded by the pool
	ready chan struct{} // closed once it is armed, or cannot be
	watch kv.Watch      // once ready; nil: it could not be armed
	// failed is when the first user saw that the armed watch has failed; guarded by
	// the pool.
	failed time.Time
}

// enter returns the watch of a key for one more user, who must leave it. If there is
// none that waits, the user has to arm it. One that has failed counts for others as
// well for the time that a failure stands: they would fail the same way.
func (p *watchPool) enter(key watchKey, stands time.Duration) (w *sharedWatch, arm bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w = p.watches[key]
	if w == nil || w.spent() && (w.failed.IsZero() || p.clock.Now().Sub(w.failed) >= stands) {
		w = &sharedWatch{pool: p, key: key, ready: make(chan struct{})}
		p.watches[key], arm = w, true
	}
	w.users++
	return w, arm
}

// spent reports whether the watch does not wait for a change any more.
func (w *sharedWatch) spent() bool {
	select {
	case <-w.ready:
	default:
		return false
	}
	if w.watch == nil {
		return true
	}
	select {
	case <-w.watch.Done():
		return true
	default:
		return false
	}
}

// leave cancels the watch with its last user.
func (w *sharedWatch) leave() {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.failed.IsZero() && w.watch != nil && w.watch.Err() != nil {
		w.failed = p.clock.Now()
	}
	if w.users--; w.users > 0 {
		return
	}
	if p.watches[w.key] == w && w.failed.IsZero() {
		delete(p.watches, w.key)
	}
	if w.watch != nil {
		w.watch.Cancel()
	}
}

// arm returns an armed watch, which must be left, and the seat as it was read since
// it was armed. It waits no longer than ctx; the watch outlives ctx.
func (r *runner) arm(ctx context.Context, op machine.Operation) (*sharedWatch, machine.Answer) {
	key := watchKey{string(r.Election.Subspace().Bytes()), op.Kind}
	for {
		w, mine := r.pool.enter(key, op.Limit)
		answer := machine.Answer{}
		if mine {
			answer = r.armNew(ctx, op, w)
		} else if w.await(ctx) {
			op.Kind = machine.ReadLeader
			answer = r.Run(ctx, op, nil)
		} else if answer.Err = ctx.Err(); answer.Err == nil { // another user could not arm it
			w.leave()
			continue
		}
		if answer.Err != nil {
			w.leave()
			return nil, answer
		}
		return w, answer
	}
}

// await waits until another user has armed the watch, and reports whether it has.
func (w *sharedWatch) await(ctx context.Context) bool {
	select {
	case <-w.ready:
		return w.watch != nil
	case <-ctx.Done():
		return false
	}
}

// armNew arms a watch, and reads the seat in the same transaction.
func (r *runner) armNew(ctx context.Context, op machine.Operation, w *sharedWatch) machine.Answer {
	defer close(w.ready)
	watch, answer := r.Arm(ctx, op)
	if answer.Err == nil {
		w.watch = watch
	}
	return answer
}

// watchLogGap is the least time between two log lines about failed watches of one
// kind.
const watchLogGap = 30 * time.Minute

// logged is when a kind of failure was logged last, and how many were left out since.
type logged struct {
	at      time.Time
	skipped int
}

// admit reports whether the failure of a watch is logged, and how many were left out
// since the last one that was.
func (p *watchPool) admit(kind machine.Kind) (skipped int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, now := p.logged[kind], p.clock.Now()
	if l == nil {
		l = &logged{at: now.Add(-watchLogGap)}
		p.logged[kind] = l
	}
	if now.Sub(l.at) < watchLogGap {
		l.skipped++
		return 0, false
	}
	skipped = l.skipped
	l.at, l.skipped = now, 0
	return skipped, true
}

// logWatch logs that a watch has failed, unless too many lines of the kind were
// logged already. It would be logged after each back-off by each elector otherwise.
func (s *session) logWatch(kind machine.Kind, err error) {
	if skipped, ok := s.pool.admit(kind); ok {
		s.log().Warn("watch failed: changes are noticed by polling until it is armed again",
			"kind", kind.String(), "error", lineError{err}, "skipped", skipped)
	}
}
