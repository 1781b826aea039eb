package campaign

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// Run registers the candidate and campaigns until Options.Stop is closed, the
// work returns of itself, or something happens that no retry can mend; then it
// leaves. Errors of the store are reported and tried again.
//
// The end of ctx abandons everything: the work is ended by force, nothing is
// given up and nobody is told, as if the process had crashed.
func Run(ctx context.Context, db kv.Database, e *election.LeaderElection, opts Options) error {
	ctx, cancel := context.WithCancel(ctx)
	l := &loop{
		db: db, election: e, Options: opts.withDefaults(),
		ctx: ctx, config: opts.Config,
		answers: make(chan func(), 1), returned: make(chan workResult, 1),
		terms: make(chan struct{}, 1), intents: make(chan struct{}, 1),
		alarm: make(chan struct{}, 1), jitter: jitterOf(opts.Me),
	}
	l.timer = l.Clock.AfterFunc(atOnce, func() { call(l.alarm) })
	defer l.wind(cancel)
	return l.run()
}

// loop is the state of a campaign. All of it belongs to the goroutine of Run.
type loop struct {
	Options
	db       kv.Database
	election *election.LeaderElection
	ctx      context.Context

	config     fdbelection.Config
	registered bool
	joined     bool // was registered once
	present    bool // a registration may have been committed
	leaving    bool
	leaveBy    time.Time // zero until the first try
	result     error
	finished   bool

	leader  election.Leader // as last seen
	looked  bool            // leader has been seen at all
	seen    election.Observation
	cadence cadence
	told    Change

	tenure      *Tenure // nil once its work has returned
	stopIntents func()  // ends the watch of the tenure
	demand      *demand // what the tenure is to end for
	why         string  // the work was asked to stop
	toldStop    uint64  // the term of which that was told
	handover    *handover
	endedTerm   uint64 // the own tenures up to it are over

	beatAt  time.Time // the next heartbeat, by a cycle or alone
	renewAt time.Time
	// A watch has called for a look, or for a renewal; also while one is under
	// way, which may have missed what there is to see.
	lookNow, renewNow bool
	claimAt           time.Time // not before
	holdOff           time.Time // after a resignation on request

	unsettled bool
	retryAt   time.Time
	backoff   time.Duration
	trouble   string

	busy     bool
	abort    func() // ends the operation under way
	aborted  bool
	answers  chan func()
	returned chan workResult
	terms    chan struct{} // calls for attention, by the watches
	intents  chan struct{}
	watchers sync.WaitGroup
	alarm    chan struct{}
	timer    clock.Timer // rings the alarm
	jitter   *rand.Rand
}

// workResult is what the work of a tenure has returned.
type workResult struct{ err error }

func (l *loop) run() error {
	stop := l.Stop
	for {
		l.plan(l.Clock.Now())
		if l.finished {
			return l.result
		}
		select {
		case answer := <-l.answers:
			l.busy = false
			answer()
			l.aborted = false
		case <-l.alarm:
		case <-l.terms:
			l.lookNow = true
		case <-l.intents:
			l.renewNow = l.demand == nil
		case <-l.stopping():
			l.workStopping()
		case <-l.over():
			l.beliefEnded()
		case result := <-l.returned:
			l.workReturned(result.err)
		case <-stop:
			stop = nil
			l.leave(nil)
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
	}
}

// jitterOf returns a source by which no two candidates wait in step.
func jitterOf(me election.Registration) *rand.Rand {
	id := me.Incarnation
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])))
}

// wind waits for what may still run: nothing of a campaign outlives it.
func (l *loop) wind(cancel func()) {
	l.timer.Stop()
	if l.tenure != nil {
		l.tenure.finish()
	}
	cancel()
	if l.tenure != nil {
		<-l.returned
	}
	if l.busy {
		<-l.answers
	}
	l.watchers.Wait()
}

// stopping is closed while it is news that the work was asked to stop.
func (l *loop) stopping() <-chan struct{} {
	if l.tenure == nil || l.tenure.token.Term <= l.toldStop {
		return nil
	}
	return l.tenure.Stopping()
}

// over is closed while it is news that belief in the tenure has ended.
func (l *loop) over() <-chan struct{} {
	if l.tenure == nil || l.tenure.token.Term <= l.endedTerm {
		return nil
	}
	return l.tenure.Over()
}

// do starts an operation. It gets a context with a time limit, and returns
// what is to be done with its answer.
func (l *loop) do(limit time.Duration, operation func(ctx context.Context) func()) {
	ctx, cancel := l.Clock.WithTimeout(l.ctx, limit)
	l.busy, l.abort = true, cancel
	go func() {
		defer cancel()
		l.answers <- operation(ctx)
	}()
}

// atOnce is the shortest wait. A timer that is due when it is set would run in
// the goroutine that sets it under the virtual time of the tests, where the race
// detector of Go 1.26 crashes on two of them at a time.
const atOnce = time.Nanosecond

// wake has plan run again at the earliest of some instants.
func (l *loop) wake(now, first time.Time, others ...time.Time) {
	l.timer.Reset(max(atOnce, earliest(first, others...).Sub(now)))
}

// leave has the work stop and the candidate leave; the first reason counts.
func (l *loop) leave(result error) {
	if l.leaving {
		return
	}
	l.leaving, l.result = true, result
	l.retryAt, l.handover = time.Time{}, nil // leaving gives up the seat as well
	l.stopWork("leaving", l.Clock.Now().Add(l.Drain))
	l.hurry()
}

// hurry ends the operation under way where nothing but leaving is left to do:
// that settles whatever it leaves behind.
func (l *loop) hurry() {
	if l.leaving && l.tenure == nil && l.busy && l.leaveBy.IsZero() {
		l.abort()
		l.aborted = true
	}
}

// failed takes in the error of an operation that was to do what: it reports it
// once per change and sets the back-off, or ends the campaign where no retry can
// help.
func (l *loop) failed(what string, err error) {
	if l.ctx.Err() != nil || l.aborted {
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s: the store did not answer in time", what)
	} else {
		err = fmt.Errorf("%s: %w", what, err)
	}
	if errors.Is(err, fdbelection.ErrDuplicateID) || errors.Is(err, fdbelection.ErrInvalidState) ||
		errors.Is(err, fdbelection.ErrInvalidCandidate) || errors.Is(err, fdbelection.ErrInvalidConfig) || l.Permanent(err) {
		l.leave(err)
	} else if text := err.Error(); text != l.trouble {
		l.trouble = text
		l.Trouble(err)
	}
	l.backoff = min(max(2*l.backoff, shortestBackoff), longestBackoff, max(step(l.config.HeartbeatInterval)*2, shortestBackoff))
	l.retryAt = l.Clock.Now().Add(l.backoff/2 + time.Duration(l.jitter.Int64N(int64(l.backoff/2))))
}

// succeeded takes in that the store answers.
func (l *loop) succeeded() {
	l.backoff, l.retryAt = 0, time.Time{}
	if l.trouble != "" {
		l.trouble = ""
		l.Trouble(nil)
	}
}

// saw takes in the leader record, as read or written; seen is the clock after
// the read returned.
func (l *loop) saw(leader election.Leader, seen time.Time) {
	if l.tenure == nil && leader.Token() != l.leader.Token() {
		l.claimAt, l.renewAt = time.Time{}, time.Time{} // what there is to do about it need not wait
	}
	l.leader, l.looked = leader, true
	l.seen = l.seen.Next(leader, seen)
	l.cadence.saw(leader.Ballot, seen, l.config.HeartbeatInterval)
	note := leader.Origin.String()
	switch {
	case leader.Vacant() && leader.Ballot == 0:
		note = "never held"
	case leader.Vacant():
		note = "vacant"
	case !leader.Accepted:
		note += ", handed over"
	}
	l.tell(note)
}

// tell reports who leads, if that has changed.
func (l *loop) tell(note string) {
	last := &l.told
	if last.At.IsZero() || last.Leads != l.leads() || last.Leader.Token() != l.leader.Token() {
		l.announce(note)
	}
}

func (l *loop) announce(note string) {
	l.told = Change{At: l.Clock.Now(), Leader: l.leader, Leads: l.leads(), Note: note}
	l.Changed(l.told)
}

// leads reports whether this process may believe that it leads.
func (l *loop) leads() bool {
	return l.tenure != nil && l.tenure.token.Term > l.endedTerm &&
		l.tenure.token == l.leader.Token() && l.tenure.Leads()
}
