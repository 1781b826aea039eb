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
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Elector is one contender in one election: a process may have several, for as
// many elections. Its methods are safe for concurrent use.
//
// It is used in one of three ways at a time, Start, Run or Campaign; Observe goes
// beside each of them, and alone. After it has stopped it can be used again.
type Elector struct {
	db       kv.Database
	election *election.LeaderElection
	options  Options
	random   io.Reader
	logger   *slog.Logger

	mu      sync.Mutex
	me      election.Registration // as it is to be
	session *session              // the last one

	status atomic.Pointer[status]
	errs   chan error
	lanes  lateCallbacks

	configGiven bool               // in the options
	compared    fdbelection.Config // the stored one of the last warning; guarded by the session
	hub         broadcaster
}

// New returns an elector that has not started. It does no I/O. The error lists
// all that is wrong with the options.
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
		errs: make(chan error, keptErrors),
	}
	if el.random == nil {
		el.random = rand.Reader
	}
	el.status.Store(&status{})
	return el, nil
}

// Start begins to campaign in the background, and returns at once: what happens
// is told by the callbacks, by Observe and by IsLeader. When ctx ends the elector
// leaves as by Stop. Errors: ErrRunning, and the cause of a ctx that has ended.
//
// Where leadership is given up although it could go on, the seat is released
// after the callbacks that tell of it have returned.
func (e *Elector) Start(ctx context.Context) error {
	_, err := e.open(ctx, background, machine.Campaign)
	return err
}

// open begins a session, or takes over one that only observes.
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
	case s != nil && m == campaigning && s.mode == campaigning: // it goes on until Stop
		return s, nil
	case s != nil && s.mode != subscribing:
		return nil, ErrRunning
	case s != nil && s.adopt(ctx, m, aim):
	default:
		var err error
		if s, err = e.newSession(ctx, m, aim); err != nil {
			return nil, err
		}
		s.post(machine.Begin{})
	}
	if m == background || m == working {
		stop := context.AfterFunc(ctx, func() { s.post(machine.Leave{}) })
		context.AfterFunc(s.ctx, func() { stop() })
	}
	return s, nil
}

// adopt gives a session that only observes a purpose. It reports false where the
// last observer has ended it meanwhile.
func (s *session) adopt(ctx context.Context, m mode, aim machine.Aim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.mode, s.values = m, context.WithoutCancel(ctx)
	if config := s.machine.View().Config; config.Revision > 0 {
		s.compareConfig(config) // it may make the election from now on
	}
	s.take(machine.AimChanged{Aim: aim})
	return true
}

// live returns the session that goes on, or nil. The elector is locked.
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

func (e *Elector) running() *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live()
}

// Stop has the work stop, gives up the seat and removes the candidate. It returns
// when that is done and the last callback has returned. Stopping what is not
// running does nothing.
//
// ctx bounds only how long Stop waits. If ctx ends first, or has ended already,
// Stop returns its cause and the elector goes on leaving in the background, within
// Options.DrainLimit and Options.LeaveLimit. It needs the database until then, and
// Start, Run and Campaign are refused. Call Stop again to wait for the rest, or
// Abandon to end it at once.
//
// Errors besides: *LeaveError, and why the elector had stopped of itself.
func (e *Elector) Stop(ctx context.Context) error {
	e.mu.Lock()
	s := e.session
	e.mu.Unlock()
	if s == nil {
		return nil
	}
	s.leave()
	if err := s.wait(ctx); !errors.Is(err, errAbandoned) {
		return err
	}
	return nil
}

// leave has the session end in order. One that only observes has nothing to put
// in order.
func (s *session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == subscribing {
		s.quit(nil, ReasonStopped)
		return
	}
	s.take(machine.Leave{})
}

// wait returns when everything of a session is over, or ctx is.
func (s *session) wait(ctx context.Context) error {
	select {
	case <-s.ended:
		return s.err
	default: // a context that has ended already decides only if there is something to wait for
	}
	select {
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Abandon ends everything at once, as the death of the process would: nothing is
// given up, and a seat that is held is free after its lease. It is for tests, and
// for a process that must not touch the database any more.
func (e *Elector) Abandon() {
	if s := e.running(); s != nil {
		s.crash()
	}
}

var errAbandoned = errors.New("elector was abandoned")

// SetPriority changes the priority, from the next heartbeat on, which is sent at
// once.
func (e *Elector) SetPriority(priority int32) {
	_ = e.change(func(me *election.Registration) { me.Priority = priority })
}

// SetRole makes the process a voter or an observer. A leader drains first, and
// gives up its seat. Errors: fdbelection.ErrInvalidCandidate.
func (e *Elector) SetRole(role election.Role) error {
	return e.change(func(me *election.Registration) { me.Role = role })
}

// SetMetadata replaces the tags, from the next heartbeat on, which is sent at
// once. Errors: fdbelection.ErrInvalidCandidate.
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
		s.change(me)
	}
	return nil
}

// change has the candidate change what it says of itself.
func (s *session) change(me election.Registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.role = me.Role
	s.take(machine.RegistrationChanged{Priority: me.Priority, Role: me.Role, Metadata: me.Metadata})
	if s.role != election.Voter {
		s.refuseCampaigns()
	}
}
