package simulation

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// witness is what the checks remember of one process.
type witness struct {
	moved     machine.State // as told last
	stage     callbackStage
	led       uint64                // the last term that it was to lead
	ledEra    int                   // of which era that was
	sawEras   []int                 // of which it has seen a ballot
	goneAt    uint64                // the operation whose answer said that its tenure is gone
	gone      uint64                // the term of that tenure
	lostAt    time.Time             // when it saw first that the election was gone, after the last ballot
	saw       election.LeaderRecord // the last leader record that it was told of
	readAt    time.Time             // when it was told of a leader record last, by its clock
	believed  uint64
	followed  election.LeaderRecord // as told last
	follows   bool
	unsettled bool
	attempts  []attempt
	asked     asked
	wrote     election.LeaderRecord // the last leader record that it has written
	outUntil  time.Time             // by its clock: its work has failed
	// issuedAfter is how many commits its operation had when the last attempt was
	// issued.
	issuedAfter int
}

// asked is the intent for which an application was told last that it has to give up, and
// when it was told so first, by its clock.
type asked struct {
	by uuid.UUID
	at time.Time
}

// callbackStage is how far the callbacks of a tenure have come.
type callbackStage int

const (
	outside callbackStage = iota
	entered
	drained
	expired
)

// checkStep looks at one step of a machine: what it took and what it asks for.
func (w *World) checkStep(p *process, event machine.Event, before machine.TenureDeadlines, actions []machine.Action) {
	if r, ok := event.(machine.WorkReturned); ok && p.led == r.Term {
		p.stage = outside
	}
	for _, action := range actions {
		w.checkCallback(p, event, action)
		if follow, ok := action.(machine.LeaderChanged); ok {
			w.checkFollow(p, &follow.Leader)
		}
	}
	after := &p.belief
	if a, ok := event.(machine.Answered); ok && a.Op == p.goneAt && p.gone == after.Term && !after.Stop.IsZero() {
		w.violated(Deadline, "%s has read that its tenure is gone, and leads on in term %d", p.name, after.Term)
	}
	if p.moved.Leads() != (p.stage == entered) {
		w.violated(Callbacks, "%s is %s, and its tenure is at stage %d", p.name, p.moved, p.stage)
	}
	if before.Term == after.Term && before.Stop.IsZero() && !after.Stop.IsZero() && p.believed == after.Term {
		w.violated(Deadline, "%s believes again in term %d", p.name, after.Term)
	}
	if !after.End.IsZero() && p.followed.Term > after.Term && w.eraOf(&p.followed) == p.ledEra {
		w.violated(Deadline, "%s believes in term %d, and knows of term %d", p.name, after.Term, p.followed.Term)
	}
	if !after.Stop.IsZero() {
		p.believed = after.Term
		if p.host.role == election.Observer && p.me.Role == election.Observer && before.Stop.IsZero() {
			w.violated(Voter, "%s leads and is an observer", p.name)
		}
	}
}

// checkCallback is invariant 23, for what the callbacks are made of. It proves
// that every tenure is entered and left once and in order (lead, drain, expire),
// that the next one begins after the work of the last has returned, and that the
// transitions of a process are one chain from its start to its end.
func (w *World) checkCallback(p *process, event machine.Event, action machine.Action) {
	at := p.stage
	switch a := action.(type) {
	case machine.Lead:
		if era := w.eraOf(&a.Leader); era != p.ledEra { // terms begin again
			p.ledEra, p.led, p.believed = era, 0, 0
		}
		if at != outside || a.Leader.Term <= p.led {
			w.violated(Callbacks, "%s leads in term %d after term %d, at stage %d", p.name, a.Leader.Term, p.led, at)
		}
		p.stage, p.led = entered, a.Leader.Term
		p.attempts = p.attempts[:0]
		if answered, ok := event.(machine.Answered); ok {
			p.attempts = append(p.attempts, attempt{
				start: answered.Answer.Start, lease: a.Leader.LeaseDuration, config: answered.Answer.Status.Config,
			})
		}
	case machine.Drain:
		if at != entered || a.Term != p.led {
			w.violated(Callbacks, "%s drains term %d at stage %d of term %d", p.name, a.Term, at, p.led)
		}
		if a.Reason == machine.ReasonChallenged && !w.pressed[p.tenure.token] {
			w.violated(Preemption, "%s drains term %d for a challenge that was not repeated", p.name, a.Term)
		}
		p.stage = drained
	case machine.Expire:
		if at != drained && !w.returning(event, a.Term) || a.Term != p.led {
			w.violated(Callbacks, "%s ends term %d at stage %d of term %d", p.name, a.Term, at, p.led)
		}
		if at != outside {
			p.stage = expired
		}
	case machine.StateChanged:
		if a.From != p.moved || a.From == a.To {
			w.violated(Callbacks, "%s was %s, and goes from %s to %s", p.name, p.moved, a.From, a.To)
		}
		p.moved = a.To
	case machine.Finish:
		if at == entered || at == drained || p.moved != machine.StateStopped {
			w.violated(Callbacks, "%s has left as %s, at stage %d", p.name, p.moved, at)
		}
	default:
	}
}

// returning reports whether an event says that the work of a term has returned,
// which ends its lease as well.
func (w *World) returning(event machine.Event, term uint64) bool {
	r, ok := event.(machine.WorkReturned)
	return ok && r.Term == term
}

// checkFollow is invariant 19, while faults go on. It proves that whoever looks on
// is told of tenures that were there, in their order, and of none twice.
func (w *World) checkFollow(p *process, leader *election.LeaderRecord) {
	old := &p.followed
	if leader.Ballot == 0 && w.removed.leaders > 0 { // it has seen that the record was deleted
		p.followed, p.follows = *leader, true
		return
	}
	if p.follows && w.eraOf(leader) == w.eraOf(old) {
		again := leader.Token() == old.Token() && leader.Vacant() == old.Vacant() && leader.Accepted == old.Accepted
		if leader.Term < old.Term || leader.Term == old.Term && old.Vacant() && !leader.Vacant() || again {
			w.violated(Observers, "%s sees %s after %s", p.name, leader, old)
		}
		if leader.Term > old.Term+1 {
			w.situation("a tenure was missed")
		}
	}
	known, ok := w.holders[leader.Term]
	if w.eraOf(leader) != w.removed.era {
		known, ok = leader.Token(), true // it was checked when that election stood
	}
	if leader.Term > 0 && (!ok || !leader.Vacant() && known != leader.Token()) {
		w.violated(Observers, "%s sees %s, which never was", p.name, leader)
	}
	p.followed, p.follows = *leader, true
}

// checkQuiet is invariants 19 and 20, when faults have stopped. It proves that
// then there is one leader soon, whom the fence lets write, that it is one of the highest priority in the end,
// that for a last while no tenure gives way but to a higher priority (which a
// minimum tenure holds up), and that everybody knows the leader.
func (w *World) checkQuiet() {
	leaders, highest := 0, int32(-1)
	for _, h := range w.hosts {
		p := w.present(h)
		if p == nil {
			w.violated(Liveness, "%s is not there", h.id)
			return
		}
		if !p.belief.Stop.IsZero() && p.clocks.local(w.now).Before(p.belief.Stop) {
			leaders++
		}
		if h.role == election.Voter {
			highest = max(highest, h.priority)
		}
	}
	leader := &w.state.Leader
	if w.state.Term.Token != leader.Token() || !w.state.Term.Held {
		w.violated(Liveness, "the leader record says %s, the term record %s, held: %v", leader, w.state.Term.Token, w.state.Term.Held)
	}
	switch {
	case leaders != 1:
		w.violated(Liveness, "%d leaders, the record says %s (%s)", leaders, leader, w.state.Request)
	case leader.Priority != highest:
		w.violated(Liveness, "%s leads with priority %d, the highest is %d (%s)", leader, leader.Priority, highest, w.state.Request)
	case w.unsettling > 0:
		w.violated(Liveness, "%d tenures began without a fault, and without a higher priority", w.unsettling)
	}
	for _, h := range w.hosts {
		p := w.present(h)
		if view := p.machine.View(); view.Leader.Token() != leader.Token() {
			w.violated(Observers, "%s believes in %s, the record says %s", p.name, view.Leader, leader)
		}
	}
	if len(w.records) != len(w.hosts) {
		w.violated(Candidates, "%d candidates are registered, %d are there", len(w.records), len(w.hosts))
	}
}

// present is the process of a host that is left: of two under one id, either.
func (w *World) present(h *host) *process {
	for _, p := range w.live {
		if p.host == h {
			return p
		}
	}
	return nil
}

// checkHotLoop is the check beside the invariants. It proves that no process keeps
// itself or others busy without waiting: so many events at one instant are a timer
// that is due again at once, or answers that call for each other.
func (w *World) checkHotLoop(limit int, what func() string) bool {
	if w.still <= limit {
		return false
	}
	w.violated(HotLoop, "%d events, and no time passes: %s", w.still, what())
	return true
}
