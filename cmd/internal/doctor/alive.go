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

// checkSeat tells who leads, by the record.
func (e *examination) checkSeat() {
	e.begin("leader")
	switch l := e.state.Leader; {
	case e.lost && e.quick:
		e.fail("it is not known who leads", "run doctor without --quick: it observes whether a leader restores its record", "%s", records.LostText(e.state.Term))
	case e.slow && !l.Vacant():
		e.skip(fmt.Sprintf("whether %s renews, which leads in term %d,", l.Identity, l.Term))
	case l.Vacant():
		voters := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Role == election.Voter })
		if !e.state.Config.ElectionEnabled || voters && !e.quick {
			return // it is told elsewhere, or after the observation
		}
		e.warn("nothing that needs a leader goes on", "start a candidate: \"fdbelect run\"", "the seat is vacant")
	case e.quick && l.LeaseExpiry.Add(l.LeaseDuration).Before(e.readAt):
		e.warn("the leader is gone, or hosts have different clocks", "run doctor without --quick: it observes whether the leader renews",
			"the lease of %s is over since %s by the clock here", l.Identity, output.Age(e.readAt.Sub(l.LeaseExpiry)))
	case e.quick:
		e.ok("%s in term %d, at ballot %d; whether it renews was not observed", l.Identity, l.Term, l.Ballot)
	}
}

// observe looks for a heartbeat and a half, which is how often a leader renews, with
// half of it for what delays it. Within that time a process whose id was taken registers
// again as well, if it does. If the clocks do not show that every candidate is alive, it
// goes on until it has seen each of those write, or for as long as one that is alive may
// take for that.
func (e *examination) observe(ctx context.Context) error {
	c := e.session.Program.Clock
	config := &e.state.Config
	begin := c.Now()
	least := config.HeartbeatInterval + config.HeartbeatInterval/2
	most := max(least, records.HeartbeatWindow(config))
	e.occupants = make(occupants)
	e.occupants.see(e.candidates)
	e.beats.See(e.candidates, e.readAt)
	first, intent := e.state.Leader, e.state.Request
	e.stuck = true
	for {
		limit := least
		switch {
		case e.occupants.moved():
			limit = 3 * config.HeartbeatInterval // if two processes take it in turns, the next turn comes by then
		case len(e.beats.TimedOut(e.candidates, config, e.readAt)) > 0:
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
			e.tellSlow(fmt.Sprintf("a read took %s while the election was observed", output.Age(took)))
			e.stuck = false
			e.checkSeat()
			return nil
		}
		if s.Leader.Ballot != e.last.Ballot && !s.Leader.Vacant() {
			e.renewed = true
			e.offsets = append(e.offsets, offset{s.Leader.ID, s.Leader.LeaseExpiry.Add(-s.Leader.LeaseDuration).Sub(wall), true})
		}
		e.last, e.candidates, e.readAt = s.Leader, s.Candidates, wall
		e.beats.See(e.candidates, wall)
		e.occupants.see(e.candidates)
		e.stuck = e.stuck && s.Request == intent
	}
	e.observed = c.Now().Sub(begin)
	e.tellAlive(first, e.observed)
	return nil
}

// tellAlive tells what the observation of the leadership has come to.
func (e *examination) tellAlive(first election.LeaderRecord, passed time.Duration) {
	l := e.last
	const do = "look at the process of the leader, at its log and at its connection; \"fdbelect watch\" shows whether another candidate takes over"
	switch {
	case e.lost && !e.renewed:
		e.fail("no leader runs, or it cannot write: a leader restores its record with its next renewal", records.LeaderRemedy, "the leader record was still missing after %s", output.Tenths(passed))
	case e.renewed && l.Term != first.Term:
		e.ok("%s took the seat in term %d while it was observed", l.Identity, l.Term)
	case e.renewed:
		e.ok("%s renews: term %d, ballot %d after %s", l.Identity, l.Term, l.Ballot, output.Tenths(passed))
	case !e.state.Config.ElectionEnabled: // there are no renewals, as the config says
	case l.Vacant():
		if len(e.candidates) > 0 {
			e.fail("there are candidates, and none of them claims: they hang, or are not there any more", "look at their processes and logs; restart them",
				"the seat is vacant, and was so for %s", output.Tenths(passed))
		}
	case l.LeaseExpiry.Add(l.LeaseDuration).Before(e.session.Program.Clock.Wall()):
		e.fail("the leader is gone, by what its last renewal says as well, and no other candidate has taken over", "start a candidate: \"fdbelect run\"; "+do,
			"%s did not renew for %s, and its lease is over since %s by the clock here", l.Identity, output.Tenths(passed), output.Age(e.session.Program.Clock.Wall().Sub(l.LeaseExpiry)))
	default:
		e.warn("it is late: it hangs, is overloaded, or is cut off from the store", do,
			"%s did not renew for %s, and ought to every %s", l.Identity, output.Tenths(passed), output.Duration(e.state.Config.HeartbeatInterval))
	}
}

// checkCandidates looks for candidates that are silent, and for too few.
func (e *examination) checkCandidates() {
	e.begin("candidates")
	c := &e.state.Config
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
		e.fail("no process can lead", "start a candidate that is no observer", "there are observers only")
		return
	case e.slow:
		e.skip("which candidates are alive")
		return
	}
	unheard := e.beats.TimedOut(e.candidates, c, e.readAt)
	var silent, names []string
	alive := voters
	for i := range unheard {
		silent, names = append(silent, unheard[i].ID), append(names, unheard[i].Identity.String())
		if unheard[i].Role == election.Voter {
			alive--
		}
	}
	switch {
	case silent == nil:
	case e.quick:
		e.many(levelWarn, silent, "they may have died, or their clocks may be wrong", "run doctor without --quick: it listens for their heartbeats",
			fmt.Sprintf("by the clocks, the last heartbeat of %s is older than %s or of the future: %s", output.Count(len(silent), "candidate"), c.CandidateTimeout, someOf(names)))
	default:
		e.many(levelWarn, silent, "each of these processes has died or hangs; the leader evicts it once it has seen no heartbeat of it for the candidate timeout",
			"look at the processes; \"fdbelect evict\" removes them if there is no leader",
			fmt.Sprintf("%s sent no heartbeat for %s: %s", output.Count(len(silent), "candidate"), output.Tenths(e.observed), someOf(names)))
	}
	switch {
	case alive < 2:
		e.warn("no candidate could take over", "start another candidate on another host", "%s alive, of %s", output.Count(alive, "voter"), output.Count(len(e.candidates), "candidate"))
	case silent == nil:
		e.ok("%s alive, of %s", output.Count(alive, "voter"), output.Count(len(e.candidates), "candidate"))
	}
}

// checkIntent looks for requests and challenges that the leader does not obey.
func (e *examination) checkIntent() {
	e.begin("request")
	i := e.state.Request
	target := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Identity == i.Identity })
	switch {
	case e.unasked != nil: // it is told under records
	case i.Kind == election.NoRequest:
		e.ok("nothing is asked of the leader")
	case i.Term != e.state.Leader.Term || e.state.Leader.Vacant():
		e.ok("%s is void: it is about another tenure", i)
	case i.Kind != election.ResignRequest && !target:
		e.warn("it is void, and the leader removes it when it looks", "run doctor again in a moment; if it stays, the leader hangs", "%s, which is no candidate any more", i)
	case e.stuck && !e.quick:
		e.warn("the leader has not obeyed yet, because its work is still stopping or it hangs; or the challenger no longer repeats it",
			"look at the leader; \"fdbelect watch\" shows when it obeys", "%s stood still while it was observed", i)
	default:
		e.ok("%s", i)
	}
}
