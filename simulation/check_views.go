package simulation

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// witness is what the checks remember of one process.
type witness struct {
	state           machine.State // as the last transition reported it
	stage           callbackStage
	lastTerm        uint64                // the last term in which it began to lead
	lastEra         int                   // the era of lastTerm
	sawEras         []int                 // the eras of which it has seen a ballot
	goneOp          uint64                // the operation whose answer said that its tenure is gone
	goneTerm        uint64                // the term of that tenure
	noElectionSince time.Time             // when it first saw that the election was gone, after its last ballot
	lastRead        election.LeaderRecord // the last leader record that it read
	readAt          time.Time             // when it read a leader record last, by its clock
	ledTerm         uint64                // the last term in which it led
	lastSeen        election.LeaderRecord // the last one that it was told of
	hasSeen         bool
	unsettled       bool
	attempts        []attempt
	drainAsked      drainAsked
	lastWritten     election.LeaderRecord // the last leader record that it wrote
	holdOffUntil    time.Time             // by its clock, after its work has failed
	main            *operation            // the newest main operation
	failing         failing               // the main operations that the store has not answered
	yields          yields                // the head start that it gives
	// issuedAfter is the number of commits that its operation had when the last attempt
	// began.
	issuedAfter int
	told        told
}

// drainAsked is the request for which the application was told to hand over, and when it
// was first told so, by its clock.
type drainAsked struct {
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

// checkStep runs the checks on one step of a state machine: its event and its actions.
func (w *world) checkStep(p *process, event machine.Event, before machine.TenureDeadlines, actions []machine.Action) {
	if r, ok := event.(machine.WorkReturned); ok && p.lastTerm == r.Term {
		p.stage = outside
	}
	for _, action := range actions {
		w.checkCallback(p, event, action)
		if follow, ok := action.(machine.LeaderChanged); ok && !follow.Metadata {
			w.checkSeenLeader(p, &follow.Leader)
		}
	}
	if _, ok := event.(machine.Answered); ok {
		w.checkSettledLeader(p)
	}
	w.checkTold(p, actions)
	after := &p.deadlines
	if a, ok := event.(machine.Answered); ok && a.Op == p.goneOp && p.goneTerm == after.Term && !after.Stop.IsZero() {
		w.violated(invDeadline, "%s has read that its tenure is gone, and still leads in term %d", p.name, after.Term)
	}
	if p.state.Leads() != (p.stage == entered) {
		w.violated(invCallbacks, "%s is in the state %s, and its tenure is at stage %d", p.name, p.state, p.stage)
	}
	if before.Term == after.Term && before.Stop.IsZero() && !after.Stop.IsZero() && p.ledTerm == after.Term {
		w.violated(invDeadline, "%s leads again in term %d, which it had ended", p.name, after.Term)
	}
	if !after.End.IsZero() && p.lastSeen.Term > after.Term && w.eraOf(&p.lastSeen) == p.lastEra {
		w.violated(invDeadline, "%s leads in term %d, and knows of term %d", p.name, after.Term, p.lastSeen.Term)
	}
	if !after.Stop.IsZero() {
		p.ledTerm = after.Term
		if p.host.role == election.Observer && p.me.Role == election.Observer && before.Stop.IsZero() {
			w.violated(invVoter, "%s leads, and is an observer", p.name)
		}
	}
}

// checkCallback is invariant 23, for the actions behind the callbacks. Each tenure is led,
// drained and ended once, in this order. The next one begins after the work of the last
// one has returned. The transitions of a process are one chain from its start to its end.
func (w *world) checkCallback(p *process, event machine.Event, action machine.Action) {
	at := p.stage
	switch a := action.(type) {
	case machine.Lead:
		if era := w.eraOf(&a.Leader); era != p.lastEra { // terms begin again
			p.lastEra, p.lastTerm, p.ledTerm = era, 0, 0
		}
		if at != outside || a.Leader.Term <= p.lastTerm {
			w.violated(invCallbacks, "%s leads in term %d after term %d, at stage %d", p.name, a.Leader.Term, p.lastTerm, at)
		}
		p.stage, p.lastTerm = entered, a.Leader.Term
		p.attempts = p.attempts[:0]
		if answered, ok := event.(machine.Answered); ok {
			p.attempts = append(p.attempts, attempt{
				start: answered.Answer.Start, lease: a.Leader.LeaseDuration, config: answered.Answer.Status.Config,
			})
		}
	case machine.Drain:
		if at != entered || a.Term != p.lastTerm {
			w.violated(invCallbacks, "%s drains term %d at stage %d of term %d", p.name, a.Term, at, p.lastTerm)
		}
		if a.Reason == machine.ReasonChallenged && !w.repeated[p.tenure.token] {
			w.violated(invPreemption, "%s drains term %d for a challenge that was not repeated", p.name, a.Term)
		}
		if a.Reason == machine.ReasonNotReady {
			w.situation("leader is not ready any more")
			if r, ok := event.(machine.ReadinessChanged); ok && r.NotReady != "" {
				p.holdOffUntil = p.now().Local.Add(p.machine.View().Config.LeaseDuration)
			}
		}
		p.stage = drained
	case machine.Expire:
		if at != drained && !w.returning(event, a.Term) || a.Term != p.lastTerm {
			w.violated(invCallbacks, "%s ends term %d at stage %d of term %d", p.name, a.Term, at, p.lastTerm)
		}
		if at != outside {
			p.stage = expired
		}
	case machine.StateChanged:
		if a.From != p.state || a.From == a.To {
			w.violated(invCallbacks, "%s was in the state %s, and reports a transition from %s to %s", p.name, p.state, a.From, a.To)
		}
		p.state = a.To
	case machine.Finish:
		if at == entered || at == drained || p.state != machine.StateStopped {
			w.violated(invCallbacks, "%s has left in the state %s, at stage %d", p.name, p.state, at)
		}
	default:
	}
}

// returning reports whether an event says that the work of a term has returned. The lease
// of the tenure ends with it.
func (w *world) returning(event machine.Event, term uint64) bool {
	r, ok := event.(machine.WorkReturned)
	return ok && r.Term == term
}

// checkSeenLeader is invariant 19 while there are faults. A process that follows the
// leadership is told of real tenures only, in their order, and of none twice.
func (w *world) checkSeenLeader(p *process, leader *election.LeaderRecord) {
	old := &p.lastSeen
	if leader.Ballot == 0 && w.deleted.leaders > 0 { // it has seen that the record was deleted
		p.lastSeen, p.hasSeen = *leader, true
		return
	}
	if p.hasSeen && w.eraOf(leader) == w.eraOf(old) {
		again := leader.Token() == old.Token() && leader.Vacant() == old.Vacant() && leader.Accepted == old.Accepted
		if leader.Term < old.Term || leader.Term == old.Term && old.Vacant() && !leader.Vacant() || again {
			w.violated(invObservers, "%s sees %s after %s", p.name, leader, old)
		}
		if leader.Term > old.Term+1 {
			w.situation("a tenure was missed")
		}
	}
	known, ok := w.holders[leader.Term]
	if w.eraOf(leader) != w.deleted.era {
		known, ok = leader.Token(), true // it was checked before that election was deleted
	}
	if leader.Term > 0 && (!ok || !leader.Vacant() && known != leader.Token()) {
		w.violated(invObservers, "%s sees %s, which never existed", p.name, leader)
	}
	p.lastSeen, p.hasSeen = *leader, true
}

// checkSettledLeader is invariant 19 for WaitLeader. If a process takes a leader for settled, that
// has written its record less than a lease ago on the clock of the process.
func (w *world) checkSettledLeader(p *process) {
	view, now := p.machine.View(), p.now()
	leader := &view.Leader
	if view.Freshness.Settled(fdbelection.ExpiryByObservation, *leader, now.Wall, now.Local) != nil || leader.HeldBy(p.me.Identity) {
		return
	}
	at, known := w.writtenAt[ballotOf{leader.Ballot, leader.Nonce}]
	if age := now.Local.Sub(p.clocks.local(at)); !known || !leader.Accepted || age > leader.LeaseDuration+2 {
		w.violated(invObservers, "%s takes %s for settled, which was written %s ago", p.name, leader, age)
	}
	if leader.Token() != w.state.Leader.Token() {
		w.situation("a settled leader was displaced in the meantime")
	}
}

// checkFaultFree is invariants 19 and 20, at the end of the fault-free period. There is
// one leader, the fence lets it write, it has the highest priority, and every process
// knows it. In the last part of the period no tenure ended except for a higher priority,
// which may have waited for a minimum tenure.
func (w *world) checkFaultFree() {
	leaders, highest := 0, int32(-1)
	for _, h := range w.hosts {
		p := w.present(h)
		if p == nil {
			w.violated(invLiveness, "%s has no process", h.id)
			return
		}
		if !p.deadlines.Stop.IsZero() && p.clocks.local(w.now).Before(p.deadlines.Stop) {
			leaders++
		}
		if h.role == election.Voter && p.me.NotReady == "" {
			highest = max(highest, h.priority)
		}
	}
	leader := &w.state.Leader
	if w.state.Term.Token != leader.Token() || !w.state.Term.Held {
		w.violated(invLiveness, "the leader record says %s, the term record %s, held: %v", leader, w.state.Term.Token, w.state.Term.Held)
	}
	switch {
	case leaders != 1:
		w.violated(invLiveness, "%d leaders, the record says %s (%s)", leaders, leader, w.state.Request)
	case leader.Priority != highest:
		w.violated(invLiveness, "%s leads with priority %d, the highest is %d (%s)", leader, leader.Priority, highest, w.state.Request)
	case w.needlessTenures > 0:
		w.violated(invLiveness, "%d tenures began without a fault and without a higher priority", w.needlessTenures)
	}
	w.checkReadyLeader()
	for _, h := range w.hosts {
		p := w.present(h)
		if view := p.machine.View(); view.Leader.Token() != leader.Token() {
			w.violated(invObservers, "%s follows %s, the record says %s", p.name, view.Leader, leader)
		}
		w.checkKnown(p)
	}
	if len(w.records) != len(w.hosts) {
		w.violated(invCandidates, "%d candidates are registered, there are %d processes", len(w.records), len(w.hosts))
	}
}

// present returns a live process of a host. If two have its id, it returns either.
func (w *world) present(h *host) *process {
	for _, p := range w.live {
		if p.host == h {
			return p
		}
	}
	return nil
}
