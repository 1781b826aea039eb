package simulation

import (
	"slices"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// checkReadyClaim is invariant 28 for a claim. A candidate that is not ready claims only if
// its settings let it, after leadership has been free for as long as they say, and without
// preemption.
func (w *world) checkReadyClaim(c *commit) {
	after := &c.after.Leader
	holder, err := w.election.GetCandidate(&w.shadow, after.ID)
	if err != nil || holder.Ready() {
		return
	}
	wait := w.leadUnready
	if w.isApplication(c.by) {
		wait = 0
	}
	switch {
	case wait == 0:
		w.violated(invReadiness, "%s claimed, and is not ready", c.name())
	case after.AcquireReason == election.AcquirePreemption:
		w.violated(invReadiness, "%s preempted, and is not ready", c.name())
	case after.AcquireReason == election.AcquireReclaim || c.missing:
	case c.before.Config.Expiry == fdbelection.ExpiryByClock: // its clock decides since when leadership is free
	case c.before.Leader.Ballot == 0 && w.deleted.era > 0: // it may count from a vacancy in the deleted election
	default:
		w.situation("candidate that is not ready claims")
		if !c.before.Leader.Vacant() {
			wait += c.before.Leader.LeaseDuration
		}
		if stood := c.by.clocks.scaled(w.now-w.leaderAt) + 2; stood < wait {
			w.violated(invReadiness, "%s claimed %s after the last renewal or vacancy, is not ready, and has to wait for %s", c.name(), stood, wait)
		}
	}
}

// checkReadySuccessor is invariant 28 for a hand-over. Leadership is never handed to a
// candidate whose record says that it is not ready.
func (w *world) checkReadySuccessor(c *commit) {
	after := &c.after.Leader
	if holder, err := w.election.GetCandidate(&w.shadow, after.ID); err == nil && !holder.Ready() {
		w.violated(invReadiness, "%s handed over to %s, which is not ready: %s", c.name(), after.Identity, holder.NotReady)
	}
}

// checkReadyAcceptance is invariant 28 for the acceptance of a leadership that was handed
// over. Its holder may have stopped being ready meanwhile.
func (w *world) checkReadyAcceptance(c *commit) {
	if holder, err := w.election.GetCandidate(&w.shadow, c.after.Leader.ID); err == nil && !holder.Ready() && w.leadUnready == 0 {
		w.violated(invReadiness, "%s accepted, and is not ready: %s", c.name(), holder.NotReady)
	}
}

// checkReadySince is invariant 28 for the record of a candidate. It is ready since the
// commit that made it ready.
func (w *world) checkReadySince(c *commit, before *candidateSince, known bool, record *election.Candidate) {
	stamp := (memkv.CommitResult{Version: c.entry.Version, Batch: c.entry.Batch}).Stamp()
	registered := !known || before.Identity != record.Identity
	switch {
	case !record.Ready():
		if record.ReadySince != (subspace.Versionstamp{}) {
			w.violated(invReadiness, "%s is not ready since %v", record.Identity, record.ReadySince)
		}
	case registered && record.ReadySince != record.Versionstamp,
		!registered && before.Ready() && record.ReadySince != before.ReadySince,
		!registered && !before.Ready() && record.ReadySince.Transaction != stamp:
		w.violated(invReadiness, "%s says that %s is ready since %v", c.name(), record.Identity, record.ReadySince)
	}
}

// checkReadyLeader is invariant 28 at the end. The leader is ready.
func (w *world) checkReadyLeader() {
	if holder, ok := w.records[w.state.Leader.ID]; ok && !holder.Ready() {
		w.violated(invReadiness, "%s leads, and is not ready: %s", holder.Identity, holder.NotReady)
	}
}

// becomeUnready makes a process not ready for a while. A process that starts on the host
// meanwhile is not ready either.
func (p *process) becomeUnready() {
	w, h := p.world, p.host
	w.setReadiness(h, "fault")
	w.after(w.span(faultUnready, 4*w.config.LeaseDuration), func() {
		if w.faultFreeSince == 0 {
			w.setReadiness(h, "")
		}
	})
}

// setReadiness changes why the processes of a host are not ready; empty: they are ready.
func (w *world) setReadiness(h *host, notReady string) {
	h.notReady = notReady
	for _, p := range slices.Clone(w.live) {
		if p.host != h {
			continue
		}
		p.me.NotReady = notReady
		if w.tracing {
			w.trace(p, "not ready: %q", notReady)
		}
		p.post(machine.ReadinessChanged{NotReady: notReady})
	}
}

// settleReadiness decides who is not ready in the fault-free period: no process, or one of
// several voters.
func (w *world) settleReadiness() {
	draw := stream(w.opts.Seed, 10)
	stays := draw.IntN(2*len(w.hosts) + 1)
	for i, h := range w.hosts {
		switch {
		case w.faults.intensity[faultUnready] > 0 && i == stays && i > 0:
			w.setReadiness(h, "it stays so")
		case h.notReady != "":
			w.setReadiness(h, "")
		}
	}
}
