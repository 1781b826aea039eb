package simulation

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// attempt is one attempt to write the lease of a tenure, as its process tells.
type attempt struct {
	op     uint64
	count  int
	start  time.Time
	lease  time.Duration
	config fdbelection.Config
}

// end is how far an attempt carries belief.
func (a *attempt) end() time.Time { return a.start.Add(a.lease - a.config.MarginFor(a.lease)) }

// checkTold follows the attempts of a tenure, and holds what is told of them
// against the log (invariant 16).
func (w *World) checkTold(p *process, op *operation, event machine.Event) {
	switch e := event.(type) {
	case machine.CommitStarting:
		p.issuedAfter = op.commits
		p.attempts = append(p.attempts, attempt{e.Op, e.Attempt, e.Start, e.Lease, e.Config})
	case machine.CommitDone:
		if p.belief.End.IsZero() && p.believed == op.what.Token.Term && e.Outcome == kv.Committed {
			w.situation("expiry in mid-commit")
		}
		if landed := op.commits > p.issuedAfter; e.Outcome == kv.Committed && !landed || e.Outcome == kv.NotCommitted && landed {
			w.violated(Outcome, "%s takes a commit for %d, in the log: %v", p.name, e.Outcome, landed)
		}
		i := slices.IndexFunc(p.attempts, func(a attempt) bool { return a.op == e.Op && a.count == e.Attempt })
		if i < 0 {
			return
		}
		switch e.Outcome {
		case kv.Committed:
			p.attempts = p.attempts[i:] // it is the base now, and all before it are settled
		case kv.NotCommitted:
			p.attempts = slices.Delete(p.attempts, i, i+1)
		case kv.UnknownResult, kv.Unsettled:
		}
	}
}

// checkBeliefBound is invariant 9. It proves that belief rests on nothing but the
// start of attempts: it never outlasts the earliest end, over the last attempt
// that was acknowledged and every later one not surely failed; nor what the record
// that stands leaves to others, who cannot have seen it before it was committed.
func (w *World) checkBeliefBound(p *process) {
	end := p.belief.End
	if end.IsZero() {
		return
	}
	for i := range p.attempts {
		if bound := p.attempts[i].end(); end.After(bound) {
			w.violated(Deadline, "%s believes until %s, %s too long", p.name, end.Sub(epoch), end.Sub(bound))
		}
	}
	if leader := &w.state.Leader; p.tenure != nil && leader.Token() == p.tenure.token && leader.Term == p.belief.Term {
		committed := p.clocks.local(w.seatAt)
		if bound := committed.Add(leader.LeaseDuration - w.seatConfig.MarginFor(leader.LeaseDuration)); end.After(bound) {
			w.violated(Deadline, "%s believes until %s, and the record that stands carries %s less", p.name, end.Sub(epoch), end.Sub(bound))
		}
	}
}

// checkBelief is invariant 10. It proves that the instants at which two processes
// find themselves leading, or use what is left of their lease, never interleave:
// paused or not, whatever their clocks say, while their rates differ by less than
// the margin. The exceptions are tenures that were displaced at once by a higher
// priority, or by clocks that do not agree: for them only the fence holds. So it is if
// the election was deleted under its leader, and another process, which had seen no
// ballot of it, has begun it again.
func (w *World) checkBelief(p *process) {
	w.checkBeliefBound(p)
	b := &p.belief
	if !p.alive || b.End.IsZero() || p.tenure == nil || w.excused[p.tenure.token] {
		return
	}
	if !p.clocks.local(w.now).Before(b.End) {
		if p.pausedUntil <= w.now && !p.application {
			w.violated(Deadline, "%s has come to the end of its belief, and believes", p.name)
		}
		return
	}
	for _, other := range slices.Concat(w.live, []*process{w.application}) {
		if other == p || !other.believes() {
			continue
		}
		if other.tenure != nil && w.excused[other.tenure.token] {
			w.situation("displaced leader still believes")
			continue
		}
		if other.tenure != nil && w.deletedUnder(p.tenure.token, other.tenure.token) {
			w.situation("leader of a deleted election still believes")
			continue
		}
		w.violated(Exclusion, "%s in term %d and %s in term %d find themselves leading", other.name, other.belief.Term, p.name, b.Term)
	}
}

// checkPromise is invariants 9 and 16 for an application that takes part by hand. It
// proves that a cycle which says that its caller leads is in the log, and that a leader
// who was asked to give up is told of an end within the grace.
func (w *World) checkPromise(p *process, said *told, claimed bool) {
	if !said.Leads() {
		return
	}
	if p.wrote != said.Leader {
		w.violated(Outcome, "%s was told that it %s %s, and wrote %s last", p.name, said.Action, said.Leader, p.wrote)
	}
	switch {
	case claimed: // it does not say what is asked
		return
	case !said.MustHandOver:
		p.asked = asked{}
		return
	}
	if p.asked.by != said.Request.Nonce {
		p.asked = asked{by: said.Request.Nonce, at: said.at}
		w.situation("asked by hand")
	}
	if end := p.asked.at.Add(said.Config.PreemptionGrace); said.until.After(end) && said.until.After(said.at.Add(1)) {
		w.violated(Deadline, "%s was asked by %s, and leads %s longer than the grace", p.name, said.Request, said.until.Sub(end))
	}
}

// checkKept is a part of invariant 8. It proves that an application which takes part by
// hand gives nothing up before every instant until which it was told that it leads,
// unless its work has ended.
func (w *World) checkKept(c *commit) {
	if p := c.by; p.believes() && p.tenure.token == c.before.Leader.Token() {
		w.violated(Resignation, "%s gave up %s, and leads for another %s", c.name(), c.before.Leader, p.belief.End.Sub(p.local()))
	}
}

// forgetNotes notes that a candidate record is gone, and with it what an application has
// noted in it.
func (w *World) forgetNotes(id string) {
	if p := w.application; p != nil && p.me.ID == id {
		p.asked, p.saw = asked{}, election.LeaderRecord{}
	}
}
