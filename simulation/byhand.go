package simulation

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// This file is the application that takes part without an elector and keeps its own
// observation: it runs election cycles inside its own transactions, beside its own
// writes. It also begins transactions that it gives up.

type manual struct {
	me   election.Registration
	seen election.Observation
}

func (w *World) observeByHand() {
	p := w.application
	incarnation, _ := uuid.NewRandomFromReader(w.identities)
	m := &manual{me: election.Registration{
		Identity: election.Identity{ID: p.name, Incarnation: incarnation}, Priority: -1,
	}}
	if p.host.random.IntN(4) == 0 { // it looks on
		m.me.Role = election.Observer
	}
	p.me = m.me
	w.labels[p.me.Identity] = p.name
	p.start("application", func(t *task) {
		for w.quiet == 0 {
			w.takePart(t, m)
			w.giveUp(t, func(tr kv.Transaction, now time.Time) error {
				_, err := w.election.RunElectionCycle(tr, m.me, now, election.WithObservation(m.seen, p.local()))
				return err
			})
			if t.wait(p.drawn(w.config.HeartbeatInterval), false) != nil {
				return
			}
		}
		w.departs(t)
	})
}

// takePart runs a cycle, and a fenced write in the same transaction where it
// leads.
func (w *World) takePart(t *task, m *manual) {
	p := w.application
	var leader election.LeaderRecord
	var seen time.Time
	err := p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
		now := p.now()
		result, err := w.election.RunElectionCycle(tr, m.me, now.Wall, election.WithObservation(m.seen, now.Local))
		if errors.Is(err, fdbelection.ErrUnregisteredCandidate) {
			return w.election.RegisterCandidate(tr, m.me, now.Wall)
		}
		if err != nil {
			return err
		}
		leader, seen = result.Leader, p.now().Local
		if result.Action != election.Renewed {
			return nil
		}
		if err := w.election.RequireLeadership(tr, leader.Token()); err != nil {
			return err
		}
		w.situation("fenced write with a renewal")
		tr.Set(w.fencedKey, fencedValue(leader.Token()))
		return nil
	})
	if err == nil && !seen.IsZero() {
		m.seen = m.seen.Next(leader, seen)
	}
	if leader.HeldBy(m.me.Identity) && p.host.random.IntN(3) == 0 {
		_ = p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			return w.election.ResignLeadership(tr, leader.Token(), p.now().Wall)
		})
	}
}

// departs has the application leave, so that what has to become of the others can be
// told.
func (w *World) departs(t *task) {
	p := w.application
	for !t.killed {
		if p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			return w.election.UnregisterCandidate(tr, p.me.Identity, p.now().Wall)
		}) == nil {
			return
		}
	}
}

// giveUp runs a cycle, or something else that would change the seat, in a transaction
// that is never committed.
func (w *World) giveUp(t *task, cycle func(tr kv.Transaction, now time.Time) error) {
	p := w.application
	tr, err := w.db.NewClient("nobody", memkv.ClientOptions{}).CreateTransaction(t.ctxOf())
	if err != nil {
		return
	}
	spied := &spyTransaction{Transaction: tr, world: w}
	now := p.now().Wall
	switch p.host.random.IntN(4) {
	case 0:
		_ = cycle(spied, now)
	case 1:
		_ = w.election.UnregisterCandidate(spied, p.me.Identity, now)
	case 2:
		_ = w.election.ResignLeadership(spied, w.state.Leader.Token(), now)
	case 3:
		_, _ = w.election.TransferLeadership(spied, w.state.Leader.Token(), w.hosts[0].id, uuid.UUID{1}, now)
	}
	tr.Cancel()
}
