package session

import (
	"context"
	"fmt"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// Session is an open store and the election or the group in it that the flags name. Call
// End at the end.
type Session struct {
	Database
	Election *election.LeaderElection // nil: the flags name a group
	Group    *group.Group             // nil: the flags name an election
	Access   *Access
	Program  *Program
}

// OpenElection checks the flags and opens the store. A subcommand that does not create
// elections sets mustExist, so that a typo creates nothing.
func (p *Program) OpenElection(ctx context.Context, x *Access, mustExist bool) (*Session, error) {
	e, err := x.Election()
	if err != nil {
		return nil, err
	}
	s, err := p.OpenStore(ctx, x, mustExist)
	if err == nil {
		s.Election = e
	}
	return s, err
}

// OpenGroup is OpenElection for a group.
func (p *Program) OpenGroup(ctx context.Context, x *Access, mustExist bool) (*Session, error) {
	g, err := x.Group()
	if err != nil {
		return nil, err
	}
	s, err := p.OpenStore(ctx, x, mustExist)
	if err == nil {
		s.Group = g
	}
	return s, err
}

// OpenNamed opens the election or the group that the flags name. The store must exist.
func (p *Program) OpenNamed(ctx context.Context, x *Access) (*Session, error) {
	if x.OfGroup {
		return p.OpenGroup(ctx, x, true)
	}
	return p.OpenElection(ctx, x, true)
}

// OpenStore is OpenElection without an election.
func (p *Program) OpenStore(ctx context.Context, x *Access, mustExist bool) (*Session, error) {
	if x.Timeout <= 0 {
		return nil, exit.Usage(fmt.Errorf("--timeout is %s; it must be above zero", x.Timeout))
	}
	db, err := p.Open(ctx, &x.Place, mustExist, x.Timeout)
	if err != nil {
		return nil, err
	}
	return &Session{Database: db, Access: x, Program: p}, nil
}

// End closes the store. An error does not matter: what was committed is safe.
func (s *Session) End() { _ = s.Close() }

// ReadTransact runs fn in a read transaction, within the timeout.
func ReadTransact[T any](ctx context.Context, s *Session, fn func(tr kv.ReadTransaction) (T, error)) (T, error) {
	ctx, cancel := clock.WithTimeout(ctx, s.Program.Clock, s.Access.Timeout)
	defer cancel()
	value, err := kv.ReadTransact(ctx, s.Database, fn)
	return value, s.Access.Explain(err)
}

// Transact runs fn in a transaction, within the timeout. It runs fn again after a conflict
// or an unknown result, so draw nonces outside of it.
func Transact[T any](ctx context.Context, s *Session, fn func(tr kv.Transaction) (T, error)) (T, error) {
	ctx, cancel := clock.WithTimeout(ctx, s.Program.Clock, s.Access.Timeout)
	defer cancel()
	value, err := kv.Transact(ctx, s.Database, fn)
	return value, s.Access.Explain(err)
}

// ReadOnce opens the store and runs fn in one read transaction. The store must exist.
func ReadOnce[T any](ctx context.Context, p *Program, x *Access, fn func(e *election.LeaderElection, tr kv.ReadTransaction) (T, error)) (T, error) {
	s, err := p.OpenElection(ctx, x, true)
	if err != nil {
		var none T
		return none, err
	}
	defer s.End()
	return ReadTransact(ctx, s, func(tr kv.ReadTransaction) (T, error) { return fn(s.Election, tr) })
}

// TransactOnce is ReadOnce with a transaction that may write.
func TransactOnce[T any](ctx context.Context, p *Program, x *Access, fn func(e *election.LeaderElection, tr kv.Transaction) (T, error)) (T, error) {
	s, err := p.OpenElection(ctx, x, true)
	if err != nil {
		var none T
		return none, err
	}
	defer s.End()
	return Transact(ctx, s, func(tr kv.Transaction) (T, error) { return fn(s.Election, tr) })
}
