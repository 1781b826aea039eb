package elector

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/executor"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// session is the life of one incarnation: a state machine and what runs for it. The
// session has no goroutine of its own. A caller with an event locks the session, steps
// the machine and performs its actions. No action waits.
type session struct {
	elector *Elector
	clock   Clock
	mode    mode
	values  context.Context // the caller's values, without the end of its context
	ctx     context.Context // ends when the session is over
	abandon context.CancelFunc
	done    chan struct{} // closed when the machine has finished or was abandoned
	ended   chan struct{} // closed when all operations and callbacks have returned as well
	err     error         // set before done is closed
	me      election.Identity

	executor executor.Executor
	spans    *spans
	pool     *watchPool
	group    sync.WaitGroup // the goroutines of operations

	mu           sync.Mutex
	machine      machine.Machine
	events       []machine.Event // to be handled, in order
	handling     bool
	over         bool
	running      map[uint64]context.CancelFunc // by the id of the operation
	timer        Timer
	lead         *Leadership   // the present tenure, until its work has returned
	lost         *Leadership   // a tenure that this step has ended, until callbacks are queued
	unreleased   []*Leadership // their work has returned, and leadership is not released yet
	notify       notifier
	announced    election.Token     // the tenure of the last call of OnNewLeader
	stateChanged bool               // in this step
	role         election.Role      // as the program wants it
	storeError   error              // of the last failed operation, until one succeeds
	fault        error              // why the elector has stopped by itself
	existing     *election.Identity // another incarnation that keeps this one from registering

	tenures   chan *Leadership // for Run
	campaigns []*campaign      // waiting calls of Campaign, in order
	// unresigned is the last tenure of Campaign if it ended before its caller resigned it.
	unresigned  *Leadership
	subscribers int // calls of Subscribe that have not ended
}

// mode is how a session was started.
type mode int

const (
	subscribing mode = iota // by Subscribe
	background              // by Start
	working                 // by Run
	campaigning             // by Campaign
)

// newSession returns the next session. It begins with the event machine.Begin. The caller
// holds e.mu.
func (e *Elector) newSession(ctx context.Context, m mode, aim machine.Aim) (*session, error) {
	incarnation, err := uuid.NewRandomFromReader(e.random)
	if err != nil {
		return nil, err
	}
	e.me.Incarnation = incarnation
	me := e.me
	if e.options.Ready != nil {
		me.NotReady = machine.NotChecked
	}
	s := &session{
		elector: e, me: e.me.Identity, role: e.me.Role, clock: e.options.Clock, mode: m,
		values: context.WithoutCancel(ctx), done: make(chan struct{}), ended: make(chan struct{}), tenures: make(chan *Leadership, 1),
		pool: joinPool(e.db, e.options.Clock), running: make(map[uint64]context.CancelFunc),
		machine: machine.New(machine.Settings{
			Me: me, Aim: aim, Config: e.options.Config, MustExist: e.options.MustExist,
			LeadUnready: e.options.LeadUnreadyAfter,
			Drain:       e.options.DrainLimit, Leave: e.options.LeaveLimit, HeadStart: e.options.HeadStart, Permanent: e.options.Permanent,
			FollowCandidates: e.options.Callbacks.OnCandidatesChange != nil,
		}),
	}
	s.ctx, s.abandon = context.WithCancel(s.values)
	s.executor = executor.Executor{Database: e.db, Election: e.election, Now: s.now, Counters: &e.counts.transactions}
	s.traceSpans()
	s.notify = notifier{session: s, callbacks: &e.options.Callbacks, limit: e.options.CallbackLimit, lanes: &e.lanes, pairs: make(map[string]*pair)}
	s.timer = s.clock.AfterFunc(farAway, func() { s.post(machine.Tick{}) })
	e.session = s
	e.broadcaster.open()
	return s, nil
}

func (s *session) now() machine.Now {
	return machine.Now{Local: s.clock.Now(), Wall: s.clock.Wall()}
}

// post handles an event.
func (s *session) post(event machine.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle(event)
}

// handle steps the machine and performs its actions. Events raised during a step are
// handled after it. The caller holds s.mu.
func (s *session) handle(event machine.Event) {
	s.events = append(s.events, event)
	if s.handling {
		return
	}
	s.handling = true
	for len(s.events) > 0 && !s.over {
		next := s.events[0]
		s.events = s.events[1:]
		actions := s.machine.Step(next, s.now())
		s.foresee(actions)
		s.elector.publish(s)
		for _, action := range actions {
			s.perform(action)
		}
		if s.over {
			break
		}
		if s.lost != nil { // after the callbacks that report the loss
			s.notify.push([]call{{lost: s.lost}})
		}
		s.lost = nil
		s.updateDeadlines()
		if len(s.unreleased) > 0 && !s.machine.Holds() {
			s.release(nil)
		}
	}
	s.events, s.lost, s.handling = nil, nil, false
}

// foresee notes what later actions of a step mean for earlier ones.
func (s *session) foresee(actions []machine.Action) {
	s.stateChanged = false
	for _, action := range actions {
		switch a := action.(type) {
		case machine.StateChanged:
			s.stateChanged = true
		case machine.Finish: // Health knows it before a callback is told of the change of state
			s.fault = ownFault(resultOf(a.Err))
		}
	}
}

// perform performs an action. No action waits.
func (s *session) perform(action machine.Action) {
	switch a := action.(type) {
	case machine.StartOperation:
		s.start(a.Operation)
	case machine.CancelOperation:
		if cancel := s.running[a.Op]; cancel != nil {
			cancel()
		}
	case machine.Lead:
		s.begin(a.Leader)
	case machine.Drain:
		s.drain(a)
	case machine.Expire:
		if l := s.lead; l != nil && l.Term() == a.Term {
			s.leaseEnded(l)
		}
	case machine.StateChanged:
		s.reportState(transitionOf(a.Transition))
	case machine.LeaderChanged:
		s.reportLeader(a)
	case machine.CandidatesChanged:
		s.notify.candidatesChange()
	case machine.ConfigChanged:
		s.reportConfig(a.Config)
	case machine.Evicted:
		s.log().Info("evicted candidates", "candidates", safe(a.IDs))
	case machine.IDInUse:
		s.existing = &a.Existing.Identity
		s.log().Info("another process is registered under this id, waiting to see whether it is alive",
			"existing", a.Existing.Identity.String(), "at_most", a.Until.Sub(s.clock.Now()).String())
	case machine.HoldOff:
		s.log().Warn("holding off after a failed tenure", "failures", a.Failures, "duration", a.For.String())
	case machine.Delayed:
		s.log().Info("claim delayed", "rule", a.Rule, "duration", a.Until.Sub(s.clock.Now()).String())
	case machine.Report:
		s.reportStore(a)
	case machine.Wake:
		s.timer.Reset(max(a.At.Sub(s.clock.Now()), clock.MinDelay))
	case machine.Finish:
		s.finish(resultOf(a.Err))
	}
}

// updateDeadlines sets the deadlines of the present tenure.
func (s *session) updateDeadlines() {
	l := s.lead
	if l == nil {
		return
	}
	l.remember(s.machine.View().Leader, s.storeError)
	if d := s.machine.Deadlines(); d.Term == l.Term() {
		l.setDeadlines(d)
		if !d.Stop.IsZero() && !l.Leads() { // a caller may have been told so between two steps
			s.handle(machine.DeadlinePassed{Term: d.Term})
		}
	}
}

// release reports that the leadership of ended tenures is released, or why not.
func (s *session) release(err error) {
	for _, l := range s.unreleased {
		l.notReleased = err
		close(l.released)
	}
	s.unreleased = nil
	s.spans.released(err)
}

// finish ends the session because the machine has finished.
func (s *session) finish(err error) {
	if err != nil { // there may be no call of Stop that returns it
		s.log().Warn("stopped with an error", "error", loop.LineError{Err: err})
		s.elector.report(err)
	}
	if _, registered := errors.AsType[*LeaveError](err); registered {
		s.end(err, err)
	} else {
		s.end(err, nil)
	}
	s.close()
}

// crash ends the session like a crash of the process: nothing is released, and only this
// process is informed.
func (s *session) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quit(errAbandoned, ReasonFailed)
}

// quit ends the session and releases nothing. The caller holds s.mu.
func (s *session) quit(err error, reason Reason) {
	if s.over {
		return
	}
	view := s.machine.View()
	s.end(err, err)
	if from := stateOf(view.State); from != StateStopped {
		s.reportState(Transition{
			From: from, To: StateStopped, Term: view.Leader.Term, Reason: reason, At: s.clock.Wall(),
		})
	}
	s.close()
}

// end ends the present tenure and every operation. notReleased is why leadership that was
// held is not released.
func (s *session) end(err, notReleased error) {
	s.over, s.err = true, err
	s.timer.Stop()
	if l := s.lead; l != nil {
		l.end(l.loss(ReasonFailed, err))
		s.lead = nil
		s.unreleased = append(s.unreleased, l)
	}
	s.release(notReleased)
	s.spans.ended(err)
	s.abandon()
	view := s.machine.View()
	view.State = machine.StateStopped
	s.elector.status.Store(&status{View: view, at: s.now(), fault: ownFault(err)})
	s.elector.broadcaster.close()
}

// close closes done, and closes ended when everything that the session has started has
// returned. Nothing is started afterwards.
func (s *session) close() {
	close(s.done)
	go func() {
		s.group.Wait()
		s.pool.leave()
		s.notify.group.Wait()
		close(s.ended)
	}()
}
