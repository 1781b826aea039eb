package kv

import (
	"context"
	"errors"
	"strconv"
)

// Error is an error of an engine. It holds one of FoundationDB's codes and, if
// there is one, the cause: an error of the FoundationDB binding, a context or a
// disk.
type Error struct {
	// Code is FoundationDB's error code.
	Code int
	// Committing reports whether the commit had begun when its wait ended. If so,
	// the outcome of a cancellation (1025), a time limit (1031), an I/O error
	// (1510) or an unknown code is Unsettled.
	Committing bool
	// Err is the cause, or nil. errors.Is and errors.As see it.
	Err error
}

// Error returns the meaning of the code, the code and the cause, without
// repetition. If the end of a context cancelled the transaction, it shows only the
// context's error and the code. A cause with a method Code() int that returns the
// same, known code is omitted.
func (e Error) Error() string {
	code := strconv.Itoa(e.Code)
	c, known := classes[e.Code]
	if !known {
		return withCause("code "+code, e.Err)
	}
	vendor, ok := e.Err.(interface{ Code() int })
	switch {
	case e.Code == CodeTransactionCancelled && (errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded)):
		return e.Err.Error() + " (" + code + ")"
	case ok && vendor.Code() == e.Code:
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

// Is reports whether target is an Error with the same code and no cause. It makes
// errors.Is(err, kv.Error{Code: kv.CodeNotCommitted}) work.
func (e Error) Is(target error) bool {
	t, ok := target.(Error)
	return ok && t.Code == e.Code && t.Err == nil
}

// Retryable reports whether it may help to run the transaction again.
func (e Error) Retryable() bool { return classes[e.Code].retryable }

// MaybeCommitted reports whether the commit may have succeeded despite this error.
func (e Error) MaybeCommitted() bool { return classes[e.Code].maybeCommitted }

// RetryableNotCommitted reports whether the transaction certainly did not commit
// and it may help to run it again.
func (e Error) RetryableNotCommitted() bool { return e.Retryable() && !e.MaybeCommitted() }

// OnErrorRetries reports whether OnError of a usable transaction retries after this
// error.
func (e Error) OnErrorRetries() bool { return classes[e.Code].onErrorRetries }

// Outcome is what is known about the writes of a commit attempt.
type Outcome int

const (
	// Committed means that the writes are in the database.
	Committed Outcome = iota
	// NotCommitted means that the writes are not in the database and never will be.
	NotCommitted
	// UnknownResult means that the transaction has either committed or never will.
	// A later read shows which.
	UnknownResult
	// Unsettled means that the commit may have succeeded or may still succeed
	// later. A read is not enough to find out. First commit a transaction that
	// reads, and adds a write conflict on, a key that the attempt read. After that
	// the attempt can no longer commit, and a read shows whether it did.
	Unsettled
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Committed:
		return "committed"
	case NotCommitted:
		return "not committed"
	case UnknownResult:
		return "unknown result"
	case Unsettled:
		return "unsettled"
	default:
		return "Outcome(" + strconv.Itoa(int(o)) + ")"
	}
}

// Outcome returns what this error says about the attempt it belongs to. If the code
// is unknown and the commit had begun, the outcome is Unsettled.
func (e Error) Outcome() Outcome {
	switch {
	case e.Code == CodeCommitUnknownResult:
		return UnknownResult
	case e.MaybeCommitted():
		return Unsettled
	case !e.Committing:
		return NotCommitted
	}
	switch e.Code {
	case CodeTransactionCancelled, CodeTransactionTimedOut, CodeIOError:
		return Unsettled
	}
	if _, known := classes[e.Code]; !known {
		return Unsettled
	}
	return NotCommitted
}

// OutcomeOf returns the outcome of the commit that failed with err. For an error of
// Transact, it covers all attempts. If err holds no Error, nothing was committed.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Committed
	}
	if e, ok := errors.AsType[Error](err); ok {
		return e.Outcome()
	}
	return NotCommitted
}

// CodeOf returns the code of the Error in err, or 0 if there is none.
func CodeOf(err error) int {
	if e, ok := errors.AsType[Error](err); ok {
		return e.Code
	}
	return 0
}
