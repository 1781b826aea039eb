package elector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Elector is the loop of one process in one election. A process may have several, for
// several elections. Its methods are safe for concurrent use.
//
// One of Start, Run and Campaign can use it at a time. Subscribe works beside each of them
// and alone. An elector that has stopped can be used again.
type Elector struct {
	db       kv.Database
	election *election.LeaderElection
	options  Options
	random   io.Reader
	logger   *slog.Logger

	mu      sync.Mutex
	me      election.Registration // as the program wants it
	session *session              // the last one

	status    atomic.Pointer[status]
	published published
	errs      loop.Errors
	lanes     lateCallbacks
	readiness loop.ReadinessCheck
	counts    counts

	configGiven bool               // Options.Config was set
	compared    fdbelection.Config // the stored config of the last warning; guarded by the session
	broadcaster broadcaster
}

// New returns an elector that has not started. It does no I/O. The error lists every
// invalid option.
func New(db kv.Database, e *election.LeaderElection, opts Options) (*Elector, error) {
	if db == nil || e == nil {
		return nil, errors.New("elector: New needs a database and an election")
	}
	given := opts.Config != fdbelection.Config{}
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("elector: %w", err)
	}
	el := &Elector{
		db: db, election: e, options: opts, random: opts.Random, configGiven: given,
		logger: named(opts.Logger, e, opts.NodeID),
		me: election.Registration{
			Identity: election.Identity{ID: opts.NodeID},
			Priority: opts.Priority, Role: opts.Role, Metadata: opts.Metadata,
		},
		errs: loop.NewErrors(),
	}
	if el.random == nil {
		el.random = rand.Reader
	}
	el.status.Store(&status{})
	return el, nil
}

// Start campaigns in the background and returns at once. Leading, Subscribe and the
// callbacks tell what happens. When ctx ends, the elector leaves as if Stop was called.
// Start returns ErrRunning if the elector is in use, and the cause of ctx if ctx has
// ended.
//
// If leadership is given up although it could continue, it is released after the callbacks
// that report the loss have returned.
func (e *Elector) Start(ctx context.Context) error {
	_, err := e.open(ctx, background, machine.Campaign)
	return err
}

// open begins a session, or gives the session of a subscriber a new mode.
func (e *Elector) open(ctx context.Context, m mode, aim machine.Aim) (*session, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if m == campaigning && e.me.Role != election.Voter {
		return nil, fdbelection.ErrNotVoting
	}
	s := e.live()
	switch {
	case s != nil && m == campaigning && s.mode == campaigning: // it runs until Stop
		return s, nil
	case s != nil && s.mode != subscribing:
		return nil, ErrRunning
	case s != nil && s.changeMode(ctx, m, aim):
	default:
		var err error
		if s, err = e.newSession(ctx, m, aim); err != nil {
			return nil, err
		}
		s.post(machine.Begin{})
	}
	s.startReadiness()
	if m == background || m == working {
		stop := context.AfterFunc(ctx, func() { s.post(machine.Leave{}) })
		context.AfterFunc(s.ctx, func() { stop() })
	}
	return s, nil
}

// changeMode changes the mode of a session that only subscribes. It returns false if the
// last subscriber has ended the session in the meantime.
func (s *session) changeMode(ctx context.Context, m mode, aim machine.Aim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.mode, s.values = m, context.WithoutCancel(ctx)
	if config := s.machine.View().Config; config.Revision > 0 {
		s.compareConfig(config) // from now on it may create the election
	}
	s.handle(machine.AimChanged{Aim: aim})
	return true
}

// live returns the session that is not over, or nil. The caller holds e.mu.
func (e *Elector) live() *session {
	if e.session == nil {
		return nil
	}
	select {
	case <-e.session.done:
		return nil
	default:
		return e.session
	}
}

// Stop asks the work to stop, releases leadership and unregisters the candidate. It
// returns when that is done and the last callback has returned. It does nothing if the
// elector is not running.
//
// ctx limits only how long Stop waits. If ctx ends first, Stop returns its cause, and the
// elector goes on leaving in the background within Options.DrainLimit and
// Options.LeaveLimit. Until then it needs the database and refuses Start, Run and
// Campaign. Call Stop again to wait for the rest, or Abandon to end it at once.
//
// To hand over to a certain successor, use StopAndHandOver.
//
// Stop also returns a *LeaveError if the candidate could not be unregistered, and the
// error with which the elector has stopped by itself.
func (e *Elector) Stop(ctx context.Context) error {
	e.mu.Lock()
	s := e.session
	e.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.stop(ctx, machine.Leave{})
}

// stop ends the session in order, and waits for that or for the end of ctx.
func (s *session) stop(ctx context.Context, how machine.Leave) error {
	s.leave(how)
	if err := s.wait(ctx); !errors.Is(err, errAbandoned) {
		return err
	}
	return nil
}

// leave ends the session in order. A session that only subscribes ends at once.
func (s *session) leave(how machine.Leave) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == subscribing {
		s.quit(nil, ReasonStopped)
		return
	}
	s.handle(how)
}

// wait returns when the session has ended completely, or ctx has.
func (s *session) wait(ctx context.Context) error {
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

// Abandon ends everything at once, like a crash of the process. It releases nothing:
// leadership lasts until its lease expires, and the candidate stays registered until it is
// evicted. It is for tests, and for a process that must not touch the database any more.
func (e *Elector) Abandon() {
	e.mu.Lock()
	s := e.live()
	e.mu.Unlock()
	if s != nil {
		s.crash()
	}
}

var errAbandoned = errors.New("elector was abandoned")

// SetPriority changes the priority. A heartbeat writes it at once.
func (e *Elector) SetPriority(priority int32) {
	_ = e.change(func(me *election.Registration) { me.Priority = priority })
}

// SetRole makes the process a voter or an observer. A leader that becomes an observer
// drains and resigns first. SetRole returns fdbelection.ErrInvalidCandidate if there is no
// such role.
func (e *Elector) SetRole(role election.Role) error {
	return e.change(func(me *election.Registration) { me.Role = role })
}

// SetMetadata replaces the metadata. A heartbeat writes it at once. If this process leads,
// watches tell the other processes within milliseconds: see Subscribe. SetMetadata returns
// fdbelection.ErrInvalidCandidate if the metadata is not valid.
func (e *Elector) SetMetadata(metadata map[string]string) error {
	metadata = maps.Clone(metadata)
	return e.change(func(me *election.Registration) { me.Metadata = metadata })
}

func (e *Elector) change(change func(*election.Registration)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	me := e.me
	change(&me)
	if err := me.Validate(); err != nil {
		return err
	}
	e.me = me
	if s := e.live(); s != nil {
		s.changeRegistration(me)
	}
	return nil
}

func (s *session) changeRegistration(me election.Registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.role = me.Role
	s.handle(machine.RegistrationChanged{Priority: me.Priority, Role: me.Role, Metadata: me.Metadata})
	if s.role != election.Voter {
		s.refuseCampaigns()
	}
}
