package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// allPlaces are the places of the processes, of the operator and of the application.
func (w *world) allPlaces() []*place {
	all := placesOf(w.hosts...)
	return append(all, &w.operator.host.place, &w.application.host.place)
}

func placesOf(hosts ...*host) []*place {
	places := make([]*place, len(hosts))
	for i, h := range hosts {
		places[i] = &h.place
	}
	return places
}

func (w *world) allNodes() []*node {
	nodes := make([]*node, 0, len(w.live)+2)
	for _, p := range append(slices.Clone(w.live), w.operator, w.application) {
		nodes = append(nodes, &p.node)
	}
	return nodes
}

// lastOutage is the outage at the end of a run: without any other fault, in an election that
// has recovered from all faults before.
type lastOutage struct {
	*world
	random *rand.Rand
	before election.LeaderRecord
	leader *process // the one that leads before the outage
	voters []*process
	given  time.Duration // the head start that the others give
	kind   int           // of the outage
}

// playOutage plays one of four outages, see below.
func (w *world) playOutage() {
	o := &lastOutage{world: w, random: stream(w.opts.Seed, 9), given: max(w.headStart, 0)}
	if w.headStart == 0 {
		o.given = w.config.HeartbeatInterval
	}
	w.run(w.now+o.below(w.config.HeartbeatInterval), w.failed)
	o.before, o.kind = w.state.Leader, o.random.IntN(outageKinds)
	for _, p := range w.live {
		switch {
		case p.me.Identity == o.before.Identity:
			o.leader = p
		case p.me.Role == election.Voter && p.me.NotReady == "" && w.present(p.host) == p:
			o.voters = append(o.voters, p)
		}
	}
	play := o.random.IntN(4)
	switch {
	case w.failed() || o.leader == nil:
	case play == 0 || len(o.voters) == 0:
		o.longForAll()
	case play == 1:
		o.leaderDies()
	case play == 2:
		o.shortForAll()
	default:
		o.forSome()
	}
}

func (o *lastOutage) below(limit time.Duration) time.Duration {
	return time.Duration(o.random.Int64N(int64(limit)))
}

// slow is how long d takes at most on the clock of a process, as true time.
func (o *lastOutage) slow(d time.Duration) time.Duration {
	return d + time.Duration(2*float64(d)*float64(o.maxPPM)/1e6)
}

// long draws the length of an outage that is longer than a lease on each clock.
func (o *lastOutage) long() time.Duration {
	return o.slow(o.before.LeaseDuration) + time.Millisecond + o.below(3*o.config.LeaseDuration)
}

// until runs until the next tenure, and for at most d. It reports whether it has begun.
func (o *lastOutage) until(d time.Duration) bool {
	begun := func() bool { return o.failed() || o.state.Leader.Term != o.before.Term }
	o.run(o.now+d, begun)
	return begun()
}

// longForAll: the database is away from all for longer than a lease. The same process leads
// again, if its work has returned by then.
func (o *lastOutage) longForAll() {
	length := o.long()
	o.takeAway(o.allPlaces(), length, o.kind)
	o.until(length)
	ready := o.leader.alive && (o.leader.tenure == nil || o.leader.tenure.returned)
	if len(o.voters) == 0 && !ready {
		return // no process may claim
	}
	if o.checkHeadStart() && ready && o.given > 0 {
		o.situation("same leader after an outage")
		if o.state.Leader.Identity != o.before.Identity {
			o.violated(invSameLeader, "%s leads after an outage, before it was %s", o.state.Leader, o.before)
		}
	}
}

// leaderDies: the same, and the leader dies meanwhile. Another process leads within the head
// start, and at once if its priority has been raised above that of the leader.
func (o *lastOutage) leaderDies() {
	length := o.long()
	o.takeAway(o.allPlaces(), length, o.kind)
	o.after(o.below(length), o.leader.crash)
	name := "successor after the head start"
	if o.random.IntN(2) == 0 {
		name = "successor that outranks the last leader"
		p := o.voters[o.random.IntN(len(o.voters))]
		p.host.priority = o.before.Priority + 1
		p.postRegistration()
		o.given = 0
	}
	if o.until(length) && o.given > 0 {
		o.violated(invSameLeader, "%s leads without a head start for %s", o.state.Leader, o.before)
		return
	}
	if o.checkHeadStart() {
		o.situation(name)
	}
}

// shortForAll: the leader dies, and the database is away from all for less than a lease.
// No process gives a head start.
func (o *lastOutage) shortForAll() {
	c := &o.config
	length := o.before.LeaseDuration*2 - o.slow(o.before.LeaseDuration) - c.HeartbeatInterval*3/2 - 100*time.Millisecond
	if length > 0 {
		o.takeAway(o.allPlaces(), o.below(length), o.kind)
	}
	o.leader.crash()
	o.checkFailOver("fail-over after a short outage", o.voters)
}

// forSome: the database is away from the leader and from some others, but not from one voter
// at least. That one gives no head start.
func (o *lastOutage) forSome() {
	hosts, connected := []*host{o.leader.host}, o.voters[:1:1]
	for _, p := range o.voters[1:] {
		if o.random.IntN(2) == 0 {
			hosts = append(hosts, p.host)
		} else {
			connected = append(connected, p)
		}
	}
	o.takeAway(placesOf(hosts...), 3*o.slow(o.before.LeaseDuration), o.kind)
	o.checkFailOver("fail-over beside an outage", connected)
}

// checkHeadStart is invariant 31 after an outage for all that has just ended. A process that
// has seen the last renewal claims at the end of the head start. It reports whether the next
// tenure has begun.
func (o *lastOutage) checkHeadStart() bool {
	if !o.seen() {
		return false
	}
	limit := o.slow(o.given) + o.config.HeartbeatInterval/5 + 200*time.Millisecond
	ballot := o.state.Leader.Ballot
	begun := o.until(limit)
	if !begun && o.seen() && o.state.Leader.Ballot == ballot { // otherwise a late renewal counts again
		o.violated(invHeadStart, "%s after an outage, the head start is %s, and leadership is still that of %s", limit, o.given, o.before)
	}
	return begun
}

// checkFailOver is invariant 31 for processes whose store has answered within the lease: one of
// them takes over after the lease, as if there was no head start. If none of them is on the
// shortlist, each waits up to a lease longer.
func (o *lastOutage) checkFailOver(name string, connected []*process) {
	limit := o.slow(o.before.LeaseDuration) + o.config.HeartbeatInterval + 200*time.Millisecond
	first, err := o.election.Shortlist(&o.shadow, shortlist)
	listed := func(p *process) bool {
		return slices.ContainsFunc(first, func(e election.RankEntry) bool { return e.ID == p.me.ID })
	}
	if err != nil || !slices.ContainsFunc(connected, listed) {
		limit += o.slow(o.before.LeaseDuration)
	}
	if !o.seen() {
		return
	}
	ballot := o.state.Leader.Ballot
	if !o.until(limit) && o.seen() && o.state.Leader.Ballot == ballot {
		o.violated(invHeadStart, "%s after a crash without a long outage, leadership is still that of %s", limit, o.before)
		return
	}
	o.situation(name)
}

// seen reports whether all live voters have seen the last ballot. Those that have not wait
// for a lease.
func (o *lastOutage) seen() bool {
	for _, p := range o.voters {
		if p.alive && p.machine.View().Leader.Ballot != o.state.Leader.Ballot {
			return false
		}
	}
	return true
}
