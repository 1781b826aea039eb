package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// access holds the flags that say where an election is, and how long to wait
// for its store.
type access struct {
	place
	timeout time.Duration
}

const (
	storeTimeout        = 5 * time.Second
	storeTimeoutMeaning = "how long to wait for the store"
)

func (x *access) addFlags(cmd *cobra.Command) {
	x.addFlagsWith(cmd, storeTimeout, storeTimeoutMeaning)
}

// addFlagsWith is addFlags for a subcommand that waits for more than the store.
func (x *access) addFlagsWith(cmd *cobra.Command, timeout time.Duration, meaning string) {
	x.place.addFlags(cmd)
	x.addTimeoutFlag(cmd, timeout, meaning)
}

func (x *access) addTimeoutFlag(cmd *cobra.Command, timeout time.Duration, meaning string) {
	cmd.Flags().DurationVar(&x.timeout, "timeout", timeout, meaning)
}

// reading holds the flags of the subcommands that report something.
type reading struct {
	access
	output format
}

func (r *reading) addFlags(cmd *cobra.Command) {
	r.access.addFlags(cmd)
	r.output.addFlag(cmd)
}

// session is an open store, and the election in it that the flags name. Close
// it.
type session struct {
	store
	election *election.LeaderElection
	access   *access
	program  *program
}

// enter checks the flags and opens the store. What does not make an election
// sets mustExist, so that a typo creates nothing.
func (a *program) enter(ctx context.Context, x *access, mustExist bool) (*session, error) {
	e, err := x.resolve()
	if err != nil {
		return nil, err
	}
	s, err := a.enterStore(ctx, x, mustExist)
	if err == nil {
		s.election = e
	}
	return s, err
}

// enterStore is enter without an election.
func (a *program) enterStore(ctx context.Context, x *access, mustExist bool) (*session, error) {
	if x.timeout <= 0 {
		return nil, usage(fmt.Errorf("--timeout is %s; it has to be above zero", x.timeout))
	}
	db, err := a.open(ctx, &x.place, mustExist, x.timeout)
	if err != nil {
		return nil, err
	}
	return &session{store: db, access: x, program: a}, nil
}

// close closes the store. What was committed is safe without it.
func (s *session) close() { _ = s.Close() }

// look runs fn in a read transaction, within the timeout.
func look[T any](ctx context.Context, s *session, fn func(tr kv.ReadTransaction) (T, error)) (T, error) {
	ctx, cancel := clock.WithTimeout(ctx, s.program.clock, s.access.timeout)
	defer cancel()
	value, err := kv.ReadTransact(ctx, s.Database, fn)
	return value, s.access.explain(err)
}

// act runs fn in a transaction, within the timeout, and again after a conflict or
// an unknown commit: draw nonces outside of it.
func act[T any](ctx context.Context, s *session, fn func(tr kv.Transaction) (T, error)) (T, error) {
	ctx, cancel := clock.WithTimeout(ctx, s.program.clock, s.access.timeout)
	defer cancel()
	value, err := kv.Transact(ctx, s.Database, fn)
	return value, s.access.explain(err)
}

// read runs fn in one read transaction on the election that the flags name.
// The store must be there: reading creates nothing.
func read[T any](ctx context.Context, a *program, x *access, fn func(e *election.LeaderElection, tr kv.ReadTransaction) (T, error)) (T, error) {
	s, err := a.enter(ctx, x, true)
	if err != nil {
		var none T
		return none, err
	}
	defer s.close()
	return look(ctx, s, func(tr kv.ReadTransaction) (T, error) { return fn(s.election, tr) })
}

// change is read in a transaction that may write.
func change[T any](ctx context.Context, a *program, x *access, fn func(e *election.LeaderElection, tr kv.Transaction) (T, error)) (T, error) {
	s, err := a.enter(ctx, x, true)
	if err != nil {
		var none T
		return none, err
	}
	defer s.close()
	return act(ctx, s, func(tr kv.Transaction) (T, error) { return fn(s.election, tr) })
}

// explain adds to an error of a transaction what can be done about it.
func (x *access) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fdbelection.ErrNotInitialized):
		return &noElectionError{x}
	case kv.OutcomeOf(err) == kv.Unsettled, kv.OutcomeOf(err) == kv.UnknownResult:
		return fmt.Errorf("store %s did not confirm the change in time, which may still be made: look, and repeat the command if need be: %w", x.safe(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return &noAnswerError{fmt.Sprintf("store %s did not answer within %s", x.safe(), x.timeout), err}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted while store %s was asked: %w", x.safe(), err)
	case errors.Is(err, fdbelection.ErrSharedKeys):
		return explainShared(err)
	case errors.Is(err, fdbelection.ErrInvalidState):
		return withRemedies(err, unchangedRecords)
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
type noElectionError struct{ access *access }

func (e *noElectionError) Error() string {
	x := e.access
	return fmt.Sprintf("there is no election %s below %s in store %s; check --election and --root (\"fdbelect list\" shows what is there), or make one with \"fdbelect init\"",
		election.SafeText(x.name), election.SafeText(x.root), x.safe())
}

func (e *noElectionError) Unwrap() error { return fdbelection.ErrNotInitialized }
