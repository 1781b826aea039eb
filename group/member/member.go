package member

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/kv"
)

// Member is the loop of one process in one group. Its methods are safe for concurrent use. A
// Member that has stopped can be used again.
type Member struct {
	db      kv.Database
	group   *group.Group
	options Options
	random  io.Reader
	logger  *slog.Logger

	opening   sync.Mutex              // only one session at a time
	session   atomic.Pointer[session] // the last one
	routes    routes
	errs      loop.Errors
	readiness loop.ReadinessCheck
	counts    counts
	deadlines deadlines
}

// New returns a member that has not started. It does no I/O. The error lists every invalid
// option.
func New(db kv.Database, g *group.Group, options Options) (*Member, error) {
	if db == nil || g == nil {
		return nil, errors.New("member: New needs a database and a group")
	}
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	name := strings.TrimPrefix(g.Subspace().String(), "subspace ")
	m := &Member{
		db: db, group: g, options: options, random: options.Random, errs: loop.NewErrors(),
		logger: options.Logger.With("group", election.SafeText(name), "member", election.SafeText(options.ID)),
	}
	if m.random == nil {
		m.random = rand.Reader
	}
	return m, nil
}

// ID returns the id of the member.
func (m *Member) ID() string { return m.options.ID }

// Work is what a process does for one shard that it leads. Its context ends when the process
// stops leading the shard, with a *LossError as its cause.
type Work func(ctx context.Context, shard *Shard) error

// Run joins the group and calls work for each shard that this process leads, each in a
// goroutine of its own, until ctx ends or Stop is called. Then all work is told to stop, the
// shards are handed over, and the process leaves.
//
// The lease is renewed until work has returned or its time to stop has passed, see
// Shard.LeaseContext. Only then is the shard released. So let work return soon after its context
// has ended. Work on one shard never runs twice at a time in this process.
//
// If work returns although nothing asked it to stop, the shard is released, and this process does
// not claim it for one heartbeat interval. If it returned an error, Run reports it as a WorkError,
// and the time doubles with each failure in a row, up to 32 leases. Other members may claim the
// shard meanwhile.
//
// Run returns nil if it has left in order, and otherwise a *LeaveError or why the member had to
// stop, such as fdbelection.ErrDuplicateID. It waits until all work has returned. It returns
// elector.ErrRunning if the member is in use.
func (m *Member) Run(ctx context.Context, work Work) error {
	s, err := m.open(ctx, m.options.ID, &goroutines{work: work})
	if err != nil {
		return err
	}
	<-s.ended
	return s.err
}

// Callbacks are the work of a process that does not want a goroutine for each shard.
type Callbacks struct {
	// OnAcquire is called when this process leads a shard. If it returns an error, that counts as
	// failed work, and OnRelease is not called. OnAcquire must return soon.
	OnAcquire func(shard *Shard) error
	// OnRelease is called when the process stops leading the shard, after OnAcquire has returned.
	// The shard is released when it returns, so all work on the shard must have stopped by then.
	OnRelease func(shard *Shard)
}

// Start joins the group in the background and returns at once. The callbacks are called in a few
// goroutines, one at a time for each shard. When ctx ends, the member leaves as if Stop was called.
// Start returns elector.ErrRunning if the member is in use, and the cause of ctx if it has ended.
func (m *Member) Start(ctx context.Context, callbacks Callbacks) error {
	_, err := m.open(ctx, m.options.ID, newLanes(callbacks))
	return err
}

// Observe follows the group in the background, without taking part in it: it writes nothing, and
// has no member record. It is for routers, which call Leader. When ctx ends, or Stop is called, it
// ends. Observe returns elector.ErrRunning if the member is in use, and the cause of ctx if it has
// ended.
func (m *Member) Observe(ctx context.Context) error {
	_, err := m.open(ctx, "", nil)
	return err
}

// open begins a session. An empty id observes.
func (m *Member) open(ctx context.Context, id string, works works) (*session, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m.opening.Lock()
	defer m.opening.Unlock()
	if s := m.last(); s != nil {
		select {
		case <-s.ended:
		default:
			return nil, elector.ErrRunning
		}
	}
	s := m.newSession(ctx, id, works)
	m.session.Store(s)
	s.begin()
	stop := context.AfterFunc(ctx, s.leave)
	context.AfterFunc(s.ctx, func() { stop() })
	return s, nil
}

// Stop asks all work to stop, hands the shards over and leaves the group. It returns when that
// is done and all work has returned. It does nothing if the member is not running.
//
// ctx limits only how long Stop waits. If ctx ends first, Stop returns its cause, and the member
// goes on leaving in the background.
//
// Stop also returns a *LeaveError if the process could not leave, and the error with which the
// member has stopped by itself.
func (m *Member) Stop(ctx context.Context) error {
	s := m.last()
	if s == nil {
		return nil
	}
	s.leave()
	select {
	case <-s.ended:
		return s.err
	default: // a context that has already ended decides only if there is something to wait for
	}
	select {
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Abandon ends everything at once, like a crash of the process. It releases nothing: the session
// lasts until its lease has passed. It is for tests, and for a process that must not touch the
// database any more.
func (m *Member) Abandon() {
	if s := m.last(); s != nil {
		s.crash()
	}
}

// last returns the last session, or nil.
func (m *Member) last() *session { return m.session.Load() }

// Errors returns the channel of errors that no call returns: errors of the store and of records
// that cannot be read, once per change, and each *WorkError and *UnfinishedWorkError. Nothing
// waits for a reader: if 64 errors are waiting, the oldest is dropped. The channel is never closed.
func (m *Member) Errors() <-chan error { return m.errs }

// newUUID draws a UUID. If the source of randomness fails, it uses another one: a nonce or an
// incarnation must never repeat.
func (m *Member) newUUID() uuid.UUID {
	id, err := uuid.NewRandomFromReader(m.random)
	if err != nil {
		return uuid.Must(uuid.NewRandomFromReader(rand.Reader))
	}
	return id
}
