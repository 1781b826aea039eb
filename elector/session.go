package elector

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/executor"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// session is the life of one incarnation: a machine, and what runs for it. There
// is no goroutine for the session itself. Whoever has an event takes the lock
// and takes the machine one step further; none of the actions waits.
type session struct {
	elector *Elector
	clock   Clock
	mode    mode
	values  context.Context // of the caller, without its end
	ctx     context.Context // ends when everything is abandoned
	abandon context.CancelFunc
	done    chan struct{} // closed when the machine has finished, or is abandoned
	ended   chan struct{} // closed when its operations and callbacks have returned as well
	err     error         // once done
	runner
	me election.Identity

	mu         sync.Mutex
	machine    machine.Machine
	events     []machine.Event // to be taken, in order
	inStep     bool
	over       bool
	timer      Timer
	lead       *Leadership   // the present tenure, until its work has returned
	lost       *Leadership   // the tenure that this step has ended, to be told of
	waiting    []*Leadership // whose work has returned, and whose seat is not given up yet
	notify     notifier
	greeted    election.Token     // the tenure that OnNewLeader was told of
	moved      bool               // the step has told of a change of state
	role       election.Role      // as it is to be
	storeError error              // with the store at present
	awaited    *election.Identity // another incarnation that keeps this one from registering

	// How tenures are worked on: by mode.
	tenures   chan *Leadership // of Run
	campaigns []*campaign
	// unresigned is the last tenure of Campaign, if it ended before its caller
	// resigned it.
	unresigned  *Leadership
	subscribers int // observers of a session that was begun for them
}

// mode is how a session was begun.
type mode int

const (
	subscribing mode = iota
	background
	working
	campaigning
)

// newSession makes the next session, which is yet to begin. The elector is
// locked.
func (e *Elector) newSession(ctx context.Context, m mode, aim machine.Aim) (*session, error) {
	incarnation, err := uuid.NewRandomFromReader(e.random)
	if err != nil {
		return nil, err
	}
	e.me.Incarnation = incarnation
	s := &session{
		elector: e, me: e.me.Identity, role: e.me.Role, clock: e.options.Clock, mode: m,
		values: context.WithoutCancel(ctx), done: make(chan struct{}), ended: make(chan struct{}), tenures: make(chan *Leadership, 1),
		machine: machine.New(machine.Settings{
			Me: e.me, Aim: aim, Config: e.options.Config, MustExist: e.options.MustExist,
			Drain: e.options.DrainLimit, Leave: e.options.LeaveLimit, Permanent: e.options.Permanent,
		}),
	}
	s.ctx, s.abandon = context.WithCancel(s.values)
	s.runner = runner{
		Executor: executor.Executor{Database: e.db, Election: e.election, Now: s.now},
		session:  s, pool: joinPool(e.db, e.options.Clock), running: make(map[uint64]context.CancelFunc),
	}
	s.notify = notifier{session: s, callbacks: &e.options.Callbacks, limit: e.options.CallbackLimit, lanes: &e.lanes, pairs: make(map[string]*pair)}
	s.timer = s.clock.AfterFunc(farAway, func() { s.post(machine.Tick{}) })
	e.session = s
	e.hub.open()
	return s, nil
}

func (s *session) now() machine.Now {
	return machine.Now{Local: s.clock.Now(), Wall: s.clock.Wall()}
}

// post has the machine take an event.
func (s *session) post(event machine.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take(event)
}

// take is post for who holds the lock. An event that comes of a step is taken
// after it.
func (s *session) take(event machine.Event) {
	s.events = append(s.events, event)
	if s.inStep {
		return
	}
	s.inStep = true
	for len(s.events) > 0 {
		next := s.events[0]
		s.events = s.events[1:]
		s.step(next)
	}
	s.events, s.inStep = nil, false
}

func (s *session) step(event machine.Event) {
	if s.over {
		return
	}
	var actions []machine.Action
	s.machine, actions = machine.Step(s.machine, event, s.now())
	s.elector.publish(s)
	s.moved = false
	for _, action := range actions {
		if _, ok := action.(machine.StateChanged); ok {
			s.moved = true
		}
	}
	for _, action := range actions {
		s.perform(action)
	}
	if s.lost != nil && !s.over { // after what is called for the loss
		s.notify.push([]call{{lost: s.lost}})
	}
	s.lost = nil
	s.updateDeadlines()
	if len(s.waiting) > 0 && !s.machine.Holds() {
		s.release(nil)
	}
}

// updateDeadlines passes on how far the present tenure may be believed in.
func (s *session) updateDeadlines() {
	if l := s.lead; l != nil {
		l.learn(s.machine.View().Leader, s.storeError)
		if b := s.machine.Deadlines(); b.Term == l.Term() {
			l.setDeadlines(b)
			if !b.Stop.IsZero() && !l.Leads() { // who asked was told so, between two steps
				s.take(machine.DeadlinePassed{Term: b.Term})
			}
		}
	}
}

// release tells that the seats of ended tenures are given up, or why they are
// not.
func (s *session) release(err error) {
	for _, l := range s.waiting {
		l.kept = err
		close(l.released)
	}
	s.waiting = nil
}

// perform carries out an action. None of them waits.
func (s *session) perform(action machine.Action) {
	switch a := action.(type) {
	case machine.StartOperation:
		switch a.Kind {
		case machine.ReadLeader, machine.ElectionCycle, machine.WatchTerm: // it is registered
			s.awaited = nil
		default:
		}
		s.start(a.Operation)
	case machine.CancelOperation:
		s.cancel(a.Op)
	case machine.Lead:
		s.begin(a.Leader)
	case machine.Drain:
		s.drain(a.Term, reasonOf(a.Reason), a.Err)
	case machine.Expire:
		if l := s.lead; l != nil && l.Term() == a.Term {
			s.leaseOver(l)
		}
	case machine.StateChanged:
		s.tellStateChange(transitionOf(a.Transition))
	case machine.LeaderChanged:
		s.tellLeader(a.Leader)
	case machine.ConfigChanged:
		s.tellConfig(a.Config)
	case machine.Evicted:
		s.log().Info("evicted dead candidates", "candidates", safe(a.IDs))
	case machine.IDInUse:
		s.awaited = &a.Existing.Identity
		s.tellAwait(a)
	case machine.HoldOff:
		s.tellHoldOff(a)
	case machine.Report:
		s.tellStoreError(a)
	case machine.Wake:
		s.timer.Reset(max(a.At.Sub(s.clock.Now()), clock.MinDelay))
	case machine.Finish:
		s.finish(resultOf(a.Err))
	}
}

// finish ends the session, as the machine asks for it.
func (s *session) finish(err error) {
	if err != nil { // no call of Stop may be waiting for it
		s.log().Warn("stopped with an error", "error", lineError{err})
		s.elector.report(err)
	}
	if _, unsaid := errors.AsType[*LeaveError](err); unsaid {
		s.end(err, err)
	} else {
		s.end(err, nil)
	}
	s.close()
}

// close says that the session is over. Nothing is started for it any more.
func (s *session) close() {
	close(s.done)
	go func() {
		s.group.Wait()
		s.pool.leave()
		s.notify.group.Wait()
		close(s.ended)
	}()
}

// crash ends the session as if the process had: nothing is given up, and nobody
// is told but this process itself.
func (s *session) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quit(errAbandoned, ReasonFailed)
}

// quit ends the session without giving up anything. The session is locked.
func (s *session) quit(err error, reason Reason) {
	if s.over {
		return
	}
	view := s.machine.View()
	s.end(err, err)
	if from := stateOf(view.State); from != StateStopped {
		s.tellStateChange(Transition{
			From: from, To: StateStopped, Term: view.Leader.Term, Reason: reason, At: s.clock.Wall(),
		})
	}
	s.close()
}

// end ends all that goes on. kept is why a seat that was held is not given up.
func (s *session) end(err, kept error) {
	s.over, s.err = true, err
	s.timer.Stop()
	if l := s.lead; l != nil {
		l.over(l.loss(ReasonFailed, err))
		s.lead = nil
		s.waiting = append(s.waiting, l)
	}
	s.release(kept)
	s.abandon()
	s.elector.closed(s)
}
