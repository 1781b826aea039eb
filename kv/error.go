package kv

import (
	"context"
	"errors"
	"strconv"
)

// Error is how an engine answers: a code of FoundationDB's, and what caused
// it where there is a cause (the binding's own error, a context's, a disk's).
type Error struct {
	// Code is FoundationDB's number.
	Code int
	// Committing says that the commit had begun when the wait for it ended. With
	// it, a cancellation (1025), a time limit (1031) or a code of unknown meaning
	// leaves the fate of the commit open.
	Committing bool
	// Err is the cause, or nil. errors.Is and errors.As see it.
	Err error
}

// Error returns the code, its meaning and the cause, each once: of a transaction
// that the end of a context cancelled only the end of the context, and nothing of
// a cause with a method Code() int that only repeats a known code.
func (e Error) Error() string {
	code := strconv.Itoa(e.Code)
	c, known := classes[e.Code]
	if !known {
		return withCause("code "+code, e.Err)
	}
	vendor, told := e.Err.(interface{ Code() int })
	switch {
	case e.Code == CodeTransactionCancelled && (errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded)):
		return e.Err.Error() + " (" + code + ")"
	case told && vendor.Code() == e.Code:
		return c.text + " (" + code + ")"
	default:
		return withCause(c.text+" ("+code+")", e.Err)
	}
}

func withCause(text string, cause error) string {
	if cause == nil {
		return text
	}
	return text + ": " + cause.Error()
}

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.Err }

// Is reports whether target is an Error of the same code, so that
// errors.Is(err, kv.Error{Code: kv.CodeNotCommitted}) works.
func (e Error) Is(target error) bool {
	t, ok := target.(Error)
	return ok && t.Code == e.Code && t.Err == nil
}

// Retryable reports whether running the transaction again may help.
func (e Error) Retryable() bool { return classes[e.Code].retryable }

// MaybeCommitted reports whether the commit may have succeeded although it
// was answered with this error.
func (e Error) MaybeCommitted() bool { return classes[e.Code].maybeCommitted }

// RetryableNotCommitted reports whether the transaction surely did not commit
// and running it again may help.
func (e Error) RetryableNotCommitted() bool { return e.Retryable() && !e.MaybeCommitted() }

// OnErrorRetries reports whether OnError of a transaction that is in order
// retries after this error.
func (e Error) OnErrorRetries() bool { return classes[e.Code].onErrorRetries }

// Outcome is what is known about the writes of an attempt.
type Outcome int

const (
	// Committed: the writes are there.
	Committed Outcome = iota
	// Absent: the writes are not there and never will be.
	Absent
	// SettledUnknown: the writes are there, or never will be; a read tells.
	SettledUnknown
	// Unsettled: the writes may be there, or may still arrive. Not even a read
	// tells, until a transaction that reads and write-conflicts on a key that the
	// attempt read has committed.
	Unsettled
)

// String returns the name of the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Committed:
		return "committed"
	case Absent:
		return "not committed"
	case SettledUnknown:
		return "settled, unknown"
	case Unsettled:
		return "unsettled"
	default:
		return "Outcome(" + strconv.Itoa(int(o)) + ")"
	}
}

// Outcome tells what this error says of the attempt it answered. A code that
// is not known, from a commit that had begun, counts as unsettled.
func (e Error) Outcome() Outcome {
	switch {
	case e.Code == CodeCommitUnknownResult:
		return SettledUnknown
	case e.MaybeCommitted():
		return Unsettled
	case !e.Committing:
		return Absent
	}
	switch e.Code {
	case CodeTransactionCancelled, CodeTransactionTimedOut, CodeIOError:
		return Unsettled
	}
	if _, known := classes[e.Code]; !known {
		return Unsettled
	}
	return Absent
}

// OutcomeOf tells what the error of a commit says of its attempt, and that of a
// whole Transact of all of its attempts. Without an Error in it nothing was ever
// committed.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Committed
	}
	if e, ok := errors.AsType[Error](err); ok {
		return e.Outcome()
	}
	return Absent
}

// CodeOf returns the code of the Error in err, or 0 where there is none.
func CodeOf(err error) int {
	if e, ok := errors.AsType[Error](err); ok {
		return e.Code
	}
	return 0
}
