package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// offset is how far the calendar of a candidate's host is ahead of the one
// here, as a stamp says that was seen soon after it was written.
type offset struct {
	id    string
	ahead time.Duration
	known bool // seen fresh; else the stamp is only known to be old, and ahead is a lower bound
}

// checkSeat tells who leads, by the record.
func (e *examination) checkSeat() {
	e.begin("leader")
	switch l := e.state.Leader; {
	case e.lost && e.quick:
		e.fail("it is not known who leads", "run doctor without --quick: it observes whether a leader restores its record", "%s", lostText(e.state.Tenure))
	case l.Vacant():
		voters := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Role == election.Voter })
		if !e.state.Config.ElectionEnabled || voters && !e.quick {
			return // it is told elsewhere, or after the observation
		}
		e.warn("nothing that needs a leader goes on", "start a candidate: \"fdbelect run\"", "the seat is vacant")
	case e.quick && l.LeaseExpiry.Add(l.LeaseDuration).Before(e.readAt):
		e.warn("the leader is gone, or hosts have different clocks", "run doctor without --quick: it observes whether the leader renews",
			"the lease of %s is over since %s by the clock here", l.Identity, ago(e.readAt.Sub(l.LeaseExpiry)))
	case e.quick:
		e.ok("%s in term %d, at ballot %d; whether it renews was not observed", l.Identity, l.Term, l.Ballot)
	}
}

// observe looks for a heartbeat and a half, which is how often a leader
// renews, with half of it for what delays it. Within that time a process whose id
// was taken registers again as well, if it does.
func (e *examination) observe(ctx context.Context) error {
	c := e.session.app.clock
	heartbeat := e.state.Config.HeartbeatInterval
	pace := min(max(heartbeat/20, 5*time.Millisecond), 250*time.Millisecond)
	begin := c.Now()
	limit := heartbeat + heartbeat/2
	e.occupants = make(occupants)
	e.occupants.see(e.candidates)
	first, before := e.state.Leader, e.candidates
	intent := e.state.Intent
	e.stuck = true
	beats := make(map[string]bool)
	for {
		passed := c.Now().Sub(begin)
		if passed >= limit {
			break
		}
		e.progress.say(fmt.Sprintf("observing the leader: %s of %s", tenths(passed), tenths(limit)))
		if err := clock.Sleep(ctx, c, pace); err != nil {
			return err
		}
		s, err := look(ctx, e.session, func(tr kv.ReadTransaction) (*sight, error) { return lookAt(e.session.election, tr) })
		if err != nil {
			e.fail("the election could be read a moment ago", "run doctor again", "%s", safeLines(err.Error()))
			return nil
		}
		wall := c.Wall()
		if s.Leader.Ballot != e.last.Ballot && !s.Leader.Vacant() {
			e.renewed = true
			e.offsets = append(e.offsets, offset{s.Leader.ID, s.Leader.LeaseExpiry.Add(-s.Leader.LeaseDuration).Sub(wall), true})
		}
		e.last = s.Leader
		for _, b := range before {
			i := slices.IndexFunc(s.candidates, func(n election.Candidate) bool { return n.ID == b.ID && n.Heartbeats != b.Heartbeats })
			if i >= 0 && !beats[b.ID] {
				beats[b.ID] = true
				e.offsets = append(e.offsets, offset{b.ID, s.candidates[i].LastHeartbeat.Sub(wall), true})
			}
		}
		e.stuck = e.stuck && s.Intent == intent
		if e.occupants.see(s.candidates); e.occupants.moved() {
			limit = 3 * heartbeat // if two processes take it in turns, the next turn comes by then
		}
	}
	e.tellAlive(first, c.Now().Sub(begin))
	return nil
}

// tellAlive tells what the observation of the seat has come to.
func (e *examination) tellAlive(first election.Leader, passed time.Duration) {
	l := e.last
	const do = "look at the process of the leader, at its log and at its connection; \"fdbelect watch\" shows whether somebody takes over"
	switch {
	case e.lost && !e.renewed:
		e.fail("no leader runs, or it cannot write: a leader restores its record with its next renewal", leaderDo, "the leader record was still missing after %s", tenths(passed))
	case e.renewed && l.Term != first.Term:
		e.ok("%s took the seat in term %d while it was observed", l.Identity, l.Term)
	case e.renewed:
		e.ok("%s renews: term %d, ballot %d after %s", l.Identity, l.Term, l.Ballot, tenths(passed))
	case !e.state.Config.ElectionEnabled: // nobody renews, as the config says
	case l.Vacant():
		if len(e.candidates) > 0 {
			e.fail("there are candidates, and none of them claims: they hang, or are not there any more", "look at their processes and logs; restart them",
				"the seat is vacant, and was so for %s", tenths(passed))
		}
	case l.LeaseExpiry.Add(l.LeaseDuration).Before(e.session.app.clock.Wall()):
		e.fail("the leader is gone, by what its last renewal says as well, and nobody has taken over", "start a candidate: \"fdbelect run\"; "+do,
			"%s did not renew for %s, and its lease is over since %s by the clock here", l.Identity, tenths(passed), ago(e.session.app.clock.Wall().Sub(l.LeaseExpiry)))
	default:
		e.warn("it is late: it hangs, is overloaded, or is cut off from the store", do,
			"%s did not renew for %s, and ought to every %s", l.Identity, tenths(passed), duration(e.state.Config.HeartbeatInterval))
	}
}

// checkClocks tells what can be known of clocks without trusting one: a stamp
// of the future, a fresh one, the order of the history, and how fast versions
// grow.
func (e *examination) checkClocks() {
	e.begin("clock")
	before := len(e.Findings)
	e.checkRate()
	c := e.state.Config
	for _, candidate := range e.candidates {
		e.offsets = append(e.offsets, offset{candidate.ID, candidate.LastHeartbeat.Sub(e.readAt), false})
	}
	if l := e.state.Leader; !l.Vacant() && !e.lost {
		e.offsets = append(e.offsets, offset{l.ID, l.LeaseExpiry.Add(-l.LeaseDuration).Sub(e.readAt), false})
	}
	limit, worst := max(c.EffectiveMargin(), 100*time.Millisecond), time.Duration(0)
	told := make(map[string]bool)
	for _, o := range e.offsets {
		if o.known {
			worst = max(worst, o.ahead.Abs())
		}
		if told[o.id] || o.ahead <= limit && (!o.known || o.ahead.Abs() <= limit) {
			continue
		}
		told[o.id] = true
		found := fmt.Sprintf("the clock of %s is %s ahead of the one here", election.SafeText(o.id), ago(o.ahead.Abs()))
		switch {
		case !o.known:
			found = strings.Replace(found, " is ", " is at least ", 1)
		case o.ahead < 0:
			found = strings.Replace(found, " ahead of ", " behind ", 1)
		}
		const do = "see that hosts have their time from the same source (chrony, ntpd)"
		if c.Expiry == fdbelection.ExpiryByClock {
			e.fail("leases are judged by these clocks: two processes may lead at once, or none for a while", do+"; or \"fdbelect config set --defaults\"", "%s", found)
		} else {
			e.warn("nothing is decided by it, but what \"status\" says of leases and ages is off by as much", do, "%s", found)
		}
	}
	for i := 1; i < len(e.history); i++ {
		if back := e.history[i-1].At.Sub(e.history[i].At); back > limit {
			e.warn("a clock was set back, or hosts differ", "see that hosts have their time from the same source", "the history goes back by %s at term %d", ago(back), e.history[i].Term)
			break
		}
	}
	if len(e.Findings) > before && e.Findings[len(e.Findings)-1].Level != levelOK {
		return
	}
	switch {
	case slices.ContainsFunc(e.offsets, func(o offset) bool { return o.known }):
		e.ok("fresh stamps of others are within %s of the clock here", ago(worst))
	default:
		e.ok("no stamp is of the future; that is all that can be told without a fresh one")
	}
}

// checkRate compares the growth of versions with the clock here, where versions
// are a clock at all.
func (e *examination) checkRate() {
	scheme, _, _ := strings.Cut(e.Store, ":")
	if e.rate == nil || scheme == "file" || scheme == "mem" {
		return // their versions grow with commits only, by the clocks of the processes
	}
	rate := float64(e.rate.grown) / e.rate.passed.Seconds() / versionsPerSecond
	switch {
	case rate > 2:
		e.warn("the database recovered meanwhile, or its clock jumped; open transactions are outdated", "see the database's own status; run doctor again",
			"versions grew %.1f times as fast as the clock here", rate)
	case rate < 0.8 || rate > 1.2:
		e.warn("the clock of the database or of this host runs wrong, or the database stood still", "run doctor again; compare the clock here with another",
			"versions grew %.2f times as fast as the clock here", rate)
	default:
		e.ok("versions grew %.2f times as fast as the clock here", rate)
	}
}

// checkCandidates looks for candidates that are silent, and for too few.
func (e *examination) checkCandidates() {
	e.begin("candidates")
	c := e.state.Config
	before, voters, alive := len(e.Findings), 0, 0
	for _, candidate := range e.candidates {
		age := e.readAt.Sub(candidate.LastHeartbeat)
		silent := age > c.CandidateTimeout
		if candidate.Role == election.Voter {
			voters++
			if !silent {
				alive++
			}
		}
		if silent {
			e.warn("its process has died or hangs; the leader evicts it after it was seen silent for the candidate timeout",
				"look at its process; \"fdbelect evict\" removes it where no leader does", "%s was silent for %s by the clocks", candidate.Identity, ago(age))
		}
	}
	switch {
	case len(e.candidates) == 0:
		e.warn("nobody can lead", "start a candidate: \"fdbelect run\"", "nobody is registered")
	case voters == 0:
		e.fail("nobody can lead", "start a candidate that is no observer", "there are observers only")
	case alive < 2:
		e.warn("nobody could take over", "start another candidate on another host", "%s alive, of %s", count(alive, "voter"), count(len(e.candidates), "candidate"))
	case len(e.Findings) == before:
		e.ok("%s alive, of %s", count(alive, "voter"), count(len(e.candidates), "candidate"))
	}
}

// checkIntent looks for requests and challenges that nobody obeys.
func (e *examination) checkIntent() {
	e.begin("intent")
	i := e.state.Intent
	target := slices.ContainsFunc(e.candidates, func(c election.Candidate) bool { return c.Identity == i.Identity })
	switch {
	case e.unasked != nil: // it is told under records
	case i.Kind == election.NoIntent:
		e.ok("nothing is asked of the leader")
	case i.Term != e.state.Leader.Term || e.state.Leader.Vacant():
		e.ok("%s is void: it is about another tenure", i)
	case i.Kind != election.IntentResign && !target:
		e.warn("it is void, and the leader removes it when it looks", "run doctor again in a moment; if it stays, the leader hangs", "%s, who is no candidate any more", i)
	case e.stuck && !e.quick:
		e.warn("the leader has not obeyed yet: its work is still stopping, or it hangs; or the challenger has stopped to repeat it",
			"look at the leader; \"fdbelect watch\" shows when it obeys", "%s stood still while it was observed", i)
	default:
		e.ok("%s", i)
	}
}
