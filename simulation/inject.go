package simulation

import (
	"slices"
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// injectFaults decides, once a second, on the faults that do not belong to a call.
func (w *world) injectFaults() {
	if w.faultFreeSince > 0 {
		return
	}
	w.after(time.Second, w.injectFaults)
	for _, h := range w.hosts {
		if p := h.current; p == nil || !p.alive {
			if w.scheduleRand.IntN(10) == 0 {
				h.start(w)
			}
		}
	}
	for _, p := range slices.Clone(w.live) {
		times := 1
		if w.state.Leader.HeldBy(p.me.Identity) { // faults of a leader matter most
			times = 3
		}
		for range times {
			w.injectInto(p)
		}
	}
	w.disturb(&w.application.node, w.skew)
	if w.chance(faultRecovery) {
		w.recover(func() {
			if w.handingOver() {
				w.situation("recovery during hand-over")
			}
		})
	}
	if w.chance(faultPriorityContest) {
		w.contestPriorities()
	}
	if w.chance(faultOutage) {
		w.injectOutage(w.allPlaces())
	}
	w.operate()
}

// handingOver reports whether a hand-over is in progress.
func (w *world) handingOver() bool {
	if !w.state.Leader.Vacant() && !w.state.Leader.Accepted {
		return true
	}
	for _, p := range w.live {
		if t := p.tenure; t != nil && t.drained && p.me.Identity == w.state.Leader.Identity {
			return true
		}
		for _, op := range p.running {
			if op.what.Kind == machine.HandOver || op.what.Kind == machine.Resign {
				return true
			}
		}
	}
	return false
}

// injectInto draws the faults of one process.
func (w *world) injectInto(p *process) {
	switch {
	case !p.alive:
	case w.chance(faultCrash):
		w.count(faultCrash)
		p.crash()
	case w.chance(faultLeave):
		w.count(faultLeave)
		p.leave()
	case w.chance(faultLeaveTo):
		w.count(faultLeaveTo)
		p.leaveTo()
	case w.disturb(&p.node, w.skew):
	case w.chance(faultChange):
		w.count(faultChange)
		p.changeRegistration()
	case w.chance(faultUnready):
		w.count(faultUnready)
		p.becomeUnready()
	case w.chance(faultDuplicateID):
		w.count(faultDuplicateID)
		w.startDuplicate(p)
	}
}

// changeRegistration changes the priority, role or metadata of a process.
func (p *process) changeRegistration() {
	w := p.world
	switch w.pick(faultChange, 3) {
	case 0:
		p.host.priority = int32(w.pick(faultChange, hostPriorities))
	case 1:
		p.host.role = election.Role(w.pick(faultChange, 2))
		w.after(w.span(faultChange, 3*w.config.LeaseDuration), func() { // and back
			p.host.role = p.host.normalRole()
			p.postRegistration()
		})
	}
	p.postRegistration()
}

// The priorities of hosts are below hostPriorities, except in a contest.
const hostPriorities = 3

// contestPriorities makes processes raise their priorities above each other's within a
// lease, and then reset them: a storm of preemptions.
func (w *world) contestPriorities() {
	w.count(faultPriorityContest)
	set := func(h *host, after time.Duration, priority int32) {
		w.after(after, func() {
			if w.faultFreeSince > 0 {
				return
			}
			h.priority = priority
			if p := h.current; p != nil && p.alive {
				p.postRegistration()
			}
		})
	}
	after := time.Duration(0)
	for bid := range int32(2 + w.pick(faultPriorityContest, 6)) {
		h := w.hosts[w.pick(faultPriorityContest, len(w.hosts))]
		after += w.span(faultPriorityContest, w.config.LeaseDuration/4)
		set(h, after, hostPriorities+bid)
		set(h, after+w.span(faultPriorityContest, 3*w.config.LeaseDuration), int32(w.pick(faultPriorityContest, hostPriorities)))
	}
}

// normalRole is the role of a host, apart from temporary changes.
func (h *host) normalRole() election.Role {
	if h.column > 2 && h.id == "e" {
		return election.Observer
	}
	return election.Voter
}

func (p *process) postRegistration() {
	w := p.world
	w.starts++
	p.me.Priority, p.me.Role = p.host.priority, p.host.role
	p.post(machine.RegistrationChanged{Priority: p.me.Priority, Role: p.me.Role, Metadata: map[string]string{"change": strconv.Itoa(w.starts)}})
}

// startDuplicate starts a second process under the id of a live one, on clocks of its
// own.
func (w *world) startDuplicate(p *process) {
	if w.tracing {
		w.trace(p, "gets a duplicate")
	}
	p.host.startWith(w, w.newClocks())
	if w.pick(faultDuplicateID, 2) == 0 { // the older one does not notice
		p.pause(w.pauseLength(&p.node, faultDuplicateID))
	}
}
