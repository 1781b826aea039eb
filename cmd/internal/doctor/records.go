package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// readAll reads every record, each kind by itself: one that cannot be read must
// not hide the others.
func (e *examination) readAll(ctx context.Context) error {
	e.begin("records")
	el := e.session.Election
	var faults []error
	note := func(err error) error {
		if err == nil || errors.Is(err, fdbelection.ErrInvalidState) {
			faults = append(faults, err)
			return nil
		}
		return err
	}
	_, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) (struct{}, error) {
		faults = nil
		state, err := el.ReadStatus(tr)
		switch {
		case err == nil:
			e.state = &state
		case errors.Is(err, fdbelection.ErrNotInitialized):
			return struct{}{}, err
		}
		_, unconfigured := el.ReadConfig(tr)
		_, unseated := el.GetLeaderRaw(tr)
		_, unasked := el.ReadRequest(tr)
		e.unasked = unasked
		var unlisted, unranked, untold error
		e.candidates, unlisted = el.ListCandidates(tr)
		e.ranked, unranked = el.Preferred(tr, math.MaxInt32)
		e.history, untold = el.History(tr, 0)
		for _, err := range []error{unconfigured, unseated, unasked, err, state.Unreadable, unlisted, unranked, untold} {
			if err := note(err); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	e.readAt = e.session.Program.Clock.Wall()
	slices.Reverse(e.history)
	switch {
	case errors.Is(err, fdbelection.ErrNotInitialized):
		e.fail("it was never made, or it has another name", "check --election and --root: \"fdbelect list\" shows what is there; \"fdbelect init\" or \"fdbelect run\" makes one",
			"there is no election %s below %s", election.SafeText(e.Election), election.SafeText(e.Root))
		return nil
	case err != nil:
		return err
	}
	if !e.unreadable(errors.Join(faults...)) {
		e.ok("config, leader, term and request can be read, and %s, %s and %s",
			output.Count(len(e.candidates), "candidate"), output.Count(len(e.ranked), "rank"), output.Count(len(e.history), "event"))
	}
	if e.state != nil {
		e.last, e.lost = e.state.Leader, records.LeaderLost(e.state)
		e.untermed = slices.ContainsFunc(records.InvalidIn(e.state.Unreadable), func(i *fdbelection.InvalidStateError) bool { return i.Record == "term" })
		e.checkAgreement()
	}
	return nil
}

// checkTerm compares the leader record with the term record.
func (e *examination) checkTerm() {
	leader, tenure := e.state.Leader, e.state.Term
	if e.untermed {
		return
	}
	do := fmt.Sprintf("stop every process, then write both with \"fdbelect raise-term --floor %d --force\"", max(leader.Term, tenure.Term)+1)
	if tenure.Term == 0 {
		do = `"fdbelect repair" writes the term record from the leader record`
	}
	if leader.Term != tenure.Term || !leader.Vacant() && !leader.HeldBy(tenure.Identity) || leader.Vacant() == tenure.Held && leader.Term > 0 {
		e.fail("the fence goes by the term record, and all else by the leader record: a restore or another program has changed one of them alone",
			do, "the leader record says %s, the term record %s", leader, tenure.Token)
	}
}

// checkAgreement compares records that say the same.
func (e *examination) checkAgreement() {
	e.checkTerm()
	leader := e.state.Leader
	ranks := make(map[string]election.RankEntry)
	for _, r := range e.ranked {
		ranks[r.ID] = r
	}
	var wrong, names []string
	for _, c := range e.candidates {
		r, found := ranks[c.ID]
		delete(ranks, c.ID)
		if found != (c.Role == election.Voter) || found && (r.Priority != c.Priority || r.Versionstamp != c.Versionstamp) {
			wrong, names = append(wrong, c.ID), append(names, c.Identity.String())
		}
	}
	if wrong != nil {
		e.many(levelWarn, wrong, "each may be passed over or asked in vain when the leadership is vacant", `"fdbelect repair" mends it`,
			output.Either(len(wrong) == 1, "the rank of "+names[0]+" is not as its record says",
				fmt.Sprintf("%d ranks are not as the records say: %s", len(wrong), someOf(names))))
	}
	if len(ranks) > 0 {
		left := slices.Sorted(maps.Keys(ranks))
		var names []string
		for _, id := range left {
			names = append(names, election.SafeText(id))
		}
		e.many(levelWarn, left, "candidates wait a moment longer when the leadership is vacant", `"fdbelect repair" removes it`,
			output.Either(len(left) == 1, "there is a rank of "+names[0]+", which is no candidate",
				fmt.Sprintf("there are %d ranks without a candidate: %s", len(left), someOf(names))))
	}
	registered := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return leader.HeldBy(c.Identity) })
	if !leader.Vacant() && !registered {
		e.warn("it was evicted or unregistered; a leader that is alive registers again with its next renewal", "run doctor again in a moment",
			"the leader %s is not among the candidates", leader.Identity)
	}
}

// checkConfig says what of the config is wrong or risky.
func (e *examination) checkConfig() {
	e.begin("config")
	c := e.state.Config
	before := len(e.Findings)
	if err := c.Validate(); err != nil {
		e.fail("no such config can be written today", "mend it with \"fdbelect config set\"", "%s", terminal.SafeLines(err.Error()))
	}
	margin := c.EffectiveMargin()
	if !c.ElectionEnabled {
		e.warn("no candidate may claim or renew: there is no leader before it is enabled", "\"fdbelect config enable\" when it is time", "the election is disabled")
	}
	for _, weakness := range c.Weaknesses() {
		e.warn(weakness.Risk, "\"fdbelect config set --defaults\", unless other programs need this setting or all work is fenced",
			"%s", weakness.Setting)
	}
	if c.HeartbeatInterval > (c.LeaseDuration-margin)/2 {
		e.warn("one renewal that fails or is late ends a leadership", "make the heartbeat a third of the lease or less, or the lease longer",
			"heartbeat %s, of a lease of %s less a margin of %s", output.Duration(c.HeartbeatInterval), c.LeaseDuration, margin)
	}
	if margin < c.LeaseDuration/1000 {
		e.warn("clocks may run apart by 500 millionths each: two processes could believe to lead at once for a moment", "make the margin a tenth of the lease: \"fdbelect config set margin=default\"",
			"margin %s, of a lease of %s", margin, c.LeaseDuration)
	}
	if c.CandidateTimeout < c.LeaseDuration {
		e.warn("candidates that are only slow may be evicted, and register again", "make the candidate timeout one and a half leases",
			"candidate timeout %s, lease %s", c.CandidateTimeout, c.LeaseDuration)
	}
	if c.HistoryLimit == 0 {
		e.warn("it cannot be told afterwards who led, and \"watch\" may miss a tenure", "\"fdbelect config set history_limit=128\"", "no history is kept")
	}
	if len(e.Findings) == before {
		e.ok("revision %d: lease %s, heartbeat %s, margin %s, candidate timeout %s, expiry by %s", c.Revision,
			c.LeaseDuration, output.Duration(c.HeartbeatInterval), margin, c.CandidateTimeout, c.Expiry)
	}
}

// checkHistory looks for terms that are missing, and for a newest one that is
// not the leader's.
func (e *examination) checkHistory() {
	e.begin("history")
	if e.state.Config.HistoryLimit == 0 {
		return
	}
	began := make(map[uint64]bool)
	terms := make(map[uint64]bool)
	for _, event := range e.history {
		if event.Kind == election.EventDuplicate { // it does not change the tenure
			continue
		}
		terms[event.Term] = true
		began[event.Term] = began[event.Term] || event.Kind == election.EventBegan
	}
	sorted := slices.Sorted(maps.Keys(terms))
	var gaps []string
	for i, term := range sorted {
		// One that ended and never began was raised to by an operator.
		if i > 0 && term > sorted[i-1]+1 && began[term] {
			gaps = append(gaps, fmt.Sprintf("%d to %d", sorted[i-1]+1, term-1))
		}
	}
	newest := uint64(0)
	if len(sorted) > 0 {
		newest = sorted[len(sorted)-1]
	}
	const do = "find out what removed records, or if the store was restored; see docs/operations.md"
	switch {
	case gaps != nil:
		e.many(levelWarn, gaps, "events were removed, or the history limit was zero for a while", do, fmt.Sprintf("terms %s are missing", someOf(gaps)))
	case newest != e.state.Leader.Term:
		e.warn("the last changes are not told, or the store was restored", do, "the newest event is of term %d, and the seat of term %d", newest, e.state.Leader.Term)
	case len(sorted) == 0:
		e.ok("nothing has happened yet")
	default:
		e.ok("terms %d to %d without a gap", sorted[0], newest)
	}
}
