package elector

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// watchPool shares watches among the electors of this process that use one database: at
// most one is outstanding for each key. It also limits how often they log that watches
// fail.
type watchPool struct {
	db       kv.Database
	clock    Clock
	sessions int // guarded by pools

	mu      sync.Mutex
	watches map[watchKey]*sharedWatch
	logged  map[machine.Kind]*logged
}

// watchKey identifies a watched key.
type watchKey struct {
	election string // the bytes of its subspace
	kind     machine.Kind
}

// pools holds one pool for each database in use.
var pools = struct {
	mu sync.Mutex
	of map[kv.Database]*watchPool
}{of: make(map[kv.Database]*watchPool)}

// joinPool returns the pool of a database. The session must call leave at its end. If the
// type of the database cannot be compared, the session gets a pool of its own.
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

// leave removes the pool with its last session.
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
	ready chan struct{} // closed when arming has succeeded or failed
	// watch is set before ready is closed. It is nil if arming has failed. A user that leaves
	// before that reads it with the lock of the pool.
	watch kv.Watch
	// failed is when the first user saw that the armed watch has failed. It is guarded by
	// the pool.
	failed time.Time
}

// enter returns the watch of a key. The user must call leave at its end. If arm is true, the
// user has to arm the watch. A watch that has failed is returned to other users as well
// for the duration failureLasts, because a new watch would fail the same way.
func (p *watchPool) enter(key watchKey, failureLasts time.Duration) (w *sharedWatch, arm bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w = p.watches[key]
	if w == nil || w.spent() && (w.failed.IsZero() || p.clock.Now().Sub(w.failed) >= failureLasts) {
		w = &sharedWatch{pool: p, key: key, ready: make(chan struct{})}
		p.watches[key], arm = w, true
	}
	w.users++
	return w, arm
}

// spent reports whether the watch has fired or failed, or could not be armed.
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

// arm returns an armed watch, and an answer with what was read in the same transaction or
// after it. The caller must call leave on the watch, which outlasts ctx.
func (s *session) arm(ctx context.Context, op machine.Operation) (*sharedWatch, machine.Answer) {
	key := watchKey{string(s.executor.Election.Subspace().Bytes()), op.Kind}
	for {
		w, mine := s.pool.enter(key, op.Limit)
		answer := machine.Answer{}
		if mine {
			answer = s.armNew(ctx, op, w)
		} else if w.await(ctx) {
			if op.Kind = machine.ReadLeader; key.kind == machine.WatchCandidates {
				op.Kind = machine.List
			}
			answer = s.executor.Run(ctx, op, nil)
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

// await waits until another user has armed the watch. It returns false if that has failed
// or ctx ends.
func (w *sharedWatch) await(ctx context.Context) bool {
	select {
	case <-w.ready:
		return w.watch != nil
	case <-ctx.Done():
		return false
	}
}

// armNew arms a watch and reads the status in the same transaction.
func (s *session) armNew(ctx context.Context, op machine.Operation, w *sharedWatch) machine.Answer {
	defer close(w.ready)
	watch, answer := s.executor.Arm(ctx, op)
	if answer.Err == nil {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		w.watch = watch
	}
	return answer
}

// watchLogGap is the shortest time between two log records about failed watches of one
// kind.
const watchLogGap = 30 * time.Minute

// logged is when a kind of failure was last logged, and how many were skipped since.
type logged struct {
	at      time.Time
	skipped int
}

// admit reports whether the failure of a watch is logged, and how many were skipped since
// the last record.
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

// logWatch logs that a watch has failed, at most once per watchLogGap for each kind.
// Otherwise every elector would log it after each back-off.
func (s *session) logWatch(kind machine.Kind, err error) {
	if skipped, ok := s.pool.admit(kind); ok {
		s.log().Warn("watch failed: changes are noticed by polling until it is armed again",
			"kind", kind.String(), "error", loop.LineError{Err: err}, "skipped", skipped)
	}
}
