package simulation

import (
	"slices"
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// storm decides, once a second, on the faults that are not of a call.
func (w *World) storm() {
	if w.quiet > 0 {
		return
	}
	w.after(time.Second, w.storm)
	for _, h := range w.hosts {
		if p := h.current; p == nil || !p.alive {
			if w.scheduleRand.IntN(10) == 0 {
				h.enter(w)
			}
		}
	}
	for _, p := range slices.Clone(w.live) {
		times := 1
		if w.state.Leader.HeldBy(p.me.Identity) { // what happens to a leader matters most
			times = 3
		}
		for range times {
			w.strike(p)
		}
	}
	w.disturb(w.application)
	if w.chance(Recovery) {
		w.recover()
	}
	if w.chance(PriorityContest) {
		w.contest()
	}
	w.steer()
}

// recover has the database recover, perhaps several times in a row.
func (w *World) recover() {
	for again := w.pick(Recovery, 3); ; again-- {
		w.count(Recovery)
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
		w.after(w.span(Recovery, w.config.LeaseDuration), func() {
			if w.quiet == 0 {
				w.recoveries++
				w.db.Recover()
			}
		})
	}
}

// handingOver reports whether a seat is being handed over.
func (w *World) handingOver() bool {
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

// strike hits one process, or does not.
func (w *World) strike(p *process) {
	switch {
	case !p.alive:
	case w.chance(Crash):
		w.count(Crash)
		p.crash()
	case w.chance(Leave):
		w.count(Leave)
		p.leave()
	case w.disturb(p):
	case w.chance(Change):
		w.count(Change)
		p.change()
	case w.chance(DuplicateID):
		w.count(DuplicateID)
		w.twin(p)
	}
}

// disturb does to a process what it survives, or does not: it pauses it, cuts it off, or
// sets its wall clock.
func (w *World) disturb(p *process) bool {
	switch {
	case w.chance(Pause):
		w.count(Pause)
		p.pause(w.pauseLength(p, Pause))
	case w.chance(CutOff):
		w.count(CutOff)
		until := w.now + w.span(CutOff, 3*w.config.LeaseDuration)
		way := w.pick(CutOff, 3)
		if way != 0 {
			p.deafUntil = until
		}
		if way != 1 {
			p.blindUntil = until
		}
		if w.tracing {
			w.trace(p, "is cut off (%s) until %s", [...]string{"answers", "requests", "both ways"}[way], until)
		}
	case w.skew > 0 && w.chance(ClockStep):
		w.count(ClockStep)
		p.clocks.wall = w.span(ClockStep, 2*w.skew) - w.skew
	default:
		return false
	}
	return true
}

// change has a process say something else of itself.
func (p *process) change() {
	w := p.world
	switch w.pick(Change, 3) {
	case 0:
		p.host.priority = int32(w.pick(Change, usualPriorities))
	case 1:
		p.host.role = election.Role(w.pick(Change, 2))
		w.after(w.span(Change, 3*w.config.LeaseDuration), func() { // and back
			p.host.role = p.host.usual()
			p.announce()
		})
	}
	p.announce()
}

// The priorities of hosts are below usualPriorities, but in a contest.
const usualPriorities = 3

// contest has processes outbid each other within a lease, and then be as they were:
// a storm of preemptions.
func (w *World) contest() {
	w.count(PriorityContest)
	set := func(h *host, after time.Duration, priority int32) {
		w.after(after, func() {
			if w.quiet > 0 {
				return
			}
			h.priority = priority
			if p := h.current; p != nil && p.alive {
				p.announce()
			}
		})
	}
	after := time.Duration(0)
	for bid := range int32(2 + w.pick(PriorityContest, 6)) {
		h := w.hosts[w.pick(PriorityContest, len(w.hosts))]
		after += w.span(PriorityContest, w.config.LeaseDuration/4)
		set(h, after, usualPriorities+bid)
		set(h, after+w.span(PriorityContest, 3*w.config.LeaseDuration), int32(w.pick(PriorityContest, usualPriorities)))
	}
}

// usual is the role that a host has but for a while.
func (h *host) usual() election.Role {
	if h.lane > 2 && h.id == "e" {
		return election.Observer
	}
	return election.Voter
}

func (p *process) announce() {
	w := p.world
	w.starts++
	p.me.Priority, p.me.Role = p.host.priority, p.host.role
	p.post(machine.RegistrationChanged{Priority: p.me.Priority, Role: p.me.Role, Metadata: map[string]string{"change": strconv.Itoa(w.starts)}})
}

// twin starts another process under the id of one that lives, elsewhere: with
// clocks of its own.
func (w *World) twin(p *process) {
	if w.tracing {
		w.trace(p, "has a twin")
	}
	p.host.enterWith(w, w.newClocks())
	if w.pick(DuplicateID, 2) == 0 { // the older one does not notice
		p.pause(w.pauseLength(p, DuplicateID))
	}
}
