package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The faults after which a promise does not hold for a while.
const (
	faultNoLeader = "delete the leader record"
)

// steering are the acts of operators, and what they may do wrong.
func steering() []fault {
	return []fault{
		{name: "other config", weight: 2, target: nothing, begin: otherConfig},
		{name: "disable the election", weight: 1, begin: disable},
		{name: "request a resignation", weight: 2, target: nothing, begin: requestResign},
		{name: "request a transfer", weight: 2, target: nothing, begin: requestTransfer},
		{name: "delete a candidate record", weight: 2, of: anyWorker, begin: deleteCandidate},
		{name: faultNoLeader, weight: 1, begin: deleteLeader},
	}
}

// writeConfig changes the stored config.
func (n *nemesis) writeConfig(ctx context.Context, change func(c *fdbelection.Config)) error {
	nonce := uuid.New()
	return n.db.Transact(ctx, func(tr kv.Transaction) error {
		c, err := theElection.ReadConfig(tr)
		if err != nil {
			return err
		}
		change(&c)
		c.Revision, c.Nonce = 0, nonce
		_, err = theElection.WriteConfig(tr, c)
		return err
	})
}

// otherConfig draws a lease up to that of the run, and other settings.
func otherConfig(s *stroke) (func() bool, bool) {
	n := s.nemesis
	c := n.config(n.lease/2 + time.Duration(s.random.Int64N(int64(n.lease/2))))
	c.AllowPreemption = s.random.IntN(2) == 0
	c.HistoryLimit = s.random.IntN(100)
	if s.random.IntN(2) == 0 {
		c.HeartbeatInterval = c.LeaseDuration / 4
	}
	return nil, n.act("other config", func(ctx context.Context) error {
		return n.writeConfig(ctx, func(now *fdbelection.Config) {
			c.ElectionEnabled = now.ElectionEnabled
			*now = c
		})
	})
}

// disable disables the election, and enables it again.
func disable(s *stroke) (func() bool, bool) {
	n := s.nemesis
	enable := func(on bool) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return n.writeConfig(ctx, func(c *fdbelection.Config) { c.ElectionEnabled = on })
		}
	}
	return func() bool { return n.act("enable", enable(true)) }, n.act("disable", enable(false))
}

func requestResign(s *stroke) (func() bool, bool) {
	nonce := draw(s.random)
	return s.request(func(tr kv.Transaction, term uint64) error { return theElection.RequestResign(tr, term, nonce) })
}

func requestTransfer(s *stroke) (func() bool, bool) {
	nonce, to := draw(s.random), s.nemesis.slots[s.random.IntN(workers)].id
	return s.request(func(tr kv.Transaction, term uint64) error { return theElection.RequestTransfer(tr, term, to, nonce) })
}

// request asks the leader of the newest term for something.
func (s *stroke) request(ask func(kv.Transaction, uint64) error) (func() bool, bool) {
	n := s.nemesis
	return nil, n.act("request", func(ctx context.Context) error {
		leader, err := kv.ReadTransact(ctx, n.db, theElection.GetLeaderRaw)
		if err != nil {
			return err
		}
		return n.db.Transact(ctx, func(tr kv.Transaction) error { return ask(tr, leader.Term) })
	})
}

func deleteCandidate(s *stroke) (func() bool, bool) {
	return nil, s.clear(subspace.Tuple{subspace.String("candidates"), subspace.String(s.slot.id)})
}

func deleteLeader(s *stroke) (func() bool, bool) {
	return nil, s.clear(subspace.Tuple{subspace.String("leader")})
}

// clear removes a record of the election, as an operator should not do.
func (s *stroke) clear(name subspace.Tuple) bool {
	key, err := electionSpace.Pack(name)
	if err != nil {
		panic(err) // the names above are valid
	}
	return s.nemesis.act("clear", func(ctx context.Context) error {
		return s.nemesis.db.Transact(ctx, func(tr kv.Transaction) error {
			tr.Clear(key)
			return nil
		})
	})
}

// draw returns a nonce of a stroke.
func draw(random *rand.Rand) (nonce uuid.UUID) {
	for i := range nonce {
		nonce[i] = byte(random.Uint64())
	}
	return nonce
}
