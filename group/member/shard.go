package member

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/kv"
)

// Shard is one tenure of one shard in this process. Its methods are safe for concurrent use.
// Only Transact does I/O.
type Shard struct {
	token   group.Token
	session *session
	ctx     shardContext // while the process leads the shard
	lease   shardContext // while its work may use the lease
	loss    atomic.Pointer[LossError]
}

// shardContext ends when it is canceled, or with a context of the session. Its Err compares
// the clock.
type shardContext struct {
	context.Context
	session *loop.DeadlineContext
	cancel  context.CancelCauseFunc
}

func newShardContext(session *loop.DeadlineContext) shardContext {
	ctx, cancel := context.WithCancelCause(session)
	return shardContext{ctx, session, cancel}
}

// Err returns nil until the context is ended or the deadline of the session has passed.
func (c shardContext) Err() error {
	_ = c.session.Err()
	return c.Context.Err()
}

// Name returns the name of the shard.
func (s *Shard) Name() string { return s.token.Shard }

// Token returns the fencing token of the tenure.
func (s *Shard) Token() group.Token { return s.token }

// Term returns the number of the tenure. It is the fencing token for systems outside the
// database, which refuse a lower number than the highest they have seen for this shard.
func (s *Shard) Term() uint64 { return s.token.Term }

// Context ends when the process stops leading the shard. The cause is a *LossError. Stop the work
// then. Err compares the clock at each call, so a process that was suspended sees the end at once.
func (s *Shard) Context() context.Context { return s.ctx }

// LeaseContext ends when nothing may be done any more on the authority of this tenure. It
// outlasts Context by the time that is left to finish: the drain limit if the shard is to be
// released, a fifth of the lease if the session could not be renewed, and nothing if it has
// ended.
func (s *Shard) LeaseContext() context.Context { return s.lease }

// Leads reports whether the process leads the shard in this tenure now, by its own clock. It is
// false while the work drains.
func (s *Shard) Leads() bool { return s.ctx.Err() == nil }

// Fence makes the commit of a transaction depend on this tenure, see group.RequireLeadership.
func (s *Shard) Fence(tr kv.Transaction) error {
	return s.session.member.group.RequireLeadership(tr, s.token)
}

// Transact runs fn in a fenced transaction, as elector.Leadership.Transact does. Pass Context or
// LeaseContext as ctx, so that the transaction ends with the tenure. fn must be idempotent.
func (s *Shard) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	return s.session.member.db.Transact(ctx, func(tr kv.Transaction) error {
		if err := s.Fence(tr); err != nil {
			return err
		}
		return fn(tr)
	})
}

// end ends the leadership of the shard, and of its lease too if expired.
func (s *Shard) end(reason group.Reason, expired bool) {
	loss := &LossError{Shard: s.token.Shard, Term: s.token.Term, Reason: reason}
	if !s.loss.CompareAndSwap(nil, loss) {
		loss = s.loss.Load()
	}
	s.ctx.cancel(loss)
	if expired {
		s.lease.cancel(loss)
	}
}

// LossError says why a process does not lead a shard any more. It matches
// fdbelection.ErrNotLeader.
type LossError struct {
	// Shard and Term are those of the tenure. They are empty if the deadline of the session has
	// passed, which ends all tenures.
	Shard  string
	Term   uint64
	Reason group.Reason
}

// Error names the shard, the term and the reason.
func (e *LossError) Error() string {
	if e.Shard == "" {
		return fmt.Sprintf("leadership of all shards is over: %s", e.Reason)
	}
	return fmt.Sprintf("leadership of %s in term %d is over: %s", election.SafeText(e.Shard), e.Term, e.Reason)
}

// Unwrap returns fdbelection.ErrNotLeader.
func (e *LossError) Unwrap() error { return fdbelection.ErrNotLeader }

// WorkError reports that work on a shard, or OnAcquire, has returned an error.
type WorkError struct {
	Shard string
	Term  uint64
	Err   error
	// Stopping is true if the work had been asked to stop. The error has no other effect then.
	Stopping bool
}

// Error names the shard and the term.
func (e *WorkError) Error() string {
	return fmt.Sprintf("work on %s in term %d: %v", election.SafeText(e.Shard), e.Term, e.Err)
}

// Unwrap returns Err.
func (e *WorkError) Unwrap() error { return e.Err }

// UnfinishedWorkError reports work on a shard that may still run although its lease has ended. This
// process cannot lead the shard again before the work returns.
type UnfinishedWorkError struct {
	Shard string
	Term  uint64
	// Since is when the lease ended, on the wall clock.
	Since time.Time
}

// Error names the shard and the term.
func (e *UnfinishedWorkError) Error() string {
	return fmt.Sprintf("work on %s in term %d has not returned although its lease has ended: "+
		"this process cannot lead the shard again before the work returns", election.SafeText(e.Shard), e.Term)
}
