package simulation

import (
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// This file is the application that only calls RunElectionCycle and TryClaimLeadership.
// From one cycle to the next it keeps only the instant until which it leads.

// cyclingApp is one process of the application.
type cyclingApp struct {
	*process
	election     *election.LeaderElection // with the clock of this process
	mustHandOver bool                     // the last cycle said so
}

// cycleAnswer is the result of one attempt at a cycle. Its instants are on the local clock.
type cycleAnswer struct {
	election.CycleResult
	until, at time.Time
}

// runCyclingApp starts the application.
func (w *world) runCyclingApp() {
	incarnation, _ := uuid.NewRandomFromReader(w.identities)
	w.startCyclingApp(w.application, incarnation)
}

// startCyclingApp starts a process of the application. Each process has a new run of the
// clock, so it cannot use the instants that an earlier one has noted.
func (w *world) startCyclingApp(p *process, incarnation uuid.UUID) {
	p.me = election.Registration{
		Identity: election.Identity{ID: p.host.id, Incarnation: incarnation},
		Priority: p.host.random.Int32N(hostPriorities + 1),
	}
	w.application, w.labels[p.me.Identity] = p, p.name
	u := &cyclingApp{process: p, election: w.electionBy(p.local)}
	p.start("application", func(t *task) {
		for w.faultFreeSince == 0 {
			u.cycle(t)
			if u.maybeRestart() {
				return
			}
			u.actBetweenCycles(t)
			if t.wait(u.randomBelow(w.config.HeartbeatInterval), true) != nil {
				return
			}
		}
		u.stopWork()
		w.applicationLeaves(t)
	})
}

// maybeRestart ends the process now and then and starts another one in its place. The
// new one has the same incarnation or a new one.
func (u *cyclingApp) maybeRestart() bool {
	w, h := u.world, u.host
	if w.faultFreeSince > 0 || h.random.IntN(24) > 0 {
		return false
	}
	u.stopWork()
	u.alive = false
	w.restarts++
	incarnation := u.me.Incarnation
	if h.random.IntN(2) == 0 {
		incarnation, _ = uuid.NewRandomFromReader(w.identities)
	}
	next := w.bystanderOn(h, h.id+strconv.Itoa(w.restarts+1))
	next.clocks = w.newClocksFrom(h.random)
	if w.tracing {
		w.trace(next, "replaces %s", u.name)
	}
	w.startCyclingApp(next, incarnation)
	return true
}

// actBetweenCycles is what the application does between two cycles.
func (u *cyclingApp) actBetweenCycles(t *task) {
	w, p := u.world, u.process
	leader := w.state.Leader
	if u.thinksItLeads() {
		u.work(t, u.tenure.token)
	}
	if w.chance(faultUnready) {
		w.count(faultUnready)
		if p.me.NotReady = "fault"; w.pick(faultUnready, 2) == 0 {
			p.me.NotReady = ""
		}
	}
	if p.me.NotReady != "" && w.pick(faultUnready, 4) == 0 {
		u.stopWork() // its next cycle may say so
	}
	switch n := p.host.random.IntN(32); {
	case n > 28 && w.skew > 0: // its wall clock is set, by less than a lease
		p.clocks.set(p.clocks.wall + u.randomBelow(2*w.config.LeaseDuration) - w.config.LeaseDuration)
	case n == 0:
		p.me.Priority = p.host.random.Int32N(hostPriorities + 1)
	case n == 1 && leader.HeldBy(p.me.Identity):
		u.stopWork()
		_ = p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			return u.election.ResignLeadership(tr, leader.Token(), p.now().Wall)
		})
	case n < 6:
		_ = p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			_, err := u.election.EvictDeadCandidates(tr, p.now().Wall)
			return err
		})
	case n < 10:
		w.giveUp(t, func(tr kv.Transaction, now time.Time) error {
			_, err := u.election.RunElectionCycle(tr, p.me, now)
			return err
		})
	}
}

// cycle runs a cycle, or sometimes only a claim. If the application leads, the same
// transaction makes a fenced write.
func (u *cyclingApp) cycle(t *task) {
	w, p := u.world, u.process
	var opts []election.CycleOption
	if u.mustHandOver && p.host.random.IntN(4) == 0 {
		u.stopWork()
	}
	if !u.thinksItLeads() && p.host.random.IntN(2) == 0 {
		opts = append(opts, election.WorkEnded())
	}
	claims := p.host.random.IntN(8) == 0
	var said *cycleAnswer
	err := p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
		said = nil
		now := p.now()
		result, err := u.decide(tr, now, claims, opts)
		switch {
		case errors.Is(err, fdbelection.ErrUnregisteredCandidate), errors.Is(err, fdbelection.ErrDuplicateID):
			return u.election.RegisterCandidate(tr, p.me, p.now().Wall)
		case err != nil:
			return err
		}
		// This is the arithmetic of time.Time: ValidUntil is the start of the cycle plus a
		// duration, and a step of the wall clock does not move it.
		said = &cycleAnswer{result, now.Local.Add(result.ValidUntil.Sub(now.Wall)), p.now().Local}
		if !result.Leads() {
			return nil
		}
		if said.until.Before(u.deadlines.End) { // the commit may have an unknown result
			u.deadlines.End = said.until
		}
		if err := u.election.RequireLeadership(tr, result.Leader.Token()); err != nil || result.Action != election.Renewed {
			return err
		}
		tr.Set(w.fencedKey, fencedValue(result.Leader.Token()))
		return nil
	})
	if err == nil && said != nil && p.alive && !t.killed {
		u.takeAnswer(said, claims)
	}
}

func (u *cyclingApp) decide(tr kv.Transaction, now machine.Now, claims bool, opts []election.CycleOption) (election.CycleResult, error) {
	if claims {
		return u.election.TryClaimLeadership(tr, u.me.Identity, now.Wall, opts...)
	}
	return u.election.RunElectionCycle(tr, u.me, now.Wall, opts...)
}

// takeAnswer handles the result of a committed cycle.
func (u *cyclingApp) takeAnswer(said *cycleAnswer, claimed bool) {
	w, p := u.world, u.process
	if w.tracing {
		w.trace(p, "%s %s", said.Action, said.Leader)
		if said.Leads() {
			w.trace(p, "leads until %s, must hand over: %v", said.until.Sub(epoch), said.MustHandOver)
		}
	}
	w.checkPromise(p, said, claimed)
	u.mustHandOver = said.MustHandOver
	switch {
	case said.Leads() && p.local().Before(said.until):
		p.deadlines = machine.TenureDeadlines{Term: said.Leader.Term, End: said.until}
		p.tenure = &tenure{token: said.Leader.Token()}
		w.situation("application leads")
		w.checkExclusion(p)
	case said.Action != election.Draining: // while it drains, it may use its lease to the end
		u.stopWork()
	}
	if !said.Leader.Lost() && !claimed {
		p.lastRead = said.Leader
	}
	switch {
	case said.Action == election.HandedOver:
		w.situation("application hands over")
	case said.Action == election.Draining && p.me.NotReady != "":
		w.situation("application that is not ready drains")
	case said.Action == election.Vacated && p.me.NotReady != "":
		w.situation("application that is not ready gives up leadership")
	case said.Action == election.Vacated && said.Request.Kind == election.ResignRequest:
		w.situation("application resigns on request")
	case said.Action == election.Claimed && said.Leader.AcquireReason == election.AcquireExpiry:
		w.situation("application claims an expired leadership")
	}
}

// stopWork ends the work.
func (u *cyclingApp) stopWork() { u.deadlines, u.tenure = machine.TenureDeadlines{}, nil }

// isApplication reports whether a process belongs to the application.
func (w *world) isApplication(p *process) bool {
	return p != nil && w.application != nil && p.host == w.application.host
}

// thinksItLeads reports whether a process of the application may act as the leader.
func (p *process) thinksItLeads() bool {
	return p.alive && !p.deadlines.End.IsZero() && p.local().Before(p.deadlines.End)
}
