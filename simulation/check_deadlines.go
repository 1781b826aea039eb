package simulation

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// attempt is one attempt to write the lease of a tenure, as its process reports it.
type attempt struct {
	op     uint64
	count  int
	start  time.Time
	lease  time.Duration
	config fdbelection.Config
}

// end is the end deadline that an attempt justifies.
func (a *attempt) end() time.Time { return a.start.Add(a.lease - a.config.MarginFor(a.lease)) }

// checkAttempt records the attempts of a tenure. It is a part of invariant 16: the
// reported outcome of each attempt agrees with the commit log.
func (w *world) checkAttempt(p *process, op *operation, event machine.Event) {
	switch e := event.(type) {
	case machine.CommitStarting:
		p.issuedAfter = op.commits
		p.attempts = append(p.attempts, attempt{e.Op, e.Attempt, e.Start, e.Lease, e.Config})
	case machine.CommitDone:
		if p.deadlines.End.IsZero() && p.ledTerm == op.what.Token.Term && e.Outcome == kv.Committed {
			w.situation("deadline reached during a commit")
		}
		if landed := op.commits > p.issuedAfter; e.Outcome == kv.Committed && !landed || e.Outcome == kv.NotCommitted && landed {
			w.violated(invOutcome, "%s reports a commit as %s, in the log: %v", p.name, e.Outcome, landed)
		}
		i := slices.IndexFunc(p.attempts, func(a attempt) bool { return a.op == e.Op && a.count == e.Attempt })
		if i < 0 {
			return
		}
		switch e.Outcome {
		case kv.Committed:
			p.attempts = p.attempts[i:] // all attempts before it are known too
		case kv.NotCommitted:
			p.attempts = slices.Delete(p.attempts, i, i+1)
		case kv.UnknownResult, kv.Unsettled:
		}
	}
}

// checkDeadlineBound is invariant 9. The deadlines of a leader rest on the starts of its
// attempts only. The end deadline is not later than the end of the last acknowledged
// attempt, or of any later one that has not surely failed. It is also not later than
// what the stored leader record allows: other processes count from its commit.
func (w *world) checkDeadlineBound(p *process) {
	end := p.deadlines.End
	if end.IsZero() {
		return
	}
	for i := range p.attempts {
		if bound := p.attempts[i].end(); end.After(bound) {
			w.violated(invDeadline, "%s has the end deadline %s, %s too late", p.name, end.Sub(epoch), end.Sub(bound))
		}
	}
	if leader := &w.state.Leader; p.tenure != nil && leader.Token() == p.tenure.token && leader.Term == p.deadlines.Term {
		committed := p.clocks.local(w.leaderAt)
		if bound := committed.Add(leader.LeaseDuration - w.leaderConfig.MarginFor(leader.LeaseDuration)); end.After(bound) {
			w.violated(invDeadline, "%s has the end deadline %s, %s later than the stored record allows", p.name, end.Sub(epoch), end.Sub(bound))
		}
	}
}

// checkExclusion is invariant 10. No two processes lead, or use the rest of their lease,
// at the same instant, whether they are paused or not, and independent of the time on their clocks, as
// long as the rates of their clocks differ by less than the margin. There are exceptions,
// in which only the fence holds: a tenure that was preempted at once, a tenure whose
// lease was compared on clocks that disagree, and an election that was deleted under its
// leader and started again by a process that had seen no ballot of it.
func (w *world) checkExclusion(p *process) {
	w.checkDeadlineBound(p)
	b := &p.deadlines
	if !p.alive || b.End.IsZero() || p.tenure == nil || w.overlapAllowed[p.tenure.token] {
		return
	}
	if !p.clocks.local(w.now).Before(b.End) {
		if p.pausedUntil <= w.now && !p.application {
			w.violated(invDeadline, "%s is past its end deadline and still leads", p.name)
		}
		return
	}
	for _, other := range slices.Concat(w.live, []*process{w.application}) {
		if other == p || !other.thinksItLeads() {
			continue
		}
		if other.tenure != nil && w.overlapAllowed[other.tenure.token] {
			w.situation("replaced leader still leads")
			continue
		}
		if other.tenure != nil && w.restartedUnaware(p.tenure.token, other.tenure.token) {
			w.situation("leader of a deleted election still leads")
			continue
		}
		w.violated(invExclusion, "%s in term %d and %s in term %d lead at the same time", other.name, other.deadlines.Term, p.name, b.Term)
	}
}

// checkPromise is invariants 9 and 16 for the application. If a cycle tells its caller
// that it leads, that is in the log. If it tells a leader to hand over, the lease that it
// reports ends within the grace.
func (w *world) checkPromise(p *process, said *cycleAnswer, claimed bool) {
	if !said.Leads() {
		return
	}
	if p.lastWritten != said.Leader {
		w.violated(invOutcome, "%s was told that it %s %s, and its last write is %s", p.name, said.Action, said.Leader, p.lastWritten)
	}
	switch {
	case claimed: // a claim does not report requests
		return
	case !said.MustHandOver:
		p.drainAsked = drainAsked{}
		return
	}
	if p.drainAsked.by != said.Request.Nonce {
		p.drainAsked = drainAsked{by: said.Request.Nonce, at: said.at}
		w.situation("application must hand over")
	}
	if end := p.drainAsked.at.Add(said.Config.PreemptionGrace); said.until.After(end) && said.until.After(said.at.Add(1)) {
		w.violated(invDeadline, "%s must hand over for %s, and leads %s longer than the grace", p.name, said.Request, said.until.Sub(end))
	}
}

// checkGivenUpEarly is a part of invariant 8. The application does not give leadership
// up before ValidUntil of every earlier cycle, unless its work has ended.
func (w *world) checkGivenUpEarly(c *commit) {
	if p := c.by; p.thinksItLeads() && p.tenure.token == c.before.Leader.Token() {
		w.violated(invResignation, "%s gave up %s, although it may lead for another %s", c.name(), c.before.Leader, p.deadlines.End.Sub(p.local()))
	}
}

// forgetNotes drops what the application has noted in its candidate record, which is
// gone.
func (w *world) forgetNotes(id string) {
	if p := w.application; p != nil && p.me.ID == id {
		p.drainAsked, p.lastRead = drainAsked{}, election.LeaderRecord{}
	}
}
