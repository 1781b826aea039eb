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

// checkLeader reports the leader that the records name.
func (e *examination) checkLeader() {
	e.begin("leader")
	switch l := e.status.Leader; {
	case e.leaderLost && e.quick:
		e.fail("the leader is unknown", "run doctor without --quick, which observes whether a leader restores its record", "%s", records.LostText(e.status.Term))
	case e.slow && !l.Vacant():
		e.skip(fmt.Sprintf("whether %s renews in term %d", l.Identity, l.Term))
	case l.Vacant():
		voters := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Role == election.Voter })
		if !e.status.Config.ElectionEnabled || voters && !e.quick {
			return // checkConfig or observe reports it
		}
		e.warn("work that needs a leader does not run", "start a candidate: \"fdbelect run\"", "leadership is vacant")
	case e.quick && l.LeaseExpiry.Add(l.LeaseDuration).Before(e.readAt):
		e.warn("the leader has died or is cut off, or the clocks of hosts differ", "run doctor without --quick, which observes whether the leader renews",
			"the lease of %s expired %s ago (local clock)", l.Identity, output.Age(e.readAt.Sub(l.LeaseExpiry)))
	case e.quick:
		e.ok("%s in term %d, at ballot %d; renewals were not observed", l.Identity, l.Term, l.Ballot)
	}
}

// observe reads the election again and again for one and a half heartbeats. A leader renews
// once per heartbeat, and the half covers delays. If an id changed hands in that time,
// observe continues up to three heartbeats, in which the other process takes the id back.
// If the clocks do not show that every candidate is alive, it continues until it has seen a
// heartbeat of each, at most for records.HeartbeatWindow.
func (e *examination) observe(ctx context.Context) error {
	c := e.session.Program.Clock
	config := &e.status.Config
	begin := c.Now()
	shortest := config.HeartbeatInterval + config.HeartbeatInterval/2
	longest := max(shortest, records.HeartbeatWindow(config))
	e.incarnations = make(incarnations)
	e.incarnations.add(e.candidates)
	e.heartbeats.See(e.candidates, e.readAt)
	first, request := e.status.Leader, e.status.Request
	e.requestUnchanged = true
	for {
		limit := shortest
		switch {
		case e.incarnations.changed():
			limit = 3 * config.HeartbeatInterval // if two processes share the id, the next change comes by then
		case len(e.heartbeats.TimedOut(e.candidates, config, e.readAt)) > 0:
			limit = longest
		}
		passed := c.Now().Sub(begin)
		if passed >= limit {
			break
		}
		e.progress.Show(fmt.Sprintf("observing the leader and the candidates: %s of %s", output.Tenths(passed), output.Tenths(limit)), int64(passed), int64(limit))
		if err := clock.Sleep(ctx, c, records.ReadInterval(shortest)); err != nil {
			return err
		}
		before := c.Now()
		s, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) (*records.Snapshot, error) {
			return records.ReadSnapshot(e.session.Election, tr)
		})
		if err != nil {
			e.fail("the election could be read a moment ago, and now it cannot", "run doctor again", "%s", terminal.SafeLines(err.Error()))
			return nil
		}
		wall := c.Wall()
		if took := c.Now().Sub(before); records.TooSlow(config, took) {
			e.reportSlowStore(fmt.Sprintf("a read took %s while the election was observed", output.Age(took)))
			e.requestUnchanged = false
			e.checkLeader()
			return nil
		}
		if s.Leader.Ballot != e.lastLeader.Ballot && !s.Leader.Vacant() {
			e.renewed = true
			e.offsets = append(e.offsets, offset{s.Leader.ID, s.Leader.LeaseExpiry.Add(-s.Leader.LeaseDuration).Sub(wall), true})
		}
		e.lastLeader, e.candidates, e.readAt = s.Leader, s.Candidates, wall
		e.heartbeats.See(e.candidates, wall)
		e.incarnations.add(e.candidates)
		e.requestUnchanged = e.requestUnchanged && s.Request == request
	}
	e.observed = c.Now().Sub(begin)
	e.reportLeader(first, e.observed)
	return nil
}

// reportLeader reports what was observed of the leader for the time that has passed. first
// is the leader record at the beginning.
func (e *examination) reportLeader(first election.LeaderRecord, passed time.Duration) {
	l := e.lastLeader
	const do = "check the process of the leader, its log and its connection; \"fdbelect watch\" shows whether another candidate takes over"
	switch {
	case e.leaderLost && !e.renewed:
		e.fail("there is no live leader, or it cannot write: a leader restores its record with its next renewal", records.LeaderRemedy, "the leader record was still missing after %s", output.Tenths(passed))
	case e.renewed && l.Term != first.Term:
		e.ok("%s began to lead in term %d during the observation", l.Identity, l.Term)
	case e.renewed:
		e.ok("%s renews: term %d, ballot %d after %s", l.Identity, l.Term, l.Ballot, output.Tenths(passed))
	case !e.status.Config.ElectionEnabled: // the config forbids renewals
	case l.Vacant():
		if len(e.candidates) > 0 {
			e.fail("candidates are registered, but none of them claims leadership: they hang or have died", "check their processes and logs, and restart them",
				"leadership stayed vacant for %s", output.Tenths(passed))
		}
	case l.LeaseExpiry.Add(l.LeaseDuration).Before(e.session.Program.Clock.Wall()):
		e.fail("the leader has died or is cut off, and no other candidate has taken over", "start a candidate: \"fdbelect run\"; "+do,
			"%s did not renew for %s, and its lease expired %s ago (local clock)", l.Identity, output.Tenths(passed), output.Age(e.session.Program.Clock.Wall().Sub(l.LeaseExpiry)))
	default:
		e.warn("the leader is late: it hangs, is overloaded, or is cut off from the store", do,
			"%s did not renew for %s; a leader renews every %s", l.Identity, output.Tenths(passed), output.Duration(e.status.Config.HeartbeatInterval))
	}
}

// checkCandidates looks for candidates without a heartbeat, and for too few voters.
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
		e.fail("no process can lead", "start a candidate that is not an observer", "all candidates are observers")
		return
	case e.slow:
		e.skip("which candidates are alive")
		return
	}
	timedOut := e.heartbeats.TimedOut(e.candidates, c, e.readAt)
	var ids, names []string
	alive := voters
	for i := range timedOut {
		ids, names = append(ids, timedOut[i].ID), append(names, timedOut[i].Identity.String())
		if timedOut[i].Role == election.Voter {
			alive--
		}
	}
	switch {
	case ids == nil:
	case e.quick:
		e.addMany(levelWarn, ids, "they may have died, or clocks may be wrong", "run doctor without --quick, which waits for their heartbeats",
			fmt.Sprintf("by the local clock, the last heartbeat of %s is older than %s or in the future: %s", output.Count(len(ids), "candidate"), c.CandidateTimeout, firstFew(names)))
	default:
		e.addMany(levelWarn, ids, "their processes have died or hang; the leader evicts a candidate after it has seen no heartbeat of it for the candidate timeout",
			"check the processes; if there is no leader, \"fdbelect evict\" removes the candidates",
			fmt.Sprintf("%s sent no heartbeat for %s: %s", output.Count(len(ids), "candidate"), output.Tenths(e.observed), firstFew(names)))
	}
	switch {
	case alive < 2:
		e.warn("no candidate could take over from a leader that fails", "start another candidate on another host", "%s alive, of %s", output.Count(alive, "voter"), output.Count(len(e.candidates), "candidate"))
	case ids == nil:
		e.ok("%s alive, of %s", output.Count(alive, "voter"), output.Count(len(e.candidates), "candidate"))
	}
}

// checkRequest looks for a request on which the leader does not act.
func (e *examination) checkRequest() {
	e.begin("request")
	i := e.status.Request
	target := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Identity == i.Identity })
	switch {
	case e.requestErr != nil: // readAll has reported it
	case i.Kind == election.NoRequest:
		e.ok("there is no request")
	case i.Term != e.status.Leader.Term || e.status.Leader.Vacant():
		e.ok("%s is void: there is no leader in that term", i)
	case i.Kind != election.ResignRequest && !target:
		e.warn("the request is void, and the leader removes it when it reads it", "run doctor again in a moment; if the request is still there, the leader hangs",
			"%s, which is not a candidate any more", i)
	case e.requestUnchanged && !e.quick:
		e.warn("the leader has not ended its tenure yet: its work is still stopping, it hangs, or the challenger no longer repeats the request",
			"check the process of the leader; \"fdbelect watch\" shows when its tenure ends", "%s did not change while it was observed", i)
	default:
		e.ok("%s", i)
	}
}
