package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// checkLeader reports the leader by its record.
func (e *examination) checkLeader() {
	e.begin("leader")
	switch l := e.status.Leader; {
	case e.lost && e.quick:
		e.fail("the leader is unknown", "run doctor without --quick: it observes whether a leader restores its record", "%s", records.LostText(e.status.Term))
	case e.slow && !l.Vacant():
		e.skip(fmt.Sprintf("whether %s, the leader in term %d, renews", l.Identity, l.Term))
	case l.Vacant():
		voters := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Role == election.Voter })
		if !e.status.Config.ElectionEnabled || voters && !e.quick {
			return // another check reports it, or the observation does
		}
		e.warn("no leader does its work", "start a candidate: \"fdbelect run\"", "leadership is vacant")
	case e.quick && l.LeaseExpiry.Add(l.LeaseDuration).Before(e.readAt):
		e.warn("the leader is gone, or hosts have different clocks", "run doctor without --quick: it observes whether the leader renews",
			"the lease of %s expired %s ago (local clock)", l.Identity, output.Age(e.readAt.Sub(l.LeaseExpiry)))
	case e.quick:
		e.ok("%s in term %d, at ballot %d; it was not observed whether it renews", l.Identity, l.Term, l.Ballot)
	}
}

// observe reads for one and a half heartbeats, which is how often a leader renews, with
// half of it for delays. Within that time, a process whose id was taken over registers
// again as well, if it does. If the clocks do not show that every candidate is alive, it
// goes on until it has seen a heartbeat of each, or for as long as a live candidate may
// take.
func (e *examination) observe(ctx context.Context) error {
	c := e.session.Program.Clock
	config := &e.status.Config
	begin := c.Now()
	least := config.HeartbeatInterval + config.HeartbeatInterval/2
	most := max(least, records.HeartbeatWindow(config))
	e.incarnations = make(incarnations)
	e.incarnations.see(e.candidates)
	e.heartbeats.See(e.candidates, e.readAt)
	first, request := e.status.Leader, e.status.Request
	e.requestUnchanged = true
	for {
		limit := least
		switch {
		case e.incarnations.changed():
			limit = 3 * config.HeartbeatInterval // if two processes replace each other, the next one registers by then
		case len(e.heartbeats.TimedOut(e.candidates, config, e.readAt)) > 0:
			limit = most
		}
		passed := c.Now().Sub(begin)
		if passed >= limit {
			break
		}
		e.progress.Show(fmt.Sprintf("observing the leader and the candidates: %s of %s", output.Tenths(passed), output.Tenths(limit)), int64(passed), int64(limit))
		if err := clock.Sleep(ctx, c, records.ReadInterval(least)); err != nil {
			return err
		}
		before := c.Now()
		s, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) (*records.Snapshot, error) {
			return records.ReadSnapshot(e.session.Election, tr)
		})
		if err != nil {
			e.fail("the election could be read a moment ago", "run doctor again", "%s", terminal.SafeLines(err.Error()))
			return nil
		}
		wall := c.Wall()
		if took := c.Now().Sub(before); records.TooSlow(config, took) {
			e.reportSlow(fmt.Sprintf("a read took %s while the election was observed", output.Age(took)))
			e.requestUnchanged = false
			e.checkLeader()
			return nil
		}
		if s.Leader.Ballot != e.last.Ballot && !s.Leader.Vacant() {
			e.renewed = true
			e.offsets = append(e.offsets, offset{s.Leader.ID, s.Leader.LeaseExpiry.Add(-s.Leader.LeaseDuration).Sub(wall), true})
		}
		e.last, e.candidates, e.readAt = s.Leader, s.Candidates, wall
		e.heartbeats.See(e.candidates, wall)
		e.incarnations.see(e.candidates)
		e.requestUnchanged = e.requestUnchanged && s.Request == request
	}
	e.observed = c.Now().Sub(begin)
	e.reportLeader(first, e.observed)
	return nil
}

// reportLeader reports what the observation of the leadership has shown.
func (e *examination) reportLeader(first election.LeaderRecord, passed time.Duration) {
	l := e.last
	const do = "check the process of the leader, its log and its connection; \"fdbelect watch\" shows whether another candidate takes over"
	switch {
	case e.lost && !e.renewed:
		e.fail("no leader runs, or it cannot write: a leader restores its record with its next renewal", records.LeaderRemedy, "the leader record was still missing after %s", output.Tenths(passed))
	case e.renewed && l.Term != first.Term:
		e.ok("%s took over in term %d during the observation", l.Identity, l.Term)
	case e.renewed:
		e.ok("%s renews: term %d, ballot %d after %s", l.Identity, l.Term, l.Ballot, output.Tenths(passed))
	case !e.status.Config.ElectionEnabled: // there are no renewals, as the config says
	case l.Vacant():
		if len(e.candidates) > 0 {
			e.fail("there are candidates, and none of them claims: they hang or have died", "check their processes and logs; restart them",
				"leadership has been vacant for %s", output.Tenths(passed))
		}
	case l.LeaseExpiry.Add(l.LeaseDuration).Before(e.session.Program.Clock.Wall()):
		e.fail("the leader has died, also by its last renewal, and no other candidate has taken over", "start a candidate: \"fdbelect run\"; "+do,
			"%s did not renew for %s, and its lease expired %s ago (local clock)", l.Identity, output.Tenths(passed), output.Age(e.session.Program.Clock.Wall().Sub(l.LeaseExpiry)))
	default:
		e.warn("it is late: it hangs, is overloaded, or cannot reach the store", do,
			"%s did not renew for %s, and should every %s", l.Identity, output.Tenths(passed), output.Duration(e.status.Config.HeartbeatInterval))
	}
}

// checkCandidates finds candidates that have timed out, and too few candidates.
func (e *examination) checkCandidates() {
	e.begin("candidates")
	c := &e.status.Config
	voters := 0
	for i := range e.candidates {
		if e.candidates[i].Role == election.Voter {
			voters++
		}
	}
	switch {
	case len(e.candidates) == 0:
		e.warn("no process can lead", "start a candidate: \"fdbelect run\"", "no candidate is registered")
		return
	case voters == 0:
		e.fail("no process can lead", "start a candidate that is a voter", "all candidates are observers")
		return
	case e.slow:
		e.skip("which candidates are alive")
		return
	}
	timedOut := e.heartbeats.TimedOut(e.candidates, c, e.readAt)
	var late, names []string
	alive := voters
	for i := range timedOut {
		late, names = append(late, timedOut[i].ID), append(names, timedOut[i].Identity.String())
		if timedOut[i].Role == election.Voter {
			alive--
		}
	}
	switch {
	case late == nil:
	case e.quick:
		e.many(levelWarn, late, "they may have died, or their clocks may be wrong", "run doctor without --quick: it waits for their heartbeats",
			fmt.Sprintf("by the clocks, the last heartbeat of %s is older than %s or in the future: %s", output.Count(len(late), "candidate"), c.CandidateTimeout, someOf(names)))
	default:
		e.many(levelWarn, late, "each of these processes has died or hangs; the leader evicts them when they have timed out",
			"check the processes; \"fdbelect evict\" removes them if there is no leader",
			fmt.Sprintf("%s sent no heartbeat for %s: %s", output.Count(len(late), "candidate"), output.Tenths(e.observed), someOf(names)))
	}
	switch {
	case alive < 2:
		e.warn("no candidate could take over", "start another candidate on another host", "%s alive, of %s", output.Count(alive, "voter"), output.Count(len(e.candidates), "candidate"))
	case late == nil:
		e.ok("%s alive, of %s", output.Count(alive, "voter"), output.Count(len(e.candidates), "candidate"))
	}
}

// checkRequest finds a request that the leader does not fulfil.
func (e *examination) checkRequest() {
	e.begin("request")
	i := e.status.Request
	target := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Identity == i.Identity })
	switch {
	case e.requestErr != nil: // the check of the records reports it
	case i.Kind == election.NoRequest:
		e.ok("there is no request")
	case i.Term != e.status.Leader.Term || e.status.Leader.Vacant():
		e.ok("%s is void: it is for another tenure", i)
	case i.Kind != election.ResignRequest && !target:
		e.warn("it is void, and the leader removes it with its next cycle", "run doctor again in a moment; if it stays, the leader hangs", "%s, which is not a candidate any more", i)
	case e.requestUnchanged && !e.quick:
		e.warn("the leader has not fulfilled it yet: its work is still stopping, or it hangs; or the challenger has stopped to repeat it",
			"check the leader; \"fdbelect watch\" shows when it fulfils the request", "%s did not change during the observation", i)
	default:
		e.ok("%s", i)
	}
}
