package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Explain adds to an error of a transaction what to do about it.
func (x *Access) Explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fdbelection.ErrNotInitialized):
		return &notCreatedError{x}
	case kv.OutcomeOf(err) == kv.Unsettled, kv.OutcomeOf(err) == kv.UnknownResult:
		return fmt.Errorf("store %s did not confirm the change in time: it may have been made or not. Check, and repeat the command if necessary: %w", x.SafeSpec(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return &noAnswerError{fmt.Sprintf("store %s did not answer within %s", x.SafeSpec(), x.Timeout), err}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted while waiting for store %s: %w", x.SafeSpec(), err)
	case errors.Is(err, fdbelection.ErrSharedKeys):
		return ExplainSharedKeys(err)
	case errors.Is(err, fdbelection.ErrInvalidState):
		return records.WithRemedies(err, records.Unchanged)
	default:
		return err
	}
}

// noAnswerError says that a deadline has passed. err is the cause.
type noAnswerError struct {
	text string
	err  error
}

// Error leaves the cause out if it only repeats that the deadline has passed.
func (e *noAnswerError) Error() string {
	bare := kv.Error{Code: kv.CodeTransactionCancelled, Err: context.DeadlineExceeded}
	if cause := e.err.Error(); cause != context.DeadlineExceeded.Error() && cause != bare.Error() {
		return e.text + ": " + cause
	}
	return e.text
}

func (e *noAnswerError) Unwrap() error { return e.err }

// notCreatedError says that the election or the group that the flags name does not exist.
type notCreatedError struct{ access *Access }

func (e *notCreatedError) Error() string {
	x := e.access
	if x.OfGroup {
		return fmt.Sprintf("there is no group %s below %s in store %s; check --group and --root (\"fdbelect list\" shows what is there), or create one with \"fdbelect group create\"",
			election.SafeText(x.Name), election.SafeText(x.Root), x.SafeSpec())
	}
	return fmt.Sprintf("there is no election %s below %s in store %s; check --election and --root (\"fdbelect list\" shows what is there), or create one with \"fdbelect init\"",
		election.SafeText(x.Name), election.SafeText(x.Root), x.SafeSpec())
}

func (e *notCreatedError) Unwrap() error { return fdbelection.ErrNotInitialized }

// ExplainSharedKeys adds to ErrSharedKeys what to do about it.
func ExplainSharedKeys(err error) error {
	return fmt.Errorf("%w; nothing was changed: choose another --election or --root, so that neither path is below the records of the other", err)
}
