package simulation

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// succession is how a process was told to leave, and what became of it.
type succession struct {
	machine.Succession
	releases election.Token // the tenure that it had then
	// handedOver and resigned say what a commit of the process did with that tenure.
	handedOver, resigned bool
}

// leaveTo tells the process to stop in order, and to hand over.
func (p *process) leaveTo() {
	if !p.alive || p.stopping {
		return
	}
	p.stopping = true
	w := p.world
	s := machine.Succession{To: w.chooseSuccessor()}
	s.Nonce, _ = uuid.NewRandomFromReader(&reader{r: w.faults.streams[faultLeaveTo]})
	if w.tracing {
		w.trace(p, "is told to stop and to hand over to %s", s.To)
	}
	p.post(machine.Leave{Succession: s})
}

// chooseSuccessor names a successor: mostly another host, otherwise the newest candidate, or
// one that cannot be handed leadership.
func (w *world) chooseSuccessor() string {
	switch n := w.pick(faultLeaveTo, 16); {
	case n < 8:
		return w.hosts[w.pick(faultLeaveTo, len(w.hosts))].id // perhaps its own, or one that does not run
	case n < 14:
		return "*"
	default:
		return []string{"nobody", "nobody*"}[n-14]
	}
}

// noteLeave notes the succession at the moment at which the state machine is told of it. It
// counts only if the process has a tenure and does not unregister yet.
func (p *process) noteLeave(event machine.Event) {
	leave, ok := event.(machine.Leave)
	if t := p.tenure; ok && leave.To != "" && t != nil && !t.returned && !p.unregisters {
		p.succession = succession{Succession: leave.Succession, releases: t.token}
	}
}

// checkSuccession is invariant 32 for a commit. If a process leaves with a successor, the
// transaction that ends its tenure hands over to it, so that leadership is not vacant. Only
// if there is no such voter, or the election is disabled, it resigns. Of several successors
// the newest one counts.
func (w *world) checkSuccession(c *commit) {
	p, after := c.by, &c.after.Leader
	if p == nil || p.succession.To == "" || c.before.Leader.Token() != p.succession.releases || c.before.Leader.Vacant() ||
		after.Token() == c.before.Leader.Token() && !after.Vacant() {
		return
	}
	s := &p.succession
	s.handedOver, s.resigned = !after.Vacant(), after.Vacant()
	possible := w.successors(c)
	enabled := c.before.Config.ElectionEnabled && w.configAt <= c.entry.ReadVersion // a config does not conflict
	switch {
	case after.Vacant() && len(possible) > 0 && enabled:
		w.violated(invSuccession, "%s resigned, and could have handed over to %s", c.name(), possible[0].Identity)
	case after.Vacant():
		w.situation("left without a successor")
	case after.Nonce != s.Nonce || !s.names(after.ID):
		w.violated(invSuccession, "%s handed over to %s, and not to %s", c.name(), after, s.To)
	case len(possible) > 0 && w.records[after.ID].Versionstamp.Compare(possible[0].Versionstamp) < 0:
		w.violated(invSuccession, "%s handed over to %s, and %s is newer", c.name(), after, possible[0].Identity)
	default:
		w.situation("handed over to a successor")
	}
}

// names reports whether the succession names an id.
func (s *succession) names(id string) bool {
	prefix, many := strings.CutSuffix(s.To, "*")
	return id != s.releases.ID && (id == s.To || many && strings.HasPrefix(id, prefix))
}

// successors returns the voters that a commit could surely have handed leadership to, the
// newest first. A candidate that was listed counts only if its record has not changed since
// the transaction began, and if its process did not say that it has timed out.
func (w *world) successors(c *commit) (all []candidateSince) {
	s := &c.by.succession
	for _, h := range w.hosts {
		id := h.id
		r, there := w.records[id]
		listed := r.version <= c.entry.ReadVersion && int64(binary.BigEndian.Uint64(r.Versionstamp.Transaction[:8])) <= c.entry.ReadVersion
		dead := c.op != nil && slices.ContainsFunc(c.op.what.Members, func(m election.Candidate) bool {
			return m.Identity == r.Identity && m.Heartbeats == r.Heartbeats
		})
		if there && s.names(id) && r.Role == election.Voter && r.Ready() && !dead && (listed || id == s.To) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b candidateSince) int { return b.Versionstamp.Compare(a.Versionstamp) })
	return all
}

// checkLeft is invariant 32 for the end of a process. It says that it has resigned instead of
// handing over if and only if that is so. If the history does not tell, it may say so after a
// hand-over too.
func (w *world) checkLeft(p *process, err error) {
	failed, refused := errors.AsType[*machine.HandOverError](err)
	_, stays := errors.AsType[*machine.LeaveError](err)
	p.left = err == nil || refused && !stays
	s := &p.succession
	newest := max(w.state.Leader.Term, w.state.Term.Term, w.deleted.leader.Term)
	unknown := refused && errors.Is(failed.Err, fdbelection.ErrNotLeader) && (newest > s.releases.Term+1 || !w.current(s.releases))
	unknown = unknown || refused && errors.Is(failed.Err, fdbelection.ErrNotInitialized) // the history is gone
	switch {
	case s.resigned && !refused && !stays:
		w.violated(invSuccession, "%s has resigned, and does not say why it did not hand over", p.name)
	case s.handedOver && refused && !unknown:
		w.violated(invSuccession, "%s has handed over, and says that it has not: %v", p.name, failed.Err)
	}
}
