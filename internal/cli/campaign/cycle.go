package campaign

import (
	"context"
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// errSeatLost ends the attempt of a leader that finds its tenure over: it must
// not claim another one before its work has returned.
var errSeatLost = errors.New("the seat is no longer held in this tenure")

// cycle runs an election cycle in transactions of its own, one after the other
// until one has an answer, each stamped before it begins.
func (l *loop) cycle(limit time.Duration) {
	c := &cycle{
		db: l.db, election: l.election, clock: l.Clock, me: l.Me, tenure: l.tenure,
		seenBefore: l.seen, endedTerm: l.endedTerm,
		abstain: l.tenure != nil || l.abstains(l.Clock.Now()),
	}
	l.do(limit, func(ctx context.Context) func() {
		err := c.run(ctx)
		return func() { l.cycled(c, err) }
	})
}

// cycle is one cycle under way, and then its answer.
type cycle struct {
	db       kv.Database
	election *election.LeaderElection
	clock    clock.Clock
	me       election.Registration
	tenure   *Tenure // nil: leads nothing
	// What the loop had seen, and ended, when the cycle began.
	seenBefore election.Observation
	endedTerm  uint64
	// abstain says that nothing is to be claimed: while there is work under a
	// tenure, and for a while after a resignation on request.
	abstain bool

	// The last attempt: when it began, when its reads had returned, what it
	// decided, and whether what is asked of the leader can be granted.
	start, seen time.Time
	result      election.CycleResult
	legal       bool

	unsettled bool
}

func (c *cycle) run(ctx context.Context) error {
	tr, err := c.db.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	defer tr.Cancel()
	for {
		err := c.attempt(tr)
		if err == nil {
			return nil
		}
		if kv.OutcomeOf(err) == kv.Unsettled {
			c.unsettled = c.touchesSeat()
			return err
		}
		if err := tr.OnError(err); err != nil {
			return err
		}
	}
}

// attempt decides and commits once. A tenure counts the attempt from before
// its commit is issued.
func (c *cycle) attempt(tr kv.OwnedTransaction) error {
	c.result, c.legal = election.CycleResult{}, false
	c.start = c.clock.Now()
	options := []election.CycleOption{election.Observed(c.seenBefore, c.start), election.EndedTerm(c.endedTerm)}
	if c.abstain {
		options = append(options, election.Abstain())
	}
	result, err := c.election.RunElectionCycle(tr, c.me, c.start, options...)
	c.seen = c.clock.Now()
	if err != nil {
		return err
	}
	c.result = result
	if c.tenure == nil {
		return tr.Commit()
	}
	if result.Leader.Token() != c.tenure.token {
		return errSeatLost
	}
	if c.legal, err = grantable(c.election, tr, &result, c.start); err != nil {
		return err
	}
	if result.Action != election.Renewed {
		return tr.Commit()
	}
	written := c.tenure.attempt(horizonOf(c.start, result.Leader.LeaseDuration, result.Config))
	err = tr.Commit()
	switch kv.OutcomeOf(err) {
	case kv.Committed:
		c.tenure.acknowledged(written)
	case kv.Absent:
		c.tenure.failed(written)
	case kv.SettledUnknown, kv.Unsettled: // it counts on
	}
	return err
}

// touchesSeat reports whether the attempt wrote more than its own candidate
// record.
func (c *cycle) touchesSeat() bool {
	switch c.result.Action {
	case election.Followed, election.Draining:
		return false
	default:
		return true
	}
}

// cycled takes in the answer of a cycle.
func (l *loop) cycled(c *cycle, err error) {
	l.unsettled = l.unsettled || c.unsettled
	switch {
	case errors.Is(err, errSeatLost):
		l.succeeded()
		l.saw(c.result.Leader, c.seen)
		l.checkSeat()
		return
	case err != nil:
		what := "heartbeat"
		if c.tenure != nil {
			what = "renew the lease"
		}
		l.heartbeatDone(what, err)
		return
	}
	l.config = c.result.Config
	l.heartbeatDone("", nil)
	l.renewAt = c.start.Add(l.config.HeartbeatInterval)
	if c.result.Action == election.Renewed || c.result.Action == election.Claimed {
		l.unsettled = false // this commit has read and written the leader record
	}
	switch {
	case c.tenure != nil && c.tenure != l.tenure: // its work has returned meanwhile
		l.saw(c.result.Leader, c.seen)
	case c.tenure != nil:
		l.saw(c.result.Leader, c.seen)
		l.obeyResult(&c.result, c.legal)
	case c.result.Action == election.Draining:
		l.saw(c.result.Leader, c.seen)
		l.handOver(c.result.Leader.Token(), &demand{disabled: true, until: c.seen})
	case c.result.Leads():
		l.claimed(c)
	default:
		l.saw(c.result.Leader, c.seen)
	}
}

// obeyResult has the leader obey what its cycle found.
func (l *loop) obeyResult(result *election.CycleResult, legal bool) {
	switch {
	case result.Action == election.Draining:
		l.obey(&demand{disabled: true}, result.Leader.LeaseDuration)
	case legal:
		l.obey(&demand{intent: result.Intent}, l.patience(result.Intent))
	}
}

// claimed begins a tenure: the commit that is acknowledged now wrote a lease.
func (l *loop) claimed(c *cycle) {
	acked := horizonOf(c.start, c.result.Leader.LeaseDuration, c.result.Config)
	if l.leaving || !l.Clock.Now().Before(acked.stop) { // or too late to begin work on it: renew it first
		l.saw(c.result.Leader, c.seen)
		return
	}
	t := newTenure(l.Clock, c.result.Leader, acked)
	l.tenure, l.demand, l.why, l.renewNow = t, nil, "", false
	l.stopIntents = l.watchIntent()
	go func() { l.returned <- workResult{l.Work(t)} }()
	l.saw(c.result.Leader, c.seen)
}

// checkSeat ends the tenure at once where the seat was seen to be another's,
// or nobody's.
func (l *loop) checkSeat() {
	if l.tenure == nil || l.tenure.token.Term <= l.endedTerm || l.leader.Token() == l.tenure.token {
		return
	}
	l.endedTerm = l.tenure.token.Term
	l.stopWork("the seat is lost", l.Clock.Now().Add(l.config.LeaseDuration/10))
}

// stopWork asks the work of a running tenure to stop, by force at limit.
func (l *loop) stopWork(why string, limit time.Time) {
	if l.tenure != nil {
		l.why = why
		l.tenure.stop(limit)
	}
}

// workStopping reports, once, that the work was asked to stop.
func (l *loop) workStopping() {
	l.toldStop = l.tenure.token.Term
	if l.why == "" {
		l.why = "no renewal was acknowledged in time"
	}
	l.announce("stopping: " + l.why)
}

// beliefEnded declares the tenure over.
func (l *loop) beliefEnded() {
	l.endedTerm = l.tenure.token.Term
	l.tell("belief has ended: " + l.why)
}

// workReturned ends the tenure: by giving up the seat where that was asked for,
// by leaving where the work ended of itself.
func (l *loop) workReturned(err error) {
	t, d := l.tenure, l.demand
	asked := t.at() > believing
	if asked && l.stopping() != nil {
		l.workStopping() // the two events come in any order
	}
	standing := t.token.Term > l.endedTerm
	l.endedTerm = t.token.Term
	t.finish()
	l.stopIntents()
	l.tenure, l.demand = nil, nil
	l.retryAt, l.lookNow = time.Time{}, true
	l.tell("the work has stopped")
	switch {
	case l.leaving:
	case !asked:
		l.leaving, l.result = true, err
	case d != nil && standing:
		l.handOver(t.token, d)
	}
	l.hurry()
}
