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
	w.disturb(w.application)
	if w.chance(faultRecovery) {
		w.recover()
	}
	if w.chance(faultPriorityContest) {
		w.contestPriorities()
	}
	if w.chance(faultOutage) {
		w.injectOutage()
	}
	w.operate()
}

// recover makes the database recover, perhaps several times in a row.
func (w *world) recover() {
	for again := w.pick(faultRecovery, 3); ; again-- {
		w.count(faultRecovery)
		if w.now-w.recoveredAt < w.config.LeaseDuration && w.recoveries > 0 {
			w.situation("two recoveries within a lease")
		}
		if w.handingOver() {
			w.situation("recovery during hand-over")
		}
		w.recoveries++
		w.recoveredAt = w.now
		w.db.Recover()
		if w.tracing {
			w.trace(nil, "the database recovers")
		}
		if again <= 0 {
			return
		}
		w.after(w.span(faultRecovery, w.config.LeaseDuration), func() {
			if w.faultFreeSince == 0 {
				w.recoveries++
				w.db.Recover()
			}
		})
	}
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
	case w.disturb(p):
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

// disturb may pause a process, cut it off or set its wall clock. It reports whether it
// did one of these.
func (w *world) disturb(p *process) bool {
	switch {
	case w.chance(faultPause):
		w.count(faultPause)
		p.pause(w.pauseLength(p, faultPause))
	case w.chance(faultCutOff):
		w.count(faultCutOff)
		until := w.now + w.span(faultCutOff, 3*w.config.LeaseDuration)
		way := w.pick(faultCutOff, 3)
		if way != 0 {
			p.requestsHeldUntil = until
		}
		if way != 1 {
			p.repliesHeldUntil = until
		}
		if w.tracing {
			w.trace(p, "is cut off (%s) until %s", [...]string{"answers", "requests", "both ways"}[way], until)
		}
	case w.skew > 0 && w.chance(faultClockStep):
		w.count(faultClockStep)
		p.clocks.wall = w.span(faultClockStep, 2*w.skew) - w.skew
	default:
		return false
	}
	return true
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
		p.pause(w.pauseLength(p, faultDuplicateID))
	}
}
