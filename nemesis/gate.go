package main

import (
	"context"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// gate is the way from a worker to the store. It can be cut, lose the answers, or be slow.
type gate struct {
	db kv.Database

	mu      sync.Mutex
	cut     bool          // nothing reaches the store, and no answer comes back
	mute    bool          // only the answers are lost
	delay   time.Duration // of each way
	changed chan struct{} // closed at the next change
}

func newGate(db kv.Database) *gate { return &gate{db: db, changed: make(chan struct{})} }

// set changes the gate.
func (g *gate) set(cut, mute bool, delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut, g.mute, g.delay = cut, mute, delay
	close(g.changed)
	g.changed = make(chan struct{})
}

// pass waits until the gate lets something through, or ctx ends.
func (g *gate) pass(ctx context.Context, answer bool) error {
	for {
		g.mu.Lock()
		blocked, delay, changed := g.cut || answer && g.mute, g.delay, g.changed
		g.mu.Unlock()
		if !blocked {
			return wait(ctx, delay)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait returns after d, or with the error of ctx as soon as that has ended.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	return clock.RealSleep(ctx, d)
}

// through runs call on the other side. If its answer is lost, the outcome of a commit is
// unsettled.
func (g *gate) through(ctx context.Context, commits bool, call func() error) error {
	if err := g.pass(ctx, false); err != nil {
		return kv.Error{Code: kv.CodeTransactionCancelled, Err: err}
	}
	result := call()
	if err := g.pass(ctx, true); err != nil {
		lost := commits && kv.OutcomeOf(result) != kv.NotCommitted
		return kv.Error{Code: kv.CodeTransactionCancelled, Committing: lost, Err: err}
	}
	return result
}

// Transact is that of the database, through the gate.
func (g *gate) Transact(ctx context.Context, fn func(kv.Transaction) error) error {
	return g.through(ctx, true, func() error { return g.db.Transact(ctx, fn) })
}

// ReadTransact is that of the database, through the gate.
func (g *gate) ReadTransact(ctx context.Context, fn func(kv.ReadTransaction) error) error {
	return g.through(ctx, false, func() error { return g.db.ReadTransact(ctx, fn) })
}

// CreateTransaction is that of the database, through the gate.
func (g *gate) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if err := g.pass(ctx, false); err != nil {
		return nil, kv.Error{Code: kv.CodeTransactionCancelled, Err: err}
	}
	tr, err := g.db.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	return &gatedTransaction{tr, g, ctx}, nil
}

type gatedTransaction struct {
	kv.OwnedTransaction
	gate *gate
	ctx  context.Context
}

// Commit is that of the transaction, through the gate.
func (t *gatedTransaction) Commit() error {
	return t.gate.through(t.ctx, true, t.OwnedTransaction.Commit)
}
