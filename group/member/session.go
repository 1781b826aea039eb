package member

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/internal/membership/executor"
)

// session is one run of a member: a state machine and what runs for it. It has no goroutine of
// its own. A caller with an event locks the session, steps the machine and performs its actions.
// No action waits.
type session struct {
	member *Member
	clock  elector.Clock
	values context.Context // the caller's values, without the end of its context
	ctx    context.Context // ends when the session is over
	cancel context.CancelFunc
	works  works         // nil: it observes
	ended  chan struct{} // closed when everything has returned
	err    error         // set before ended is closed

	executor   executor.Executor
	operations sync.WaitGroup
	notices    notices

	mu       sync.Mutex
	machine  *membership.Machine
	events   []membership.Event // to be handled, in order
	handling bool
	over     bool
	running  map[uint64]context.CancelFunc // by the id of the operation
	timer    elector.Timer
	shards   map[string]*Shard // whose work has not returned
	due      time.Time         // of the last Wake
	stepping atomic.Int64      // when the present step began, on the process clock; zero: there is none

	synced   chan struct{}          // closed when the mirror is complete
	notReady atomic.Pointer[string] // why, as of the last step

	contexts      atomic.Pointer[contexts]
	deadlineMu    sync.Mutex
	deadlineTimer elector.Timer
}

// contexts are those of all tenures. Each is made again after it has ended.
type contexts struct {
	lead  *loop.DeadlineContext // while the process leads
	lease *loop.DeadlineContext // while work may use the lease
}

// farAway is the delay of a timer before the machine has asked for a wake-up.
const farAway = 365 * 24 * time.Hour

func (m *Member) newSession(ctx context.Context, id string, works works) *session {
	s := &session{
		member: m, clock: m.options.Clock, works: works, values: context.WithoutCancel(ctx), ended: make(chan struct{}),
		running: make(map[uint64]context.CancelFunc), shards: make(map[string]*Shard), synced: make(chan struct{}),
	}
	settings := membership.Settings{
		ID: id, Weight: m.options.Weight, Capacity: m.options.Capacity, Tags: m.options.Tags,
		Drain: m.options.DrainLimit, Leave: m.options.LeaveLimit, NewNonce: m.newUUID, Permanent: m.options.Permanent,
	}
	if m.options.Ready != nil {
		settings.NotReady = notChecked
	}
	s.machine = membership.New(settings)
	s.notReady.Store(new(string))
	s.noteReadiness()
	s.contexts.Store(&contexts{s.newContext(), s.newContext()})
	s.ctx, s.cancel = context.WithCancel(s.values)
	s.executor = executor.Executor{Database: m.db, Group: m.group, Now: s.now, NewIncarnation: m.newUUID}
	s.notices = notices{member: m}
	s.timer = s.clock.AfterFunc(farAway, func() { s.post(membership.Tick{}) })
	s.deadlineTimer = s.clock.AfterFunc(farAway, s.checkDeadlines)
	return s
}

// begin starts the machine.
func (s *session) begin() {
	s.member.routes.clear()
	s.post(membership.Begin{})
	if s.member.options.Ready != nil && s.works != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.over {
			s.operations.Go(s.checkReadiness)
		}
	}
}

func (s *session) now() membership.Now {
	return membership.Now{Local: s.clock.Now(), Wall: s.clock.Wall()}
}

func (s *session) leave() { s.post(membership.Leave{}) }

// post handles an event.
func (s *session) post(event membership.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle(event)
}

// handle steps the machine and performs its actions. Events raised during a step are handled
// after it. The caller holds s.mu.
func (s *session) handle(event membership.Event) {
	s.events = append(s.events, event)
	if s.handling {
		return
	}
	s.handling = true
	s.stepping.Store(s.clock.Now().UnixNano())
	for len(s.events) > 0 && !s.over {
		next := s.events[0]
		s.events = s.events[1:]
		actions := s.machine.Step(next, s.now())
		s.updateDeadlines()
		s.noteReadiness() // Readiness knows it before anything is told of the step
		for _, action := range actions {
			s.perform(action)
		}
		s.noteSynced()
	}
	s.events, s.handling = nil, false
	s.stepping.Store(0)
}

// perform performs an action. No action waits.
func (s *session) perform(action membership.Action) {
	switch a := action.(type) {
	case membership.StartOperation:
		s.start(a.Operation)
	case membership.CancelOperation:
		if cancel := s.running[a.Op]; cancel != nil {
			cancel()
		}
	case membership.Lead:
		s.acquire(a.Token)
	case membership.Drain:
		s.drain(a.Token, a.Reason)
	case membership.Expire:
		s.expire(a.Token)
	case membership.RoutesChanged:
		s.member.routes.update(s.machine.Mirror(), &a)
		s.notices.routes(a.Shards)
	case membership.Wake:
		s.due = a.At
		s.timer.Reset(max(a.At.Sub(s.clock.Now()), clock.MinDelay))
	case membership.Finish:
		s.finish(a.Err)
	default:
		s.tell(action)
	}
}

// updateDeadlines moves the ends of the contexts of all tenures.
func (s *session) updateDeadlines() {
	d, now := s.machine.Deadlines(), s.clock.Now()
	c := s.contexts.Load()
	if c.lead.Err() != nil && now.Before(d.Stop) {
		c = &contexts{s.newContext(), c.lease}
	}
	if c.lease.Err() != nil && now.Before(d.End) {
		c = &contexts{c.lead, s.newContext()}
	}
	c.lead.SetDeadline(d.Stop)
	c.lease.SetDeadline(d.End)
	s.contexts.Store(c)
	s.member.deadlines.send(Deadlines{s.machine.Session(), elector.Deadlines{Stop: d.Stop, End: d.End}})
	s.setDeadlineTimer(c)
}

func (s *session) newContext() *loop.DeadlineContext {
	return loop.NewDeadlineContext(s.values, s.clock.Now, func() error { return &LossError{Reason: group.ReasonLapse} })
}

// setDeadlineTimer sets the timer to the next end of a context. It fires earlier as well,
// because a timer does not count the time for which the machine was suspended.
func (s *session) setDeadlineTimer(c *contexts) {
	deadline := c.lead.MovingDeadline()
	if c.lead.Err() != nil {
		deadline = c.lease.MovingDeadline()
	}
	if deadline.IsZero() || c.lease.Err() != nil {
		return
	}
	wait := min(deadline.Sub(s.clock.Now()), time.Second)
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	s.deadlineTimer.Reset(max(wait, clock.MinDelay))
}

// checkDeadlines ends the contexts whose deadline has passed. It takes no lock of the session
// before that, so that they end even if the loop hangs, for example in a logger.
func (s *session) checkDeadlines() {
	c := s.contexts.Load()
	stopped := c.lead.Err() != nil
	s.setDeadlineTimer(c)
	if stopped {
		s.post(membership.Tick{})
	}
}

// finish ends the session because the machine has finished. The work that has not returned is
// waited for.
func (s *session) finish(err error) {
	if err != nil {
		s.log().Warn("stopped with an error", "error", loop.LineError{Err: err})
		s.member.errs.Report(err)
	}
	s.end(err)
}

// crash ends the session like a crash of the process.
func (s *session) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.end(errAbandoned)
	}
}

var errAbandoned = errors.New("member was abandoned")

// end ends every operation and all tenures.
func (s *session) end(err error) {
	s.over, s.err = true, err
	s.timer.Stop()
	s.deadlineTimer.Stop()
	s.member.deadlines.send(Deadlines{})
	for _, shard := range s.shards {
		shard.end(group.ReasonStop, true)
		if s.works != nil {
			s.works.drain(shard)
		}
	}
	s.cancel()
	go func() {
		s.operations.Wait()
		if s.works != nil {
			s.works.wait()
		}
		s.notices.wait()
		close(s.ended)
	}()
}
