package simulation

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// prey is a commit that arrives late, at the latest at the end of the session of its author.
type prey struct {
	session election.Identity
	late    *memkv.LateCommit
}

// hunt makes a process slow whose commit is on its way: the commit arrives around the time at
// which others can end its session, or just after they have, and so do its later requests.
// Meanwhile the others act, and something may change on which the commit depends.
func (w *groupWorld) hunt(t *task, call *memkv.Call) bool {
	p, op := w.clients[t.node.name], w.operations[t.label]
	chances := 1
	if op != nil && op.what.Kind == membership.Claim { // it is over soon
		chances = 4
	}
	hunts := false
	for range chances {
		hunts = hunts || p != nil && w.chance(faultHunt)
	}
	rare := op != nil && op.what.Kind != membership.Heartbeat
	if !hunts || !rare && w.pick(faultHunt, 16) > 0 {
		return false
	}
	w.count(faultHunt)
	late, heartbeat := call.Detach(), w.config.HeartbeatInterval
	if rare && op.what.Kind == membership.Join { // its process may have left when it arrives
		if w.pick(faultHunt, 2) == 0 {
			w.after(w.span(faultHunt, heartbeat), p.leave)
		}
		w.landAfter(late, w.span(faultHunt, 4*time.Second))
		return true
	}
	until := w.now + w.span(faultHunt, heartbeat)
	if _, end := p.ends(); end > w.now && w.pick(faultHunt, 4) > 0 {
		until = end + w.span(faultHunt, 2*heartbeat) - heartbeat/4
		if w.pick(faultHunt, 2) == 0 {
			w.preys = append(w.preys, prey{p.session(), late})
			until += 2 * heartbeat
		}
	}
	if w.tracing {
		w.traceOf(p.name, "is slow until %s", until)
	}
	p.requestsHeldUntil = max(p.requestsHeldUntil, until)
	w.landAfter(late, max(until-w.now, 0))
	if rare {
		w.meddle(&op.what)
	}
	return true
}

// strike lets the commits of a session arrive just after it has ended.
func (w *groupWorld) strike(session election.Identity) {
	for _, one := range w.preys {
		if one.session == session {
			w.landAfter(one.late, w.span(faultHunt, 4*time.Millisecond))
		}
	}
	w.preys = slices.DeleteFunc(w.preys, func(one prey) bool { return one.session == session })
}

// meddle changes something on which an operation depends, or nothing.
func (w *groupWorld) meddle(op *membership.Operation) {
	switch {
	case w.pick(faultHunt, 3) > 0:
	case op.Kind == membership.Claim, op.Kind == membership.Release && w.pick(faultHunt, 2) == 0:
		w.disableForAWhile()
	case op.Kind == membership.Release:
		for _, h := range w.hosts {
			if h.id == op.Releases[0].Target.ID {
				w.makeUnready(h)
			}
		}
	}
}

// makeUnready makes the processes of a host not ready for a while.
func (w *groupWorld) makeUnready(h *groupHost) {
	w.setReadiness(h, "busy")
	w.after(w.span(faultUnready, 2*w.lease), func() { w.setReadiness(h, "") })
}
