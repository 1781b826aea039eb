package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// access holds the flags that say where an election is, and how long to wait
// for its store.
type Access struct {
	Place
	Timeout time.Duration
}

const (
	DefaultTimeout = 5 * time.Second
	TimeoutUsage   = "how long to wait for the store"
)

func (x *Access) addFlags(cmd *cobra.Command) {
	x.AddFlagsWith(cmd, DefaultTimeout, TimeoutUsage)
}

// addFlagsWith is addFlags for a subcommand that waits for more than the store.
func (x *Access) AddFlagsWith(cmd *cobra.Command, timeout time.Duration, meaning string) {
	x.Place.AddFlags(cmd)
	x.AddTimeoutFlag(cmd, timeout, meaning)
}

func (x *Access) AddTimeoutFlag(cmd *cobra.Command, timeout time.Duration, meaning string) {
	cmd.Flags().DurationVar(&x.Timeout, "timeout", timeout, meaning)
}

// reading holds the flags of the subcommands that report something.
type Report struct {
	Access
	Output output.Format
}

func (r *Report) AddFlags(cmd *cobra.Command) {
	r.Access.addFlags(cmd)
	r.Output.AddFlag(cmd)
}

// session is an open store, and the election in it that the flags name. Close
// it.
type Session struct {
	Database
	Election *election.LeaderElection
	Access   *Access
	Program  *Program
}

// enter checks the flags and opens the store. What does not make an election
// sets mustExist, so that a typo creates nothing.
func (a *Program) OpenElection(ctx context.Context, x *Access, mustExist bool) (*Session, error) {
	e, err := x.Election()
	if err != nil {
		return nil, err
	}
	s, err := a.OpenStore(ctx, x, mustExist)
	if err == nil {
		s.Election = e
	}
	return s, err
}

// enterStore is enter without an election.
func (a *Program) OpenStore(ctx context.Context, x *Access, mustExist bool) (*Session, error) {
	if x.Timeout <= 0 {
		return nil, exit.Usage(fmt.Errorf("--timeout is %s; it has to be above zero", x.Timeout))
	}
	db, err := a.Open(ctx, &x.Place, mustExist, x.Timeout)
	if err != nil {
		return nil, err
	}
	return &Session{Database: db, Access: x, Program: a}, nil
}

// close closes the store. What was committed is safe without it.
func (s *Session) End() { _ = s.Close() }

// look runs fn in a read transaction, within the timeout.
func ReadTransact[T any](ctx context.Context, s *Session, fn func(tr kv.ReadTransaction) (T, error)) (T, error) {
	ctx, cancel := clock.WithTimeout(ctx, s.Program.Clock, s.Access.Timeout)
	defer cancel()
	value, err := kv.ReadTransact(ctx, s.Database, fn)
	return value, s.Access.Explain(err)
}

// act runs fn in a transaction, within the timeout, and again after a conflict or
// an unknown commit: draw nonces outside of it.
func Transact[T any](ctx context.Context, s *Session, fn func(tr kv.Transaction) (T, error)) (T, error) {
	ctx, cancel := clock.WithTimeout(ctx, s.Program.Clock, s.Access.Timeout)
	defer cancel()
	value, err := kv.Transact(ctx, s.Database, fn)
	return value, s.Access.Explain(err)
}

// read runs fn in one read transaction on the election that the flags name.
// The store must be there: reading creates nothing.
func ReadOnce[T any](ctx context.Context, a *Program, x *Access, fn func(e *election.LeaderElection, tr kv.ReadTransaction) (T, error)) (T, error) {
	s, err := a.OpenElection(ctx, x, true)
	if err != nil {
		var none T
		return none, err
	}
	defer s.End()
	return ReadTransact(ctx, s, func(tr kv.ReadTransaction) (T, error) { return fn(s.Election, tr) })
}

// change is read in a transaction that may write.
func TransactOnce[T any](ctx context.Context, a *Program, x *Access, fn func(e *election.LeaderElection, tr kv.Transaction) (T, error)) (T, error) {
	s, err := a.OpenElection(ctx, x, true)
	if err != nil {
		var none T
		return none, err
	}
	defer s.End()
	return Transact(ctx, s, func(tr kv.Transaction) (T, error) { return fn(s.Election, tr) })
}

// explain adds to an error of a transaction what can be done about it.
func (x *Access) Explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fdbelection.ErrNotInitialized):
		return &noElectionError{x}
	case kv.OutcomeOf(err) == kv.Unsettled, kv.OutcomeOf(err) == kv.UnknownResult:
		return fmt.Errorf("store %s did not confirm the change in time, which may still be made: look, and repeat the command if need be: %w", x.SafeSpec(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return &noAnswerError{fmt.Sprintf("store %s did not answer within %s", x.SafeSpec(), x.Timeout), err}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted while store %s was asked: %w", x.SafeSpec(), err)
	case errors.Is(err, fdbelection.ErrSharedKeys):
		return ExplainSharedKeys(err)
	case errors.Is(err, fdbelection.ErrInvalidState):
		return records.WithRemedies(err, records.Unchanged)
	default:
		return err
	}
}

// noAnswerError says that a deadline has passed, and has err as its cause.
type noAnswerError struct {
	text string
	err  error
}

// Error leaves the cause out if that says no more than the deadline.
func (e *noAnswerError) Error() string {
	bare := kv.Error{Code: kv.CodeTransactionCancelled, Err: context.DeadlineExceeded}
	if cause := e.err.Error(); cause != context.DeadlineExceeded.Error() && cause != bare.Error() {
		return e.text + ": " + cause
	}
	return e.text
}

func (e *noAnswerError) Unwrap() error { return e.err }

// noElectionError says that the election that the flags name was not made.
type noElectionError struct{ access *Access }

func (e *noElectionError) Error() string {
	x := e.access
	return fmt.Sprintf("there is no election %s below %s in store %s; check --election and --root (\"fdbelect list\" shows what is there), or make one with \"fdbelect init\"",
		election.SafeText(x.Name), election.SafeText(x.Root), x.SafeSpec())
}

func (e *noElectionError) Unwrap() error { return fdbelection.ErrNotInitialized }
