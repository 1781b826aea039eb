// Package executor runs the operations of package membership as transactions.
package executor

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
)

// Executor runs operations on one group. It is safe for concurrent use.
type Executor struct {
	Database kv.Database
	Group    *group.Group
	// Now returns the time of the process. Each attempt calls it again.
	Now func() membership.Now
	// NewIncarnation draws the incarnation of an attempt to join.
	NewIncarnation func() uuid.UUID
}

// Run runs an operation until there is an answer or ctx ends. It calls notify before and after
// the commit of each attempt to join or to send a heartbeat. The watch is nil unless the
// operation arms one. The caller must cancel it.
func (e *Executor) Run(ctx context.Context, op membership.Operation, notify func(membership.Event)) (membership.Answer, kv.Watch) {
	var a membership.Answer
	var watch kv.Watch
	var err error
	switch op.Kind {
	case membership.Join, membership.Heartbeat:
		err = e.renew(ctx, op, &a, notify)
	case membership.LeaveGroup:
		err = e.write(ctx, &a, func(tr kv.Transaction) error { return e.leave(tr, op.Sessions) })
	case membership.Scan:
		err = e.read(ctx, &a, func(tr kv.ReadTransaction) (err error) {
			a.Page, err = e.Group.ScanPage(tr, op.From, op.Rows)
			return err
		})
	case membership.Follow:
		watch, err = e.follow(ctx, op, &a)
	case membership.Look:
		err = e.read(ctx, &a, func(tr kv.ReadTransaction) (err error) {
			a.Beats, err = e.Group.ReadBeats(tr, op.IDs...)
			return err
		})
	case membership.Update:
		err = e.write(ctx, &a, func(tr kv.Transaction) error { return e.Group.UpdateMember(tr, op.Member) })
	case membership.Evict:
		err = e.evict(ctx, op, &a)
	case membership.Claim, membership.Release, membership.Remove:
		err = e.batch(ctx, op, &a)
	case membership.Trim:
		err = e.write(ctx, &a, func(tr kv.Transaction) error { return e.Group.Trim(tr, op.UpTo) })
	}
	if err != nil {
		a = membership.Answer{Start: a.Start, Seen: a.Seen, Beat: a.Beat, Config: a.Config, Err: err}
	}
	return a, watch
}

// read runs fn in a read-only transaction and stamps the answer in each attempt.
func (e *Executor) read(ctx context.Context, a *membership.Answer, fn func(kv.ReadTransaction) error) error {
	return e.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		a.Start = e.Now().Local
		err := fn(tr)
		a.Seen = e.Now().Local
		return err
	})
}

// write runs fn in a transaction, stamps the answer in each attempt, and notes the commit
// version.
func (e *Executor) write(ctx context.Context, a *membership.Answer, fn func(kv.Transaction) error) error {
	return e.attempts(ctx, a, func(tr kv.OwnedTransaction, _ int) error {
		err := fn(tr)
		a.Seen = e.Now().Local
		if err != nil {
			return err
		}
		return e.commit(tr, a)
	})
}

// attempts calls one until there is an answer. It resets the answer for each attempt.
func (e *Executor) attempts(ctx context.Context, a *membership.Answer, one func(tr kv.OwnedTransaction, attempt int) error) error {
	tr, err := e.Database.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	defer tr.Cancel()
	for attempt := 1; ; attempt++ {
		*a = membership.Answer{Start: e.Now().Local}
		err := one(tr, attempt)
		if err == nil || kv.OutcomeOf(err) == kv.Unsettled {
			return err
		}
		if err := tr.OnError(err); err != nil {
			return err
		}
	}
}

// commit commits, and notes the version of what was written, or else of what was read.
func (e *Executor) commit(tr kv.OwnedTransaction, a *membership.Answer) error {
	read := tr.GetReadVersion()
	at, err := read.Get()
	if err != nil {
		return err
	}
	if err := tr.Commit(); err != nil {
		return err
	}
	if a.Version, err = tr.GetCommittedVersion(); err != nil {
		return err
	}
	a.Version = max(a.Version, at)
	return nil
}

// renew joins or sends a heartbeat. It notifies of the commit before it is sent and after it is
// answered.
func (e *Executor) renew(ctx context.Context, op membership.Operation, a *membership.Answer, notify func(membership.Event)) error {
	return e.attempts(ctx, a, func(tr kv.OwnedTransaction, attempt int) error {
		config, err := e.renewal(tr, &op, a)
		a.Seen = e.Now().Local
		if config.Revision > 0 {
			a.Config = &config
		}
		if err != nil {
			return err
		}
		notify(membership.AttemptStarting{
			Op: op.ID, Attempt: attempt, Start: a.Start, Incarnation: a.Beat.Incarnation, Lease: a.Beat.Lease, Config: config,
		})
		err = tr.Commit()
		notify(membership.AttemptDone{Op: op.ID, Attempt: attempt, Outcome: kv.OutcomeOf(err)})
		if op.Kind == membership.Join && kv.OutcomeOf(err) == kv.UnknownResult {
			op.Joining.Own = append(slices.Clone(op.Joining.Own), a.Beat.Incarnation)
		}
		return err
	})
}

func (e *Executor) renewal(tr kv.Transaction, op *membership.Operation, a *membership.Answer) (config group.Config, err error) {
	if op.Kind == membership.Heartbeat {
		a.Beat, config, err = e.Group.Heartbeat(tr, op.Me, op.Least, op.Mirror)
		return config, err
	}
	op.Joining.Incarnation = e.NewIncarnation()
	a.Beat, config, err = e.Group.Join(tr, op.Joining)
	return config, err
}

// follow reads the log. If there is no more, it arms the watch in the same transaction.
func (e *Executor) follow(ctx context.Context, op membership.Operation, a *membership.Answer) (kv.Watch, error) {
	if !op.Arm {
		return nil, e.read(ctx, a, func(tr kv.ReadTransaction) (err error) {
			a.Log, err = e.Group.ReadLog(tr, op.After, op.Rows)
			return err
		})
	}
	var watch kv.Watch
	err := e.attempts(ctx, a, func(tr kv.OwnedTransaction, _ int) (err error) {
		if watch != nil {
			watch.Cancel()
			watch = nil
		}
		a.Log, err = e.Group.ReadLog(tr, op.After, op.Rows)
		a.Seen = e.Now().Local
		if err != nil {
			return err
		}
		if !a.Log.More && !a.Log.Trimmed {
			watch, a.Armed = e.Group.Watch(tr), true
		}
		return tr.Commit()
	})
	if err != nil && watch != nil {
		watch.Cancel()
		watch = nil
	}
	return watch, err
}

func (e *Executor) leave(tr kv.Transaction, sessions []election.Identity) error {
	for _, session := range sessions {
		if err := e.Group.Leave(tr, session); err != nil {
			return err
		}
	}
	return nil
}

func (e *Executor) evict(ctx context.Context, op membership.Operation, a *membership.Answer) error {
	unknown := false // an earlier attempt may have evicted it
	return e.attempts(ctx, a, func(tr kv.OwnedTransaction, _ int) (err error) {
		a.Evicted, err = e.Group.Evict(tr, op.Me, op.Seen)
		if a.Seen = e.Now().Local; err == nil && a.Seen.After(op.NotAfter) {
			err = context.DeadlineExceeded
		}
		if err != nil {
			return err
		}
		if !a.Evicted && unknown {
			beats, err := e.Group.ReadBeats(tr, op.Seen.ID)
			if err != nil {
				return err
			}
			a.Evicted = len(beats) == 0
		}
		err = e.commit(tr, a)
		unknown = unknown || kv.OutcomeOf(err) == kv.UnknownResult
		return err
	})
}

// batch claims, releases or removes shards. After a conflict it runs again with fresh reads. After
// a second conflict, or if the batch is too slow or too large, it does only a part of it (rule 9
// of docs/group.md).
func (e *Executor) batch(ctx context.Context, op membership.Operation, a *membership.Answer) error {
	size := max(len(op.Claims), len(op.Releases), len(op.Names))
	conflicts := 0
	halve := func(err error) bool {
		switch kv.CodeOf(err) {
		case kv.CodeNotCommitted:
			conflicts++
			return conflicts > 1
		case kv.CodeTransactionTooOld, kv.CodeTransactionTooLarge, kv.CodeTransactionTimedOut:
			return true
		default:
			return false
		}
	}
	for {
		err := e.attempts(ctx, a, func(tr kv.OwnedTransaction, _ int) (err error) {
			if err = e.part(tr, op, size, a); err == nil {
				err = e.commit(tr, a)
			}
			if err != nil && halve(err) {
				size = max(size/2, 1)
				if kv.CodeOf(err) == kv.CodeTransactionTooLarge && size > 1 {
					return errTooLarge
				}
			}
			return err
		})
		if !errors.Is(err, errTooLarge) {
			return err
		}
	}
}

// errTooLarge ends the attempts with a batch that is too large, which a retry would not fix.
var errTooLarge = errors.New("the batch is too large")

// part does the first size shards of a batch.
func (e *Executor) part(tr kv.Transaction, op membership.Operation, size int, a *membership.Answer) (err error) {
	switch now := e.Now().Wall; op.Kind {
	case membership.Claim:
		a.Outcomes, err = e.Group.Claim(tr, op.Me, op.Claims[:size], now)
	case membership.Release:
		a.Outcomes, err = e.Group.Release(tr, op.Me, op.Releases[:size], now)
	default:
		a.Outcomes, err = e.Group.RemoveShards(tr, op.Names[:size])
	}
	a.Seen = e.Now().Local
	return err
}
