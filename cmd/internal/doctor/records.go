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

// readAll reads every record, each kind by itself: an unreadable record must not hide the
// others.
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
		status, err := el.ReadStatus(tr)
		switch {
		case err == nil:
			e.status = &status
		case errors.Is(err, fdbelection.ErrNotInitialized):
			return struct{}{}, err
		}
		_, configErr := el.ReadConfig(tr)
		_, leaderErr := el.GetLeaderRaw(tr)
		_, requestErr := el.ReadRequest(tr)
		e.requestErr = requestErr
		var candidatesErr, ranksErr, historyErr error
		e.candidates, candidatesErr = el.ListCandidates(tr)
		e.ranked, ranksErr = el.Preferred(tr, math.MaxInt32)
		e.history, historyErr = el.History(tr, 0)
		for _, err := range []error{configErr, leaderErr, requestErr, err, status.Unreadable, candidatesErr, ranksErr, historyErr} {
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
		e.fail("it was never created, or it has another name", "check --election and --root: \"fdbelect list\" shows what is there; \"fdbelect init\" or \"fdbelect run\" creates one",
			"there is no election %s below %s", election.SafeText(e.Election), election.SafeText(e.Root))
		return nil
	case err != nil:
		return err
	}
	if !e.unreadable(errors.Join(faults...)) {
		e.ok("config, leader, term and request can be read, and %s, %s and %s",
			output.Count(len(e.candidates), "candidate"), output.Count(len(e.ranked), "rank"), output.Count(len(e.history), "event"))
	}
	if e.status != nil {
		e.last, e.lost = e.status.Leader, records.LeaderLost(e.status)
		e.termUnreadable = slices.ContainsFunc(records.InvalidIn(e.status.Unreadable), func(i *fdbelection.InvalidStateError) bool { return i.Record == "term" })
		e.checkAgreement()
	}
	return nil
}

// checkTerm compares the leader record with the term record.
func (e *examination) checkTerm() {
	leader, tenure := e.status.Leader, e.status.Term
	if e.termUnreadable {
		return
	}
	do := fmt.Sprintf("stop every process, then write both with \"fdbelect raise-term --floor %d --force\"", max(leader.Term, tenure.Term)+1)
	if tenure.Term == 0 {
		do = `"fdbelect repair" writes the term record from the leader record`
	}
	if leader.Term != tenure.Term || !leader.Vacant() && !leader.HeldBy(tenure.Identity) || leader.Vacant() == tenure.Held && leader.Term > 0 {
		e.fail("the fence reads the term record, and everything else the leader record: a restore or another program has changed only one of them",
			do, "the leader record says %s, the term record %s", leader, tenure.Token)
	}
}

// checkAgreement compares records that say the same.
func (e *examination) checkAgreement() {
	e.checkTerm()
	leader := e.status.Leader
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
		e.many(levelWarn, wrong, "each may be too early or too late when leadership is vacant", `"fdbelect repair" repairs it`,
			output.Either(len(wrong) == 1, "the rank of "+names[0]+" does not match its record",
				fmt.Sprintf("%d ranks do not match the records: %s", len(wrong), someOf(names))))
	}
	if len(ranks) > 0 {
		left := slices.Sorted(maps.Keys(ranks))
		var names []string
		for _, id := range left {
			names = append(names, election.SafeText(id))
		}
		e.many(levelWarn, left, "candidates wait a moment longer when leadership is vacant", `"fdbelect repair" removes it`,
			output.Either(len(left) == 1, "there is a rank of "+names[0]+", which is not a candidate",
				fmt.Sprintf("there are %d ranks without a candidate: %s", len(left), someOf(names))))
	}
	registered := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return leader.HeldBy(c.Identity) })
	if !leader.Vacant() && !registered {
		e.warn("it was evicted or unregistered; a live leader registers again with its next renewal", "run doctor again in a moment",
			"the leader %s is not among the candidates", leader.Identity)
	}
}

// checkConfig reports what is wrong or risky in the config.
func (e *examination) checkConfig() {
	e.begin("config")
	c := e.status.Config
	before := len(e.Findings)
	if err := c.Validate(); err != nil {
		e.fail("this version does not accept such a config", "correct it with \"fdbelect config set\"", "%s", terminal.SafeLines(err.Error()))
	}
	margin := c.EffectiveMargin()
	if !c.ElectionEnabled {
		e.warn("no candidate may claim or renew, so there is no leader", "\"fdbelect config enable\" when it is time", "the election is disabled")
	}
	for _, weakness := range c.Weaknesses() {
		e.warn(weakness.Risk, "\"fdbelect config set --defaults\", unless other programs need this setting or all work is fenced",
			"%s", weakness.Setting)
	}
	if c.HeartbeatInterval > (c.LeaseDuration-margin)/2 {
		e.warn("one failed or late renewal ends a tenure", "make the heartbeat a third of the lease or less, or the lease longer",
			"heartbeat %s, of a lease of %s less a margin of %s", output.Duration(c.HeartbeatInterval), c.LeaseDuration, margin)
	}
	if margin < c.LeaseDuration/1000 {
		e.warn("the rates of two clocks may differ by 0.1 percent: two processes could lead at once for a moment", "make the margin a tenth of the lease: \"fdbelect config set margin=default\"",
			"margin %s, of a lease of %s", margin, c.LeaseDuration)
	}
	if c.CandidateTimeout < c.LeaseDuration {
		e.warn("slow candidates may be evicted, and register again", "make the candidate timeout one and a half leases",
			"candidate timeout %s, lease %s", c.CandidateTimeout, c.LeaseDuration)
	}
	if c.HistoryLimit == 0 {
		e.warn("past leaders are not known, and \"watch\" may miss a tenure", "\"fdbelect config set history_limit=128\"", "no history is kept")
	}
	if len(e.Findings) == before {
		e.ok("revision %d: lease %s, heartbeat %s, margin %s, candidate timeout %s, expiry by %s", c.Revision,
			c.LeaseDuration, output.Duration(c.HeartbeatInterval), margin, c.CandidateTimeout, c.Expiry)
	}
}

// checkHistory finds missing terms, and a newest term that is not the leader's.
func (e *examination) checkHistory() {
	e.begin("history")
	if e.status.Config.HistoryLimit == 0 {
		return
	}
	began := make(map[uint64]bool)
	terms := make(map[uint64]bool)
	for _, event := range e.history {
		if event.Kind == election.EventDuplicate { // it is not a change of the tenure
			continue
		}
		terms[event.Term] = true
		began[event.Term] = began[event.Term] || event.Kind == election.EventBegan
	}
	sorted := slices.Sorted(maps.Keys(terms))
	var gaps []string
	for i, term := range sorted {
		// A term that ended and never began is from raise-term.
		if i > 0 && term > sorted[i-1]+1 && began[term] {
			gaps = append(gaps, fmt.Sprintf("%d to %d", sorted[i-1]+1, term-1))
		}
	}
	newest := uint64(0)
	if len(sorted) > 0 {
		newest = sorted[len(sorted)-1]
	}
	const do = "find out whether records were removed or the store was restored; see docs/operations.md"
	switch {
	case gaps != nil:
		e.many(levelWarn, gaps, "events were removed, or the history limit was zero for a while", do, fmt.Sprintf("terms %s are missing", someOf(gaps)))
	case newest != e.status.Leader.Term:
		e.warn("the last changes are missing, or the store was restored", do, "the newest event is of term %d, and the leader record of term %d", newest, e.status.Leader.Term)
	case len(sorted) == 0:
		e.ok("nothing has happened yet")
	default:
		e.ok("terms %d to %d without a gap", sorted[0], newest)
	}
}
