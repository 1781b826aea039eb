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

// This file is the application that only calls RunElectionCycle. It keeps nothing from
// one cycle to the next but until when it was told that it leads.

type unattended struct {
	*process
	election *election.LeaderElection // with a clock of this process
	mustStop bool                     // by the last cycle
}

// told is what one attempt at a cycle has said, with instants on the local clock.
type told struct {
	election.CycleResult
	until, at time.Time
}

// runByHand starts the application.
func (w *World) runByHand() {
	incarnation, _ := uuid.NewRandomFromReader(w.identities)
	w.enterByHand(w.application, incarnation)
}

// enterByHand starts a process of the application. Its clock is another run of one, and
// readings of the run before mean nothing to it.
func (w *World) enterByHand(p *process, incarnation uuid.UUID) {
	p.me = election.Registration{
		Identity: election.Identity{ID: p.host.id, Incarnation: incarnation},
		Priority: p.host.random.Int32N(usualPriorities + 1),
	}
	w.application, w.labels[p.me.Identity] = p, p.name
	u := &unattended{process: p, election: w.electionBy(p.local)}
	p.start("application", func(t *task) {
		for w.quiet == 0 {
			u.cycle(t)
			if u.restarts() {
				return
			}
			u.act(t)
			if t.wait(u.drawn(w.config.HeartbeatInterval), true) != nil {
				return
			}
		}
		u.stop()
		w.departs(t)
	})
}

// restarts has the process end now and then, and another one begin in its place: under
// the same incarnation, as one whose supervisor has given it that, or under a new one.
func (u *unattended) restarts() bool {
	w, h := u.world, u.host
	if w.quiet > 0 || h.random.IntN(24) > 0 {
		return false
	}
	u.stop()
	u.alive = false
	w.restarts++
	incarnation := u.me.Incarnation
	if h.random.IntN(2) == 0 {
		incarnation, _ = uuid.NewRandomFromReader(w.identities)
	}
	next := w.bystanderOn(h, h.id+strconv.Itoa(w.restarts+1))
	next.clocks = w.newClocksFrom(h.random)
	if w.tracing {
		w.trace(next, "starts in the place of %s", u.name)
	}
	w.enterByHand(next, incarnation)
	return true
}

// act is what the application does between two cycles.
func (u *unattended) act(t *task) {
	w, p := u.world, u.process
	leader := w.state.Leader
	if u.believes() {
		u.work(t, u.tenure.token)
	}
	switch n := p.host.random.IntN(32); {
	case n > 28 && w.skew > 0: // its wall clock is set, by less than a lease
		p.clocks.wall += u.drawn(2*w.config.LeaseDuration) - w.config.LeaseDuration
	case n == 0:
		p.me.Priority = p.host.random.Int32N(usualPriorities + 1)
	case n == 1 && leader.HeldBy(p.me.Identity):
		u.stop()
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

// cycle runs a cycle, or a claim in its place. It writes under the fence in the
// same transaction if it leads.
func (u *unattended) cycle(t *task) {
	w, p := u.world, u.process
	var opts []election.CycleOption
	if u.mustStop && p.host.random.IntN(4) == 0 {
		u.stop()
	}
	if !u.believes() && p.host.random.IntN(2) == 0 {
		opts = append(opts, election.WorkEnded())
	}
	claims := p.host.random.IntN(8) == 0
	var said *told
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
		// As time.Now has it: the wall clock may be set, and what is added to a reading is
		// not.
		said = &told{result, now.Local.Add(result.ValidUntil.Sub(now.Wall)), p.now().Local}
		if !result.Leads() {
			return nil
		}
		if said.until.Before(u.belief.End) { // whether this commits may stay unknown
			u.belief.End = said.until
		}
		if err := u.election.RequireLeadership(tr, result.Leader.Token()); err != nil || result.Action != election.Renewed {
			return err
		}
		tr.Set(w.fencedKey, fencedValue(result.Leader.Token()))
		return nil
	})
	if err == nil && said != nil && p.alive && !t.killed {
		u.hears(said, claims)
	}
}

func (u *unattended) decide(tr kv.Transaction, now machine.Now, claims bool, opts []election.CycleOption) (election.CycleResult, error) {
	if claims {
		return u.election.TryClaimLeadership(tr, u.me.Identity, now.Wall, opts...)
	}
	return u.election.RunElectionCycle(tr, u.me, now.Wall, opts...)
}

// hears takes in what a cycle has said that is committed.
func (u *unattended) hears(said *told, claimed bool) {
	w, p := u.world, u.process
	if w.tracing {
		w.trace(p, "%s %s until %s, asked: %v", said.Action, said.Leader, said.until.Sub(epoch), said.MustHandOver)
	}
	w.checkPromise(p, said, claimed)
	u.mustStop = said.MustHandOver
	switch {
	case said.Leads() && p.local().Before(said.until):
		p.belief = machine.TenureDeadlines{Term: said.Leader.Term, End: said.until}
		p.tenure = &tenure{token: said.Leader.Token()}
		w.situation("led by hand")
		w.checkBelief(p)
	case said.Action != election.Draining: // which may go on to its end
		u.stop()
	}
	if !said.Leader.Lost() && !claimed {
		p.saw = said.Leader
	}
	switch {
	case said.Action == election.HandedOver:
		w.situation("handed over by hand")
	case said.Action == election.Vacated && said.Request.Kind == election.ResignRequest:
		w.situation("resigned by hand on request")
	case said.Action == election.Claimed && said.Leader.AcquireReason == election.AcquireExpiry:
		w.situation("expiry judged by hand")
	}
}

// stop ends the work.
func (u *unattended) stop() { u.belief, u.tenure = machine.TenureDeadlines{}, nil }

// byHand reports whether a process is one of the application that takes part by hand.
func (w *World) byHand(p *process) bool {
	return p != nil && w.application != nil && p.host == w.application.host
}

// believes reports whether the application takes itself for the leader.
func (p *process) believes() bool {
	return p.alive && !p.belief.End.IsZero() && p.local().Before(p.belief.End)
}
