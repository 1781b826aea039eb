package simulation

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
)

// checkLead is a part of invariants 35 and 40: a process leads in tenures of its session only,
// and never while an earlier run of the same work goes on.
func (w *groupWorld) checkLead(p *groupProcess, token group.Token) {
	if r := p.runs[token.Shard]; r != nil {
		w.violated(invGroupWork, "%s leads %s while its work in %s goes on", p.name, token, r.token)
	}
	if token.Term < p.last[token.Shard] && !w.damaged {
		w.violated(invGroupTerms, "%s leads %s after term %d", p.name, token, p.last[token.Shard])
	}
	p.last[token.Shard] = token.Term
	if _, exists := w.holders[token]; !exists || token.Identity != p.session() {
		w.violated(invGroupBelief, "%s leads %s, which is not a tenure of its session %s", p.name, token, p.session())
	}
	if w.ended[token.Identity] && p.local().Before(p.deadlines.End) {
		w.situation("shard led in a session that has ended")
	}
}

func (p *groupProcess) local() time.Time { return p.clocks.local(p.world.now) }

// checkExpire is a part of invariant 40: the use of the lease ends once, after the work was told
// to stop.
func (w *groupWorld) checkExpire(p *groupProcess, token group.Token) {
	if r := p.runs[token.Shard]; r != nil && (r.token != token || !r.drained || r.expired) {
		w.violated(invGroupWork, "%s ends its work on %s, which is %s, drained: %v, ended: %v", p.name, token, r.token, r.drained, r.expired)
	}
}

// uses reports whether a run of work may use the lease now. A process that is paused finds
// that by its clock.
func (p *groupProcess) uses(r *run) bool {
	return p.alive && !r.expired && p.local().Before(p.deadlines.End)
}

// checkBelief is invariant 35: no two processes use the lease of one shard at a time.
func (w *groupWorld) checkBelief(p *groupProcess) {
	for _, name := range sortedRuns(p.runs) {
		mine := p.runs[name]
		if !p.uses(mine) || w.excused(mine.token.Identity) {
			continue
		}
		for _, other := range w.live {
			r := other.runs[name]
			if other != p && r != nil && other.uses(r) && !w.excused(r.token.Identity) {
				w.violated(invGroupBelief, "%s uses %s and %s uses %s", p.name, mine.token, other.name, r.token)
			}
		}
	}
}

func sortedRuns(runs map[string]*run) []string {
	names := make([]string, 0, len(runs))
	for name := range runs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// excused reports whether an operator has damaged the records of a session, or restored the
// database under it.
func (w *groupWorld) excused(session election.Identity) bool { return w.tampered[session] }

// checkFinish is a part of invariant 36: a process that has left has no session any more, and
// leads nothing.
func (w *groupWorld) checkFinish(p *groupProcess, err error) {
	if err != nil {
		w.situation("could not leave")
		return
	}
	for _, one := range sortedRecords(w.rows) {
		row := w.rows[one]
		if row.Member != nil && w.joined[row.Member.Identity] == p && !w.tampered[row.Member.Identity] {
			w.violated(invGroupSession, "%s has left, and %s is a member", p.name, row.Member.Identity)
		}
	}
	if len(p.runs) > 0 {
		w.situation("left while work goes on")
	}
}

// checkDrain is a part of invariants 40 and 44: work is told to stop once, and a process moves at
// most MaxMoves shards for balance at a time.
func (w *groupWorld) checkDrain(p *groupProcess, a membership.Drain) {
	token := a.Token
	if r := p.runs[token.Shard]; r != nil && (r.token != token || r.drained) {
		w.violated(invGroupWork, "%s tells its work on %s to stop, which is %s, drained: %v", p.name, token, r.token, r.drained)
	}
	if a.Reason != group.ReasonBalance {
		return
	}
	p.moving[token.Shard] = token
	moving := 0
	for name, one := range p.moving {
		row := w.rows[groupRecord{group.KindShard, name}]
		if row.Shard != nil && row.Shard.Token() == one && one.Identity == p.session() {
			moving++
		} else {
			delete(p.moving, name)
		}
	}
	if most := p.machine.Config().MaxMoves; moving > most {
		w.violated(invGroupBalance, "%s moves %d shards at a time, and may move %d", p.name, moving, most)
	}
}

// checkObeys is a part of invariants 39 and 40: a process leads nothing that it knows it must give
// up, and no work goes on after the belief in its session has ended.
func (w *groupWorld) checkObeys(p *groupProcess) {
	mirror := p.machine.Mirror()
	for _, name := range sortedRuns(p.runs) {
		r := p.runs[name]
		if !r.expired && !p.local().Before(p.deadlines.End) {
			w.violated(invGroupWork, "%s: the work on %s goes on after the end of the session", p.name, r.token)
		}
		if !p.machine.Leads(r.token) {
			continue
		}
		request := mirror.Request(name)
		switch {
		case !p.machine.Config().Enabled:
			w.violated(invGroupClaim, "%s leads %s, and the group is disabled", p.name, r.token)
		case mirror.Drained(p.host.id):
			w.violated(invGroupClaim, "%s leads %s, and it is drained", p.name, r.token)
		case request.Kind == group.RemoveRequest, request.Kind == group.ResignRequest && request.Term == r.token.Term:
			w.violated(invGroupClaim, "%s leads %s, and is asked to %s", p.name, r.token, request.Kind)
		case p.machine.State() == membership.StateLeaving:
			w.violated(invGroupClaim, "%s leads %s, and leaves", p.name, r.token)
		}
	}
}

// checkStarted is a part of invariant 39: a process does not claim a shard during its hold-off.
func (w *groupWorld) checkStarted(p *groupProcess, op *membership.Operation) {
	for i := range op.Claims {
		if name := op.Claims[i].Shard; p.local().Before(p.holdOffs[name]) {
			w.violated(invGroupClaim, "%s claims %s during its hold-off", p.name, name)
		}
	}
}
