package simulation

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// failing is since when all main operations of a process have failed, by its clock: the
// start of the first of them. It is zero if the last one has succeeded.
type failing struct{ since time.Time }

// yields is a ballot whose author claims first, and until when, by the clock of a process.
type yields struct {
	ballot uint64
	until  time.Time
}

// noteOutage notes an answer before the state machine gets it. If operations have failed for
// the lease of another leader, that leader has a head start from now on, less the longest
// back-off.
func (w *world) noteOutage(p *process, e *machine.Answered) {
	op := p.main
	if op == nil || op.what.ID != e.Op {
		return
	}
	now := p.local()
	switch leader := p.machine.View().Leader; {
	case !answers(e.Answer.Err):
		if p.failing.since.IsZero() {
			p.failing.since = op.began
		}
		return
	case p.failing.since.IsZero():
		return
	case w.mayYield(p, &leader) && now.Sub(p.failing.since) >= leader.LeaseDuration:
		length := w.headStart
		if length == 0 {
			length = p.machine.View().Config.HeartbeatInterval
		}
		backOff := max(p.machine.View().Config.HeartbeatInterval/5, 10*time.Millisecond)
		p.yields = yields{leader.Ballot, now.Add(length - backOff)}
		w.situation("head start given")
	}
	p.failing = failing{}
}

// mayYield reports whether a process gives a leader a head start: another process, which it
// does not outrank.
func (w *world) mayYield(p *process, leader *election.LeaderRecord) bool {
	view := p.machine.View()
	outranks := view.Config.AllowPreemption && view.Me.Priority > leader.Priority && view.Me.NotReady == ""
	return w.headStart >= 0 && !leader.Vacant() && leader.Identity != p.me.Identity && !outranks
}

// checkYields is invariant 30. While operations have failed for a lease, a process does not
// claim the leadership of another one. Nor does it in the head start after that.
func (w *world) checkYields(op *operation) {
	p := op.process
	if mainKind(op.what.Kind) {
		p.main, op.began = op, p.local()
	}
	leader := p.machine.View().Leader
	op.yields = op.what.Kind == machine.ElectionCycle && !op.what.Abstain && w.mayYield(p, &leader)
	if !op.yields {
		return
	}
	switch now := p.local(); {
	case !p.failing.since.IsZero() && now.Sub(p.failing.since) >= leader.LeaseDuration:
		w.violated(invSameLeader, "%s claims from %s before the store has answered again", p.name, leader)
	case p.yields.ballot == leader.Ballot && now.Before(p.yields.until):
		w.violated(invSameLeader, "%s claims from %s within its head start", p.name, leader)
	}
}

// checkFirstAnswer is a part of invariant 30. A claim is not the first answer after operations
// have failed for a lease. A claim whose process was paused, and one that arrives late, may be.
func (w *world) checkFirstAnswer(c *commit) {
	op, before := c.op, &c.before.Leader
	if op == nil || !op.yields || c.entry.Late {
		return
	}
	p := op.process
	since, now, leader := p.failing.since, p.local(), p.machine.View().Leader
	paused := !op.began.After(p.clocks.local(p.pausedUntil))
	if since.IsZero() || paused || leader.Ballot != before.Ballot {
		return
	}
	if d := now.Sub(since); d > before.LeaseDuration+time.Millisecond {
		w.violated(invSameLeader, "%s claims from %s, and its operations have failed for %s", c.name(), before, d)
	}
}

// answers reports whether an operation has succeeded, or its error says what is stored.
func answers(err error) bool {
	return err == nil || errors.Is(err, machine.ErrLeadershipLost) || errors.Is(err, fdbelection.ErrNotLeader) ||
		errors.Is(err, fdbelection.ErrUnregisteredCandidate)
}

// mainKind reports whether at most one operation of this kind and its like runs at a time.
func mainKind(k machine.Kind) bool {
	return !k.Watches() && k != machine.List && k != machine.Evict
}
