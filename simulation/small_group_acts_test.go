package simulation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/belief"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// This file has the acts of members and of operators.

// doJoin begins a session.
func doJoin(ctx context.Context, m *smallMember) {
	id := m.process.host.id
	next := group.Member{
		Identity: election.Identity{ID: id}, JoinedAt: m.process.now().Wall, Weight: 1, NotReady: "joins", Balance: group.BalanceVersion,
	}
	if _, seen := m.seen[id]; seen {
		m.wait()
	}
	joining := group.Joining{Member: next, Own: slices.Clone(m.own)}
	if seen, ok := m.standing(id); ok {
		joining.Seen = &seen
	}
	m.live, m.belief = false, belief.Belief{}
	m.record = next
	for name := range m.tenures {
		m.end(name)
	}
	a := m.operate(ctx, membership.Operation{Kind: membership.Join, Joining: joining})
	if a.Err != nil {
		return
	}
	m.record.Identity, m.counter, m.live = a.Beat.Identity, a.Beat.Counter, true
	m.belief = belief.Begin(belief.DeadlinesOf(a.Start, a.Beat.Lease, m.config.Lease()))
}

// updates returns an act that changes what a member says of itself.
func updates(change func(record *group.Member)) groupAct {
	return func(ctx context.Context, m *smallMember) {
		if !m.live {
			return
		}
		next := m.record
		change(&next)
		a := m.operate(ctx, membership.Operation{Kind: membership.Update, Member: next})
		if m.noteEnd(a.Err); a.Err == nil {
			m.record = next
		}
	}
}

var (
	doReady   = updates(func(record *group.Member) { record.NotReady = "" })
	doUnready = updates(func(record *group.Member) { record.NotReady = "busy" })
	doDrain   = updates(func(record *group.Member) { record.Draining = true })
)

// doBeat sends a heartbeat.
func doBeat(ctx context.Context, m *smallMember) {
	if !m.live {
		return
	}
	a := m.operate(ctx, membership.Operation{Kind: membership.Heartbeat, Least: m.counter})
	if m.noteEnd(a.Err); a.Err == nil {
		m.counter = a.Beat.Counter
	}
}

// noteEnd notes that the session has ended, if an error says so.
func (m *smallMember) noteEnd(err error) {
	if errors.Is(err, group.ErrSessionEnded) {
		m.live = false
	}
}

// doLook reads the heartbeats of all members.
func doLook(ctx context.Context, m *smallMember) {
	a := m.operate(ctx, membership.Operation{Kind: membership.Look})
	m.done(a.Err)
	for _, beat := range a.Beats {
		if m.seen[beat.ID].Value != beat.Value {
			m.seen[beat.ID] = seenBeat{beat, a.Seen}
		}
	}
}

// wait lets others act and time pass before the actor decides by its clock.
func (m *smallMember) wait() {
	if m.actor != nil {
		m.schedule.wait(m.actor)
	}
}

// done notes that an act is done that need not commit anything.
func (m *smallMember) done(err error) {
	if err == nil && m.reached != nil {
		m.reached[m.label()] = true
	}
}

// standing returns the heartbeat of a member that the actor has seen unchanged for its lease.
func (m *smallMember) standing(id string) (group.Beat, bool) {
	seen, ok := m.seen[id]
	return seen.Beat, ok && !m.process.local().Before(seen.Since.Add(seen.Lease))
}

// doEvict ends the session of another member, if its heartbeat has stood still.
func doEvict(id string) groupAct {
	return func(ctx context.Context, m *smallMember) {
		m.wait()
		if seen, ok := m.standing(id); ok && m.live {
			a := m.operate(ctx, membership.Operation{Kind: membership.Evict, Seen: seen, NotAfter: m.process.local().Add(time.Hour)})
			m.noteEnd(a.Err)
		}
	}
}

// doClaim claims all shards that it does not lead.
func doClaim(ctx context.Context, m *smallMember) {
	var claims []group.Claim
	for i, name := range m.shardNames(m.shards) {
		if !m.leads(name) {
			nonce := m.nonce()
			nonce[3] = byte(i)
			claims = append(claims, group.Claim{Shard: name, Nonce: nonce})
		}
	}
	if !m.live || len(claims) == 0 {
		return
	}
	a := m.operate(ctx, membership.Operation{Kind: membership.Claim, Claims: claims})
	m.noteEnd(a.Err)
	for i := range a.Outcomes {
		if a.Outcomes[i].Err == nil {
			m.finds(&a.Outcomes[i].Shard)
		}
	}
}

// finds notes a shard record. If it names the session of the actor in a new term, the actor leads
// from now on.
func (m *smallMember) finds(shard *group.Shard) {
	token, known := shard.Token(), m.tenures[shard.Name]
	switch {
	case m.live && token.Identity == m.record.Identity && token.Term > known.Term:
		m.tenures[shard.Name] = ownTenure{Token: token}
	case token != known.Token && token.Term >= known.Term && known.Term > 0:
		m.end(shard.Name)
	}
}

// end notes that a tenure has ended.
func (m *smallMember) end(name string) {
	t := m.tenures[name]
	t.Ended = true
	m.tenures[name] = t
}

// doRead reads the shard records.
func doRead(ctx context.Context, m *smallMember) {
	err := m.executor.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		found := make([]group.Shard, m.shards)
		for i, name := range m.shardNames(m.shards) {
			var err error
			if found[i], err = m.group.ReadShard(tr, name); kv.CodeOf(err) != 0 {
				return err
			}
		}
		for i := range found {
			m.finds(&found[i])
		}
		return nil
	})
	m.done(err)
}

// releaseAll returns an act that gives up all of its shards.
func releaseAll(change func(m *smallMember, r *group.Release)) groupAct {
	return func(ctx context.Context, m *smallMember) {
		var releases []group.Release
		for i, name := range m.shardNames(m.shards) {
			t, own := m.tenures[name]
			if !own || t.Ended {
				continue
			}
			t.GivenUp = true
			m.tenures[name] = t
			r := group.Release{Token: t.Token, Reason: group.ReasonDrain, Nonce: m.nonce()}
			r.Nonce[3] = byte(i)
			change(m, &r)
			releases = append(releases, r)
		}
		if !m.live || len(releases) == 0 {
			return
		}
		a := m.operate(ctx, membership.Operation{Kind: membership.Release, Releases: releases})
		m.noteEnd(a.Err)
		for i := range a.Outcomes { // the tenure has ended, whatever followed
			m.end(releases[i].Token.Shard)
		}
	}
}

var (
	doRelease = releaseAll(func(*smallMember, *group.Release) {})
	doRemove  = releaseAll(func(_ *smallMember, r *group.Release) { r.Remove = true })
)

// doReleaseOther asks to release the present tenure of s0, which is not its own.
func doReleaseOther(ctx context.Context, m *smallMember) {
	if row := m.rows[groupRecord{group.KindShard, shardName(0)}]; row.Shard != nil {
		r := group.Release{Token: row.Shard.Token(), Reason: group.ReasonDrain}
		m.done(m.operate(ctx, membership.Operation{Kind: membership.Release, Releases: []group.Release{r}}).Err)
	}
}

// doHandOver hands all of its shards over to the session that a member had at the start.
func doHandOver(id string) groupAct {
	return releaseAll(func(m *smallMember, r *group.Release) { r.Target = m.peers[id] })
}

// doLeave ends its sessions. As a member, it does that only if it drains and holds nothing.
func doLeave(ctx context.Context, m *smallMember) {
	for _, t := range m.tenures {
		if m.live && !t.Ended {
			return
		}
	}
	if m.live && !m.record.Draining {
		return
	}
	m.live = false
	sessions := make([]election.Identity, len(m.own))
	for i, incarnation := range m.own {
		sessions[i] = election.Identity{ID: m.process.host.id, Incarnation: incarnation}
	}
	if a := m.operate(ctx, membership.Operation{Kind: membership.LeaveGroup, Sessions: sessions}); a.Err == nil {
		m.process.left = true
		m.checkFinish(m.process, nil)
	}
}

// doWrite makes a fenced write under the newest tenure of s0 that was its own, even if that has ended.
func doWrite(ctx context.Context, m *smallMember) {
	token := m.tenures[shardName(0)].Token
	if token.Term == 0 {
		return
	}
	err := m.executor.Database.Transact(memkv.WithLabel(ctx, m.label()), func(tr kv.Transaction) error {
		if err := m.group.RequireLeadership(tr, token); err != nil {
			return err
		}
		tr.Set(subspace.AppendString(m.work.Bytes(), token.Shard), fencedBy(token))
		return nil
	})
	if errors.Is(err, fdbelection.ErrFenced) {
		m.done(nil)
	}
}

// steers returns an act of an operator.
func steers(fn func(g *group.Group, tr kv.Transaction, m *smallMember) error) groupAct {
	return func(ctx context.Context, m *smallMember) {
		m.steer(ctx, func(tr kv.Transaction) error { return fn(m.group, tr, m) })
	}
}

func configures(enabled bool) groupAct {
	return steers(func(g *group.Group, tr kv.Transaction, m *smallMember) error {
		config := m.config
		config.Enabled, config.Nonce = enabled, m.nonce()
		_, err := g.WriteConfig(tr, config)
		return err
	})
}

var (
	doDisable, doEnable = configures(false), configures(true)

	doCancel = steers(func(g *group.Group, tr kv.Transaction, _ *smallMember) error {
		_, err := g.CancelRequest(tr, shardName(0))
		return err
	})
	doRemoveShard = steers(func(g *group.Group, tr kv.Transaction, _ *smallMember) error {
		_, err := g.RemoveShards(tr, []string{shardName(0)})
		return err
	})
	doCreateShard = steers(func(g *group.Group, tr kv.Transaction, m *smallMember) error {
		_, err := g.CreateShards(tr, []string{shardName(0)}, m.calendar())
		return err
	})
	doPin   = steers(func(g *group.Group, tr kv.Transaction, _ *smallMember) error { return g.Pin(tr, shardName(0), "b") })
	doUnpin = steers(func(g *group.Group, tr kv.Transaction, _ *smallMember) error {
		_, err := g.Unpin(tr, shardName(0))
		return err
	})
	doDrainMember = steers(func(g *group.Group, tr kv.Transaction, _ *smallMember) error { return g.Drain(tr, "a") })
)

// doAskToResign asks the leader of the present term to resign.
func doAskToResign(ctx context.Context, m *smallMember) {
	if row := m.rows[groupRecord{group.KindShard, shardName(0)}]; row.Shard != nil {
		m.asked = row.Shard.Term
		m.steer(ctx, func(tr kv.Transaction) error { return m.group.RequestResign(tr, shardName(0), m.asked, m.nonce()) })
	}
}

// doRaise ends all tenures up to term 3.
func doRaise(ctx context.Context, m *smallMember) {
	err := m.operator.Transact(memkv.WithLabel(ctx, labelRaise), func(tr kv.Transaction) error {
		_, err := m.group.RaiseTerms(tr, m.shardNames(m.shards), 3, m.calendar())
		return err
	})
	m.done(err)
}
