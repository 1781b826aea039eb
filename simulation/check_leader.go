package simulation

import (
	"bytes"
	"slices"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// The checks of this file are made at every commit that writes the leader record.

// checkBallot is invariant 1. It proves that the ballot orders all writes of the
// leader record: each raises it by one, resignations, expiry and hand-overs
// included, and nothing lowers it. After the leader record alone was deleted, the
// next one has a higher ballot.
func (w *World) checkBallot(c *commit) {
	if c.missing && c.after.Leader.Ballot > c.before.Leader.Ballot {
		return // how far above is for its writer to say, who cannot know the last one
	}
	if c.after.Leader.Ballot != c.before.Leader.Ballot+1 {
		w.violated(Ballot, "%s took it from %d to %d", c.name(), c.before.Leader.Ballot, c.after.Leader.Ballot)
	}
}

// checkHolders is invariant 2. It proves that a term is a fencing token: it has
// one holder and one nonce for ever, and no nonce names two tenures.
func (w *World) checkHolders(c *commit) {
	after := &c.after.Leader
	if after.Term < c.before.Leader.Term || after.Term > c.before.Leader.Term+1 {
		w.violated(OneHolder, "%s took the term from %d to %d", c.name(), c.before.Leader.Term, after.Term)
	}
	if after.Vacant() {
		return
	}
	token := after.Token()
	known, ok := w.holders[token.Term]
	_, used := w.removed.eras[token.Nonce]
	switch {
	case ok && known != token:
		w.violated(OneHolder, "of term %d there are %s and %s", token.Term, known.Identity, token.Identity)
	case !ok && used:
		w.violated(OneHolder, "term %d has the nonce of another", token.Term)
	}
	w.holders[token.Term], w.removed.eras[token.Nonce] = token, w.removed.era
}

// checkTransition is invariant 3, and with it 5 to 8 and 13. It proves that the
// history of the seat is one of the protocol: an independent model allows four
// steps (renewal, claim, hand-over, vacating), each by its author and in its
// situation only, and says what every field is after each.
func (w *World) checkTransition(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	switch {
	case after.Vacant():
		w.checkVacating(c)
	case after.Token() == before.Token() && !before.Vacant():
		w.checkRenewal(c)
		return
	case after.Accepted:
		w.checkClaim(c)
	default:
		w.checkHandOver(c)
	}
	if c.after.Request.Kind != election.NoRequest {
		w.violated(Transition, "%s changed the tenure and left the intent %s", c.name(), c.after.Request)
	}
	want := election.TermRecord{Token: after.Token(), Held: true, Ballot: after.Ballot}
	if after.Vacant() {
		want = election.TermRecord{Token: before.Token(), Ballot: after.Ballot}
	}
	if c.after.Term != want {
		w.violated(Transition, "%s: the term record says %s, held %v", c.name(), c.after.Term.Token, c.after.Term.Held)
	}
	w.checkHistory(c, want.Nonce)
}

// checkHistory is a part of invariant 3: the newest event is this change. One who
// gives up may not have read the config that stands, and the events of an election
// that was deleted may still be there.
func (w *World) checkHistory(c *commit, nonce uuid.UUID) {
	after := &c.after.Leader
	if c.after.Config.HistoryLimit == 0 || after.Vacant() && w.configAt > c.entry.ReadVersion {
		return
	}
	newest := 2
	if w.removed.era > 0 {
		newest = 0
	}
	events, err := w.election.History(&w.shadow, newest)
	told := func(e election.Event) bool {
		return e.Kind != election.EventDuplicate && e.Ballot == after.Ballot && e.Nonce == nonce
	}
	if err != nil || !slices.ContainsFunc(events, told) {
		w.violated(Transition, "%s: the history does not tell of ballot %d: %v %v", c.name(), after.Ballot, events, err)
	}
}

// checkRenewal is invariant 7. It proves that a lease grows by nobody's hand but
// its holder's: the same incarnation, in a tenure that it has not ended itself,
// under the config that stands.
func (w *World) checkRenewal(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	config := &c.before.Config
	switch {
	case c.who() != after.Identity:
		w.violated(Renewal, "%s renewed %s", c.name(), after)
	case c.op != nil && c.op.what.EndedTerm >= after.Term:
		w.violated(Renewal, "%s renewed term %d, which it has ended", c.name(), after.Term)
	case c.op != nil && c.op.what.Kind != 0 && c.op.what.Token.Term != 0 && c.op.what.Token != after.Token():
		w.violated(Renewal, "%s renewed %s on behalf of %s", c.name(), after.Token(), c.op.what.Token)
	case !config.ElectionEnabled:
		w.violated(Renewal, "%s renewed in a disabled election", c.name())
	case after.LeaseDuration != config.LeaseDuration, !after.Accepted, after.AcquireReason != before.AcquireReason && !c.missing,
		before.Accepted && !after.AcquiredAt.Equal(before.AcquiredAt) && !c.missing:
		w.violated(Transition, "%s renewed %+v to %+v", c.name(), before, after)
	case c.after.Term != c.before.Term && !c.missing, c.after.Request != c.before.Request:
		w.violated(Transition, "%s renewed, and changed the term record or the intent", c.name())
	}
	if c.missing { // the tenure goes on, and the next one to lose it goes on from this ballot
		restored := election.TermRecord{Token: c.before.Term.Token, Held: true, Ballot: after.Ballot}
		if restored.Token != after.Token() || !c.before.Term.Held || c.after.Term != restored {
			w.violated(Transition, "%s restored %s, and the term record says %+v", c.name(), after, c.after.Term)
		}
	}
	w.checkVoter(c)
}

// checkVacating is a part of invariant 8.
func (w *World) checkVacating(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	if before.Vacant() || after.Term != before.Term || after.Nonce != before.Nonce {
		w.violated(Transition, "%s vacated %s to %s", c.name(), before, after)
	}
	w.checkGivenUp(c)
}

// checkGivenUp is invariant 8. It proves that a seat is given up, or handed over,
// by nobody but its holder, in exactly the tenure that the act was made for, and
// after the work of that tenure has returned or was told that its lease is over.
func (w *World) checkGivenUp(c *commit) {
	before := &c.before.Leader
	if c.forced(labelDepose) {
		w.excused[before.Token()] = true
		return
	}
	if c.who() != before.Identity {
		w.violated(Resignation, "%s gave up the seat of %s", c.name(), before)
		return
	}
	if c.op != nil && c.op.what.Token.Term != 0 && c.op.what.Token != before.Token() {
		w.violated(Resignation, "%s gave up %s on behalf of %s", c.name(), before.Token(), c.op.what.Token)
	}
	p := c.by
	if p.application {
		w.checkKept(c)
		return
	}
	if !p.alive {
		return
	}
	if t := p.tenure; t != nil && t.token == before.Token() && !t.returned && !t.expired {
		w.violated(Resignation, "%s gave up %s while its work was running", c.name(), before.Token())
	}
}

// checkClaim is invariant 5. It proves that a new tenure begins only in a seat that
// is vacant, or whose lease is over as the config has it judged, or that may be
// preempted, or that is the claimant's own from a tenure that it has ended.
func (w *World) checkClaim(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	config := &c.before.Config
	if c.who() != after.Identity || after.Term != before.Term+1 || after.LeaseDuration != config.LeaseDuration {
		w.violated(Transition, "%s claimed: %+v", c.name(), after)
	}
	if !config.ElectionEnabled {
		w.violated(Takeover, "%s claimed in a disabled election", c.name())
	}
	w.checkVoter(c)
	w.checkHoldOff(c)
	switch {
	case !c.missing || before.Vacant():
	case before.Identity == c.who():
		w.checkReclaim(c)
		return
	default: // it has no record to judge by, and waits for as long
		w.checkStood(c)
		return
	}
	switch after.AcquireReason {
	case election.AcquireVacancy:
		if !before.Vacant() {
			w.violated(Takeover, "%s says that the seat of %s was vacant", c.name(), before)
		}
	case election.AcquireReclaim:
		w.checkReclaim(c)
	case election.AcquireExpiry:
		w.checkExpired(c)
	case election.AcquirePreemption:
		w.excused[before.Token()] = true
		w.checkPreemption(c)
		if config.PreemptionGrace > 0 {
			w.violated(Preemption, "%s took the seat of %s without its grace", c.name(), before)
		}
		w.checkDelay(c)
	default:
		w.violated(Takeover, "%s claimed with origin %s", c.name(), after.AcquireReason)
	}
}

// checkHoldOff is a part of invariant 6. It proves that a process whose work has failed
// neither claims nor challenges until its hold-off is over, whatever its priority is.
func (w *World) checkHoldOff(c *commit) {
	p := c.by
	if left := p.outUntil.Sub(p.now().Local); !p.outUntil.IsZero() && left > 0 {
		w.violated(Preemption, "%s asks for the seat, and holds off for another %s", c.name(), left)
	}
}

// checkDelay is a part of invariant 6. It proves that a candidate neither challenges
// nor preempts before it has been registered for the preempt delay.
func (w *World) checkDelay(c *commit) {
	age := w.now - w.records[c.who().ID].registered
	if delay := w.config.PreemptDelay; c.by.clocks.scaled(age)+2 < delay {
		w.violated(Preemption, "%s challenges after %s, with a preempt delay of %s", c.name(), age, delay)
	}
}

func (w *World) checkReclaim(c *commit) {
	before := &c.before.Leader
	byClock := c.before.Config.Expiry == fdbelection.ExpiryByClock
	ended := c.op != nil && c.op.what.EndedTerm >= before.Term || byClock
	if before.Vacant() || before.Identity != c.who() || !ended && !c.by.application {
		w.violated(Takeover, "%s reclaimed the seat of %s", c.name(), before)
	}
	if t := c.by.tenure; c.by.alive && !c.by.application && t != nil && t.token == before.Token() && !t.returned {
		w.violated(Resignation, "%s began anew while the work of %s was running", c.name(), before.Token())
	}
}

// checkExpired judges a take-over by true time: what has stood for a lease on a
// clock that is fast by its rate has stood for nearly as long in truth.
func (w *World) checkExpired(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	if before.Vacant() || before.Identity == c.who() {
		w.violated(Takeover, "%s says that the lease of %s was over", c.name(), before)
		return
	}
	if c.before.Config.Expiry == fdbelection.ExpiryByClock {
		if after.AcquiredAt.Before(before.LeaseExpiry) {
			w.violated(Takeover, "%s took over at %s, and the lease ends at %s", c.name(), after.AcquiredAt, before.LeaseExpiry)
		}
		if w.skew > 0 {
			w.excused[before.Token()] = true
		}
		return
	}
	w.checkStood(c)
}

// checkStood judges by true time that the seat was not written for a lease. What was
// deleted counts from its last write. If the lease of the config has been shortened
// since, a process that has not seen the longer one cannot know of it, and belief is not
// promised then.
func (w *World) checkStood(c *commit) {
	before := &c.before.Leader
	lease := before.LeaseDuration
	if c.missing {
		known := c.before.Config.LeaseDuration
		if c.by.saw.Token() == before.Token() {
			known = max(known, c.by.saw.LeaseDuration)
		}
		if known < lease {
			w.excused[before.Token()] = true
			lease = known
		}
	}
	if stood := w.now - w.seatAt; c.by.clocks.scaled(stood)+2 < lease {
		w.violated(Takeover, "%s took over from %s after %s of a lease of %s", c.name(), before, stood, before.LeaseDuration)
	}
}

// checkHandOver is a part of invariants 3, 8 and 25: a seat is handed, with a short
// lease, to the candidate that an intent about this very tenure names, or that the
// holder chose itself.
func (w *World) checkHandOver(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	intent := &c.before.Request
	w.checkGivenUp(c)
	w.checkVoter(c)
	if after.Term != before.Term+1 || after.LeaseDuration != c.before.Config.AcceptanceLease() || !c.before.Config.ElectionEnabled {
		w.violated(Transition, "%s handed over: %+v", c.name(), after)
	}
	own := after.AcquireReason == election.AcquireTransfer && w.handovers[after.Nonce] == after.ID
	if !own && (intent.Term != before.Term || intent.Nonce != after.Nonce || intent.Identity != after.Identity) {
		w.violated(NamedTerm, "%s handed %s to %s, asked for was %s", c.name(), before, after, intent)
	}
	switch {
	case own:
	case intent.Kind == election.PreemptionRequest && after.AcquireReason == election.AcquirePreemption:
		w.checkPreemption(c)
		if !w.pressed[before.Token()] && (c.op != nil || w.byHand(c.by)) {
			w.violated(Preemption, "%s obeys the %s, which was not repeated", c.name(), intent)
		}
	case intent.Kind == election.TransferRequest && after.AcquireReason == election.AcquireTransfer:
	default:
		w.violated(Transition, "%s handed over by %s, origin %s", c.name(), intent, after.AcquireReason)
	}
}

// checkPreemption is invariant 6. It proves that only a strictly higher priority
// displaces a holder, where the config of the same snapshot allows it, and not
// within the minimum tenure.
func (w *World) checkPreemption(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	config := &c.before.Config
	if before.Vacant() || after.Priority <= before.Priority || !config.AllowPreemption {
		w.violated(Preemption, "%s of priority %d over %d, allowed: %v", c.name(), after.Priority, before.Priority, config.AllowPreemption)
	}
	protection := config.MinimumTenure
	if before.AcquireReason == election.AcquireTransfer {
		protection = max(protection, config.LeaseDuration)
	}
	if config.Expiry == fdbelection.ExpiryByClock { // from the attempt that began it
		if age := after.AcquiredAt.Sub(before.AcquiredAt); protection > 0 && age < protection {
			w.violated(Preemption, "%s over a tenure of %s by its clock, protected for %s", c.name(), age, protection)
		}
		return
	}
	if age := w.now - w.tenureAt; c.by.clocks.scaled(age)+2 < protection {
		w.violated(Preemption, "%s over a tenure of %s, protected for %s", c.name(), age, protection)
	}
}

// checkVoter is invariant 13. It proves that whoever gets or keeps the seat is
// registered under the same incarnation, as a voter, with the priority and the
// versionstamp that the leader record has.
func (w *World) checkVoter(c *commit) {
	after := &c.after.Leader
	holder, err := w.election.GetCandidate(&w.shadow, after.ID)
	switch {
	case err != nil:
		w.violated(Voter, "%s: %v", c.name(), err)
	case holder.Identity != after.Identity, holder.Role != election.Voter:
		w.violated(Voter, "%s seated %s, registered is %s", c.name(), after, holder)
	case holder.Priority != after.Priority, after.Term != c.before.Leader.Term && holder.Versionstamp != after.Versionstamp:
		w.violated(Voter, "%s seated %+v, registered is %+v", c.name(), after, holder)
	}
}

// checkOneConfig is invariant 14. It proves that a decision about the seat rests
// on one version of the config: the one that it read stands when it commits.
func (w *World) checkOneConfig(c *commit) {
	if c.after.Leader.Vacant() {
		return // to give up is always allowed
	}
	if w.configAt > c.entry.ReadVersion {
		w.violated(OneConfig, "%s decided by another config than revision %d, which stands", c.name(), c.before.Config.Revision)
	}
}

// checkFence is invariant 4. It proves that a fenced write commits only under the
// newest tenure, in the order of the log, and never in a vacancy. For systems
// outside see World.deliver.
func (w *World) checkFence(c *commit) {
	if !c.fenced {
		return
	}
	for i := range c.entry.Mutations {
		if m := &c.entry.Mutations[i]; bytes.Equal(m.Key, w.fencedKey) {
			leader := &c.before.Leader
			if leader.Vacant() || !bytes.Equal(m.Value, fencedValue(leader.Token())) {
				w.violated(Fence, "%s wrote under another tenure than that of %s", c.name(), leader)
			}
		}
	}
}

// processOf is the living process of an incarnation, or nil.
func (w *World) processOf(who election.Identity) *process {
	for _, p := range w.live {
		if p.me.Identity == who {
			return p
		}
	}
	return nil
}
