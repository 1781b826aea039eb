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

// readAll reads every record, each kind by itself, so that a record that cannot be read does
// not hide the others.
func (e *examination) readAll(ctx context.Context) error {
	e.begin("records")
	el := e.session.Election
	var faults []error
	collect := func(err error) error {
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
		_, e.requestErr = el.ReadRequest(tr)
		var candidatesErr, rankErr, historyErr error
		e.candidates, candidatesErr = el.ListCandidates(tr)
		e.ranked, rankErr = el.Shortlist(tr, math.MaxInt32)
		e.history, historyErr = el.History(tr, 0)
		for _, err := range []error{configErr, leaderErr, e.requestErr, err, status.Unreadable, candidatesErr, rankErr, historyErr} {
			if err := collect(err); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	e.readAt = e.session.Program.Clock.Wall()
	slices.Reverse(e.history)
	switch {
	case errors.Is(err, fdbelection.ErrNotInitialized):
		e.fail("it was never created, or it has another name", "check --election and --root: \"fdbelect list\" shows the elections; \"fdbelect init\" or \"fdbelect run\" creates one",
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
		e.lastLeader, e.leaderLost = e.status.Leader, records.LeaderLost(e.status)
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
		e.fail("fenced writes check the term record, and everything else uses the leader record; a restore or another program has changed only one of them",
			do, "the leader record says %s, and the term record says %s", leader, tenure.Token)
	}
}

// checkAgreement compares records that have to agree.
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
		if found != (c.Role == election.Voter && c.Ready()) || found && (r.Priority != c.Priority || r.Versionstamp != c.ReadySince) {
			wrong, names = append(wrong, c.ID), append(names, c.Identity.String())
		}
	}
	if wrong != nil {
		e.addMany(levelWarn, wrong, "when leadership is vacant, others may pass over these candidates or wait for them in vain", `"fdbelect repair" repairs it`,
			output.Either(len(wrong) == 1, "the rank of "+names[0]+" does not match its record",
				fmt.Sprintf("%d ranks do not match their records: %s", len(wrong), firstFew(names))))
	}
	if len(ranks) > 0 {
		left := slices.Sorted(maps.Keys(ranks))
		var names []string
		for _, id := range left {
			names = append(names, election.SafeText(id))
		}
		e.addMany(levelWarn, left, "candidates wait a little longer before they claim a vacant leadership", `"fdbelect repair" removes it`,
			output.Either(len(left) == 1, "there is a rank of "+names[0]+", which is not a candidate",
				fmt.Sprintf("there are %d ranks without a candidate: %s", len(left), firstFew(names))))
	}
	registered := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return leader.HeldBy(c.Identity) })
	if !leader.Vacant() && !registered {
		e.warn("it was evicted or unregistered; a live leader registers again with its next renewal", "run doctor again in a moment",
			"the leader %s is not among the candidates", leader.Identity)
	}
}

// checkConfig reports settings that are invalid or risky.
func (e *examination) checkConfig() {
	e.begin("config")
	c := e.status.Config
	before := len(e.Findings)
	if err := c.Validate(); err != nil {
		e.fail("this version refuses to write such a config", "fix it with \"fdbelect config set\"", "%s", terminal.SafeLines(err.Error()))
	}
	margin := c.EffectiveMargin()
	if !c.ElectionEnabled {
		e.warn("no candidate may claim or renew, so there is no leader until the election is enabled", "run \"fdbelect config enable\" when a leader is wanted", "the election is disabled")
	}
	for _, weakness := range c.Weaknesses() {
		e.warn(weakness.Risk, "\"fdbelect config set --defaults\", unless other programs need this setting or all work is fenced",
			"%s", weakness.Setting)
	}
	e.checkLease("one renewal that fails or is late ends a tenure")
	if c.CandidateTimeout < c.LeaseDuration {
		e.warn("candidates that are only slow may be evicted and have to register again", "make the candidate timeout one and a half leases",
			"candidate timeout %s, lease %s", c.CandidateTimeout, c.LeaseDuration)
	}
	if c.HistoryLimit == 0 {
		e.warn("past leaders are not recorded, and \"watch\" may miss a tenure", "\"fdbelect config set history_limit=128\"", "no history is kept")
	}
	if len(e.Findings) == before {
		e.ok("revision %d: lease %s, heartbeat %s, margin %s, candidate timeout %s, expiry by %s", c.Revision,
			c.LeaseDuration, output.Duration(c.HeartbeatInterval), margin, c.CandidateTimeout, c.Expiry)
	}
}

// checkLease reports risky settings of the lease. late says what one late renewal means.
func (e *basis) checkLease(late string) {
	c, margin := e.lease, e.lease.EffectiveMargin()
	if c.HeartbeatInterval > (c.LeaseDuration-margin)/2 {
		e.warn(late, "make the heartbeat a third of the lease or less, or make the lease longer",
			"heartbeat %s, with a lease of %s and a margin of %s", output.Duration(c.HeartbeatInterval), c.LeaseDuration, margin)
	}
	if margin < c.LeaseDuration/1000 {
		e.warn("a clock may run up to 500 ppm too fast or too slow, so two processes could lead at once for a moment",
			"make the margin a tenth of the lease: \""+e.settings+" margin=default\"", "margin %s, with a lease of %s", margin, c.LeaseDuration)
	}
}

// checkHistory looks for missing terms, and for a newest event that is not of the leader's
// term.
func (e *examination) checkHistory() {
	e.begin("history")
	if e.status.Config.HistoryLimit == 0 {
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
		// An operator raised the term if it ended and never began.
		if i > 0 && term > sorted[i-1]+1 && began[term] {
			gaps = append(gaps, fmt.Sprintf("%d to %d", sorted[i-1]+1, term-1))
		}
	}
	newest := uint64(0)
	if len(sorted) > 0 {
		newest = sorted[len(sorted)-1]
	}
	const do = "find out what removed events, or whether the store was restored; see docs/operations.md"
	switch {
	case gaps != nil:
		e.addMany(levelWarn, gaps, "events were removed, or the history limit was zero for a while", do, fmt.Sprintf("terms %s are missing", firstFew(gaps)))
	case newest != e.status.Leader.Term:
		e.warn("the newest changes are not in the history, or the store was restored", do, "the newest event is of term %d, and the leader record is of term %d", newest, e.status.Leader.Term)
	case len(sorted) == 0:
		e.ok("there are no events yet")
	default:
		e.ok("terms %d to %d without a gap", sorted[0], newest)
	}
}
