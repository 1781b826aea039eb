package election

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
)

// act begins a random operation of a process.
func (c *chaos) act(p *chaosProc) {
	now := c.now.Add(p.offset)
	me, token := p.Registration, p.token
	begin := func(what string, fn func(tr *chaosTx) error) { c.begin(what, me.Identity, now, fn) }
	if c.chance(12) {
		p.Priority = int32(c.rnd.IntN(4))
		me = p.Registration
	}
	n := c.rnd.IntN(24)
	if n >= 14 && n < 21 && token.Term < c.check.leader.Term && !c.chance(3) {
		n = 5 // processes with a token of an old term rarely use it
	}
	switch {
	case n < 1 || p.rejoin:
		p.rejoin = false
		begin("register", func(tr *chaosTx) error { return c.e.RegisterCandidate(tr, me, now) })
	case n < 3:
		p.Role = Role(c.rnd.IntN(4) / 3)
		me = p.Registration
		begin("heartbeat", func(tr *chaosTx) error { return c.e.HeartbeatCandidate(tr, me, now) })
	case n < 12:
		c.cycle(p, me, now)
	case n < 14:
		begin("claim", func(tr *chaosTx) error {
			result, err := c.e.TryClaimLeadership(tr, me.Identity, now, WithObservation(p.seen, now))
			c.decided(tr, p, result)
			return err
		})
	case n < 15:
		begin("refresh", func(tr *chaosTx) error {
			_, err := c.e.RefreshLease(tr, token, now)
			return err
		})
	case n < 18:
		begin("work", func(tr *chaosTx) error {
			tr.work = &token
			tr.onApply = c.count("fenced")
			tr.Set([]byte("application"), []byte(me.ID))
			return c.e.RequireLeadership(tr, token)
		})
	case n < 19:
		begin("resign", func(tr *chaosTx) error {
			tr.onApply = c.count("resigned")
			return c.e.ResignLeadership(tr, token, now)
		})
	case n < 21:
		c.handOver(p, me, token, now)
	case n < 22 && c.chance(2):
		begin("leave", func(tr *chaosTx) error {
			tr.onApply = func() { c.check.stopped[me.Identity] = c.check.version }
			p.stopped = true
			return c.e.UnregisterCandidate(tr, me.Identity, now)
		})
	case c.chance(2):
		c.evict(p, now)
	}
}

func (c *chaos) count(what string) func() { return func() { c.counts[what]++ } }

func (c *chaos) cycle(p *chaosProc, me Registration, now time.Time) {
	options := []CycleOption{WithObservation(p.seen, now)}
	if c.chance(10) { // it has ended its tenure
		options = append(options, EndedTerm(p.token.Term))
	}
	c.begin("cycle", me.Identity, now, func(tr *chaosTx) error {
		result, err := c.e.RunElectionCycle(tr, me, now, options...)
		c.decided(tr, p, result)
		return err
	})
}

// decided notes what a cycle did, and what its process learns when it is acknowledged.
func (c *chaos) decided(tr *chaosTx, p *chaosProc, result CycleResult) {
	tr.action = result.Action
	tr.onApply = c.count(result.Action.String())
	if result.Action == Claimed {
		tr.onApply = c.count("claimed " + result.Leader.AcquireReason.String())
	}
	tr.acked = func() {
		if p.Identity != tr.actor {
			return // the process has restarted
		}
		if result.Request.Kind != NoRequest {
			p.request = result.Request
		}
		if result.Leads() {
			p.token = result.Leader.Token()
		}
	}
}

func (c *chaos) handOver(p *chaosProc, me Registration, token Token, now time.Time) {
	nonce, to := c.nonce(), c.procs[c.rnd.IntN(len(c.procs))].ID
	if p.request.Kind != ResignRequest && p.request.about(token.Term) {
		c.begin("hand over", me.Identity, now, func(tr *chaosTx) error {
			_, handedOver, err := c.e.HandOver(tr, token, p.request, now)
			if handedOver {
				tr.onApply = c.count("handed over by request")
			}
			return err
		})
		return
	}
	c.begin("transfer", me.Identity, now, func(tr *chaosTx) error {
		tr.onApply = c.count("transferred")
		_, err := c.e.TransferLeadership(tr, token, to, nonce, now)
		if errors.Is(err, fdbelection.ErrInvalidCandidate) { // the target is itself, or it has no token yet
			return fdbelection.ErrNotLeader
		}
		return err
	})
}

func (c *chaos) evict(p *chaosProc, now time.Time) {
	c.begin("evict", Identity{}, now, func(tr *chaosTx) error {
		evicted, err := c.e.EvictDeadCandidates(tr, now)
		if err == nil && len(evicted) == 0 && c.rnd.IntN(2) == 0 {
			evicted, err = c.e.EvictUnchanged(tr, p.list)
		}
		if len(evicted) > 0 {
			tr.onApply = c.count("evicted")
		}
		return err
	})
}

// forceResign forces the leader to resign that an operator saw some time ago.
func (c *chaos) forceResign() {
	p := c.procs[c.rnd.IntN(len(c.procs))]
	token, ballot := p.token, p.seen.Ballot
	if c.chance(2) {
		ballot = 0
	}
	c.begin("force resign", Identity{}, c.now, func(tr *chaosTx) error {
		err := c.e.ForceResign(tr, token, ballot, c.now)
		if errors.Is(err, fdbelection.ErrLeaderRenewed) {
			c.counts["kept after a renewal"]++
		}
		return err
	})
}

// raise raises the term by a few, or tries a floor that is not higher.
func (c *chaos) raise() {
	floor := max(c.check.leader.Term+uint64(c.rnd.IntN(6)), 3) - 2
	c.begin("raise", Identity{}, c.now, func(tr *chaosTx) error {
		tr.floor = floor
		_, err := c.e.RaiseTerm(tr, floor, c.now)
		return err
	})
}
