package simulation

import (
	"bytes"
	"slices"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// The checks of this file run for every commit that writes the leader record.

// checkBallot is invariant 1. Each write of the leader record raises the ballot by one,
// also if it resigns, expires or hands over, and none lowers it. If only the leader record
// was deleted, the next one has a higher ballot.
func (w *world) checkBallot(c *commit) {
	if c.missing && c.after.Leader.Ballot > c.before.Leader.Ballot {
		return // its writer cannot know the last ballot
	}
	if c.after.Leader.Ballot != c.before.Leader.Ballot+1 {
		w.violated(invBallot, "%s took the ballot from %d to %d", c.name(), c.before.Leader.Ballot, c.after.Leader.Ballot)
	}
}

// checkHolders is invariant 2. A term is a fencing token: it has one holder and one
// nonce for ever, and each nonce names one tenure.
func (w *world) checkHolders(c *commit) {
	after := &c.after.Leader
	if after.Term < c.before.Leader.Term || after.Term > c.before.Leader.Term+1 {
		w.violated(invOneHolder, "%s took the term from %d to %d", c.name(), c.before.Leader.Term, after.Term)
	}
	if after.Vacant() {
		return
	}
	token := after.Token()
	known, ok := w.holders[token.Term]
	_, used := w.deleted.eras[token.Nonce]
	switch {
	case ok && known != token:
		w.violated(invOneHolder, "term %d is held by %s and %s", token.Term, known.Identity, token.Identity)
	case !ok && used:
		w.violated(invOneHolder, "term %d has the nonce of another", token.Term)
	}
	w.holders[token.Term], w.deleted.eras[token.Nonce] = token, w.deleted.era
}

// checkTransition is invariant 3, and calls the checks of 5 to 8 and 13. It is an
// independent model of leadership. There are four steps: renew, claim, hand over, vacate.
// Each has an author and a precondition, and sets every field.
func (w *world) checkTransition(c *commit) {
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
		w.violated(invTransition, "%s changed the tenure and left the request %s", c.name(), c.after.Request)
	}
	want := election.TermRecord{Token: after.Token(), Held: true, Ballot: after.Ballot}
	if after.Vacant() {
		want = election.TermRecord{Token: before.Token(), Ballot: after.Ballot}
	}
	if c.after.Term != want {
		w.violated(invTransition, "%s: the term record says %s, held %v", c.name(), c.after.Term.Token, c.after.Term.Held)
	}
	w.checkHistory(c, want.Nonce)
}

// checkHistory is a part of invariant 3. The newest event in the history is this change.
// A process that gives leadership up may have read an older config, and events of a
// deleted election may still be stored.
func (w *world) checkHistory(c *commit, nonce uuid.UUID) {
	after := &c.after.Leader
	if c.after.Config.HistoryLimit == 0 || after.Vacant() && w.configAt > c.entry.ReadVersion {
		return
	}
	newest := 2
	if w.deleted.era > 0 {
		newest = 0
	}
	events, err := w.election.History(&w.shadow, newest)
	told := func(e election.Event) bool {
		return e.Kind != election.EventDuplicate && e.Ballot == after.Ballot && e.Nonce == nonce
	}
	if err != nil || !slices.ContainsFunc(events, told) {
		w.violated(invTransition, "%s: the history lacks ballot %d: %v %v", c.name(), after.Ballot, events, err)
	}
}

// checkRenewal is invariant 7. Only the incarnation that holds leadership renews, under
// the stored config, and not after it has ended the tenure itself.
func (w *world) checkRenewal(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	config := &c.before.Config
	switch {
	case c.who() != after.Identity:
		w.violated(invRenewal, "%s renewed %s", c.name(), after)
	case c.op != nil && c.op.what.EndedTerm >= after.Term:
		w.violated(invRenewal, "%s renewed term %d, which it has ended", c.name(), after.Term)
	case c.op != nil && c.op.what.Kind != 0 && c.op.what.Token.Term != 0 && c.op.what.Token != after.Token():
		w.violated(invRenewal, "%s renewed %s on behalf of %s", c.name(), after.Token(), c.op.what.Token)
	case !config.ElectionEnabled:
		w.violated(invRenewal, "%s renewed in a disabled election", c.name())
	case after.LeaseDuration != config.LeaseDuration, !after.Accepted, after.AcquireReason != before.AcquireReason && !c.missing,
		before.Accepted && !after.AcquiredAt.Equal(before.AcquiredAt) && !c.missing:
		w.violated(invTransition, "%s renewed %+v to %+v", c.name(), before, after)
	case c.after.Term != c.before.Term && !c.missing, c.after.Request != c.before.Request:
		w.violated(invTransition, "%s renewed, and changed the term record or the request", c.name())
	}
	if c.missing { // the tenure goes on, and later ballots count from this one
		restored := election.TermRecord{Token: c.before.Term.Token, Held: true, Ballot: after.Ballot}
		if restored.Token != after.Token() || !c.before.Term.Held || c.after.Term != restored {
			w.violated(invTransition, "%s restored %s, and the term record says %+v", c.name(), after, c.after.Term)
		}
	}
	w.checkVoter(c)
	if !before.Accepted {
		w.checkReadyAcceptance(c)
	}
}

// checkVacating is a part of invariants 3 and 8.
func (w *world) checkVacating(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	if before.Vacant() || after.Term != before.Term || after.Nonce != before.Nonce {
		w.violated(invTransition, "%s vacated %s to %s", c.name(), before, after)
	}
	w.checkGivenUp(c)
}

// checkGivenUp is invariant 8. Only the holder resigns or hands over, in exactly the
// tenure that the operation names, and after the work has returned or was told that its
// lease has ended.
func (w *world) checkGivenUp(c *commit) {
	before := &c.before.Leader
	if c.forced(labelForceResign) {
		w.situation("leader forced to resign")
		w.overlapAllowed[before.Token()] = true
		return
	}
	if c.who() != before.Identity {
		w.violated(invResignation, "%s gave up the leadership of %s", c.name(), before)
		return
	}
	leaves := c.op != nil && c.op.what.Kind == machine.Unregister // this also gives up what it was handed meanwhile
	if c.op != nil && c.op.what.Token.Term != 0 && c.op.what.Token != before.Token() && !leaves {
		w.violated(invResignation, "%s gave up %s on behalf of %s", c.name(), before.Token(), c.op.what.Token)
	}
	p := c.by
	if p.application {
		w.checkGivenUpEarly(c)
		return
	}
	if !p.alive {
		return
	}
	if t := p.tenure; t != nil && t.token == before.Token() && !t.returned && !t.expired {
		w.violated(invResignation, "%s gave up %s while its work was running", c.name(), before.Token())
	}
}

// checkClaim is invariant 5. A new tenure begins only if leadership is vacant, expired
// under the rules of the config, may be preempted, or is reclaimed by its own holder.
func (w *world) checkClaim(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	config := &c.before.Config
	if c.who() != after.Identity || after.Term != before.Term+1 || after.LeaseDuration != config.LeaseDuration {
		w.violated(invTransition, "%s claimed: %+v", c.name(), after)
	}
	if !config.ElectionEnabled {
		w.violated(invTakeover, "%s claimed in a disabled election", c.name())
	}
	w.checkVoter(c)
	w.checkHoldOff(c)
	w.checkReadyClaim(c)
	switch {
	case !c.missing || before.Vacant():
	case before.Identity == c.who():
		w.checkReclaim(c)
		return
	default: // it has no record to compare with, and waits for a lease
		w.checkUnchanged(c)
		return
	}
	switch after.AcquireReason {
	case election.AcquireVacancy:
		if !before.Vacant() {
			w.violated(invTakeover, "%s claimed the leadership of %s as vacant", c.name(), before)
		}
	case election.AcquireReclaim:
		w.checkReclaim(c)
	case election.AcquireExpiry:
		w.checkExpired(c)
	case election.AcquirePreemption:
		w.overlapAllowed[before.Token()] = true
		w.checkPreemption(c)
		if config.PreemptionGrace > 0 {
			w.violated(invPreemption, "%s took the leadership of %s without the grace", c.name(), before)
		}
		w.checkDelay(c)
	default:
		w.violated(invTakeover, "%s claimed with the acquire reason %s", c.name(), after.AcquireReason)
	}
}

// checkHoldOff is a part of invariant 6. A process whose work has failed neither claims
// nor challenges during its hold-off. It takes leadership that was handed to it all the same.
func (w *world) checkHoldOff(c *commit) {
	p := c.by
	if leader := &c.before.Leader; leader.HeldBy(p.me.Identity) && !leader.Accepted {
		return
	}
	if left := p.holdOffUntil.Sub(p.now().Local); !p.holdOffUntil.IsZero() && left > 0 {
		w.violated(invPreemption, "%s claims or challenges, and its hold-off lasts another %s", c.name(), left)
	}
}

// checkDelay is a part of invariant 6. A candidate neither challenges nor preempts before
// it has been registered for the preempt delay.
func (w *world) checkDelay(c *commit) {
	age := w.now - w.records[c.who().ID].registered
	if delay := w.config.PreemptDelay; c.by.clocks.scaled(age)+2 < delay {
		w.violated(invPreemption, "%s challenges after %s, with a preempt delay of %s", c.name(), age, delay)
	}
}

func (w *world) checkReclaim(c *commit) {
	before := &c.before.Leader
	byClock := c.before.Config.Expiry == fdbelection.ExpiryByClock
	ended := c.op != nil && c.op.what.EndedTerm >= before.Term || byClock
	if before.Vacant() || before.Identity != c.who() || !ended && !c.by.application {
		w.violated(invTakeover, "%s reclaimed the leadership of %s", c.name(), before)
	}
	if t := c.by.tenure; c.by.alive && !c.by.application && t != nil && t.token == before.Token() && !t.returned {
		w.violated(invResignation, "%s reclaimed while the work of %s was running", c.name(), before.Token())
	}
}

// checkExpired checks a claim of an expired leadership. Without clocks that agree, it
// compares true time.
func (w *world) checkExpired(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	if before.Vacant() || before.Identity == c.who() {
		w.violated(invTakeover, "%s claimed the leadership of %s as expired", c.name(), before)
		return
	}
	if c.before.Config.Expiry == fdbelection.ExpiryByClock {
		if after.AcquiredAt.Before(before.LeaseExpiry) {
			w.violated(invTakeover, "%s took over at %s, and the lease ends at %s", c.name(), after.AcquiredAt, before.LeaseExpiry)
		}
		if w.skew > 0 {
			w.overlapAllowed[before.Token()] = true
		}
		return
	}
	w.checkFirstAnswer(c)
	w.checkUnchanged(c)
}

// checkUnchanged checks in true time that the leader record was not written for a lease,
// with the rate of the claimant's clock. A deleted record counts from its last write. If
// the lease in the config was shortened since, a process that has not seen the longer
// lease cannot know of it. Two leaders are possible then, and the check allows them.
func (w *world) checkUnchanged(c *commit) {
	before := &c.before.Leader
	lease := before.LeaseDuration
	if c.missing {
		known := c.before.Config.LeaseDuration
		if c.by.lastRead.Token() == before.Token() {
			known = max(known, c.by.lastRead.LeaseDuration)
		}
		if known < lease {
			w.overlapAllowed[before.Token()] = true
			lease = known
		}
	}
	if stood := w.now - w.leaderAt; c.by.clocks.scaled(stood)+2 < lease {
		w.violated(invTakeover, "%s took over from %s after %s of a lease of %s", c.name(), before, stood, before.LeaseDuration)
	}
}

// checkHandOver is a part of invariants 3, 8 and 25. Leadership goes, with the acceptance
// lease, to the candidate that a request for this term names, or that the holder named
// itself.
func (w *world) checkHandOver(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	request := &c.before.Request
	w.checkGivenUp(c)
	w.checkVoter(c)
	w.checkReadySuccessor(c)
	if after.Term != before.Term+1 || after.LeaseDuration != c.before.Config.AcceptanceLease() || !c.before.Config.ElectionEnabled {
		w.violated(invTransition, "%s handed over: %+v", c.name(), after)
	}
	own := after.AcquireReason == election.AcquireTransfer && (w.handovers[after.Nonce] == after.ID ||
		c.by != nil && c.by.succession.To != "" && c.by.succession.Nonce == after.Nonce) // checkSuccession knows to whom
	if !own && (request.Term != before.Term || request.Nonce != after.Nonce || request.Identity != after.Identity) {
		w.violated(invNamedTerm, "%s handed %s over to %s, the request is %s", c.name(), before, after, request)
	}
	switch {
	case own:
	case request.Kind == election.PreemptionRequest && after.AcquireReason == election.AcquirePreemption:
		w.checkPreemption(c)
		if !w.repeated[before.Token()] && (c.op != nil || w.isApplication(c.by)) {
			w.violated(invPreemption, "%s hands over for the %s, which was not repeated", c.name(), request)
		}
	case request.Kind == election.TransferRequest && after.AcquireReason == election.AcquireTransfer:
	default:
		w.violated(invTransition, "%s handed over for %s, acquire reason %s", c.name(), request, after.AcquireReason)
	}
}

// checkPreemption is invariant 6. Only a strictly higher priority preempts, if the config
// of the same snapshot allows it, and not within the minimum tenure.
func (w *world) checkPreemption(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	config := &c.before.Config
	if before.Vacant() || after.Priority <= before.Priority || !config.AllowPreemption {
		w.violated(invPreemption, "%s preempts with priority %d over %d, allowed: %v", c.name(), after.Priority, before.Priority, config.AllowPreemption)
	}
	protection := config.MinimumTenure
	if before.AcquireReason == election.AcquireTransfer {
		protection = max(protection, config.LeaseDuration)
	}
	if config.Expiry == fdbelection.ExpiryByClock { // counted from the start of the attempt that began the tenure
		if age := after.AcquiredAt.Sub(before.AcquiredAt); protection > 0 && age < protection {
			w.violated(invPreemption, "%s preempts after %s by its clock, protected for %s", c.name(), age, protection)
		}
		return
	}
	if age := w.now - w.tenureAt; c.by.clocks.scaled(age)+2 < protection {
		w.violated(invPreemption, "%s preempts after %s, protected for %s", c.name(), age, protection)
	}
}

// checkVoter is invariant 13. A process that gains or keeps leadership is registered
// under the same incarnation, as a voter, with the priority and the versionstamp of the
// leader record.
func (w *world) checkVoter(c *commit) {
	after := &c.after.Leader
	holder, err := w.election.GetCandidate(&w.shadow, after.ID)
	switch {
	case err != nil:
		w.violated(invVoter, "%s: %v", c.name(), err)
	case holder.Identity != after.Identity, holder.Role != election.Voter:
		w.violated(invVoter, "%s made %s the leader, registered is %s", c.name(), after, holder)
	case holder.Priority != after.Priority, after.Term != c.before.Leader.Term && holder.Versionstamp != after.Versionstamp:
		w.violated(invVoter, "%s made %+v the leader, registered is %+v", c.name(), after, holder)
	}
}

// checkOneConfig is invariant 14. A decision about leadership rests on one version of the
// config: the version that it read is still stored when it commits.
func (w *world) checkOneConfig(c *commit) {
	if c.after.Leader.Vacant() {
		return // giving leadership up is always allowed
	}
	if w.configAt > c.entry.ReadVersion {
		w.violated(invOneConfig, "%s decided under another config than the stored revision %d", c.name(), c.before.Config.Revision)
	}
}

// checkFence is invariant 4 inside the database. A fenced write commits only under the
// newest tenure, in the order of the log, and never in a vacancy. See world.deliver for
// systems outside.
func (w *world) checkFence(c *commit) {
	if !c.fenced {
		return
	}
	for i := range c.entry.Mutations {
		if m := &c.entry.Mutations[i]; bytes.Equal(m.Key, w.fencedKey) {
			leader := &c.before.Leader
			if leader.Vacant() || !bytes.Equal(m.Value, fencedValue(leader.Token())) {
				w.violated(invFence, "%s made a fenced write under another tenure than that of %s", c.name(), leader)
			}
		}
	}
}

// processOf returns the live process of an incarnation, or nil.
func (w *world) processOf(who election.Identity) *process {
	for _, p := range w.live {
		if p.me.Identity == who {
			return p
		}
	}
	return nil
}
