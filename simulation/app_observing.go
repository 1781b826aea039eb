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

// This file is the application that keeps its own observation. It runs election cycles
// inside its own transactions, together with its own writes. It also begins transactions
// that it does not commit.

// abandonedClient is the client of transactions that are never committed.
const abandonedClient = "abandoned"

// observingApp is what the application keeps from one cycle to the next.
type observingApp struct {
	me          election.Registration
	observation election.Observation
}

func (w *world) runObservingApp() {
	p := w.application
	incarnation, _ := uuid.NewRandomFromReader(w.identities)
	m := &observingApp{me: election.Registration{
		Identity: election.Identity{ID: p.name, Incarnation: incarnation}, Priority: -1,
	}}
	if p.host.random.IntN(4) == 0 {
		m.me.Role = election.Observer
	}
	p.me = m.me
	w.labels[p.me.Identity] = p.name
	p.start("application", func(t *task) {
		for w.faultFreeSince == 0 {
			w.runCycle(t, m)
			w.giveUp(t, func(tr kv.Transaction, now time.Time) error {
				_, err := w.election.RunElectionCycle(tr, m.me, now, election.WithObservation(m.observation, p.local()))
				return err
			})
			if t.wait(p.randomBelow(w.config.HeartbeatInterval), false) != nil {
				return
			}
		}
		w.applicationLeaves(t)
	})
}

// runCycle runs a cycle. If the application leads, the same transaction makes a fenced
// write.
func (w *world) runCycle(t *task, m *observingApp) {
	p := w.application
	var leader election.LeaderRecord
	var seen time.Time
	err := p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
		now := p.now()
		result, err := w.election.RunElectionCycle(tr, m.me, now.Wall, election.WithObservation(m.observation, now.Local))
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
		m.observation = m.observation.Next(leader, seen)
	}
	if leader.HeldBy(m.me.Identity) && p.host.random.IntN(3) == 0 {
		_ = p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			return w.election.ResignLeadership(tr, leader.Token(), p.now().Wall)
		})
	}
}

// applicationLeaves unregisters the application at the end of the faults. The checks of
// the fault-free period expect the processes of the hosts only.
func (w *world) applicationLeaves(t *task) {
	p := w.application
	for !t.killed {
		if p.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			return w.election.UnregisterCandidate(tr, p.me.Identity, p.now().Wall)
		}) == nil {
			return
		}
	}
}

// giveUp runs a cycle, or another act that would change the leader record, in a
// transaction that is never committed.
func (w *world) giveUp(t *task, cycle func(tr kv.Transaction, now time.Time) error) {
	p := w.application
	tr, err := w.db.NewClient(abandonedClient, memkv.ClientOptions{}).CreateTransaction(t.ctxOf())
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
