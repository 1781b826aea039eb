package elector

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// Fence makes tr commit only if this tenure is the newest one. Otherwise it returns
// fdbelection.ErrFenced, see election.LeaderElection.RequireLeadership. Call it in every
// transaction that writes on the authority of leadership, or use Transact.
func (l *Leadership) Fence(tr kv.Transaction) error {
	e := l.session.elector
	err := e.election.RequireLeadership(tr, l.Token())
	if errors.Is(err, fdbelection.ErrFenced) {
		e.counts.fenced.Add(1)
	}
	return err
}

// Transact runs fn in a transaction of the elector's database that commits only if this
// tenure is the newest one. It retries like kv.Database.Transact and calls Fence in every
// attempt before fn. It returns fdbelection.ErrFenced if the tenure is over: another one
// has begun, or this one was handed over or resigned. Clocks take no part in that. Pass
// Context or LeaseContext as ctx, so that the transaction ends with the tenure.
//
// fn must be idempotent. It runs again after an attempt whose result is unknown, which
// may have committed. That attempt cannot be taken back, even if a later one is fenced.
// So an error means that nothing was written only if kv.OutcomeOf(err) is
// kv.NotCommitted. If it is kv.UnknownResult, read to see whether the writes are there.
// If it is kv.Unsettled, the writes may still arrive, and a read is not enough. They can
// no longer arrive once a newer term has begun.
//
// A transaction in which fn writes nothing is not fenced, because the store does not check
// it for conflicts.
func (l *Leadership) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	return l.session.elector.db.Transact(ctx, func(tr kv.Transaction) error {
		if err := l.Fence(tr); err != nil {
			return err
		}
		return fn(tr)
	})
}
