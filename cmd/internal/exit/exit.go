// Package exit holds the exit codes of fdbelect, and the errors that choose them.
package exit

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// The exit codes of the command.
const (
	CodeDone        = 0
	CodeFailure     = 1
	CodeUsage       = 2 // the command line, or the config that it asks for, is wrong
	CodeNotLeader   = 3 // there is no leader, another candidate leads, or the term is another one
	CodeUnreachable = 4 // the store cannot be used now, and a later attempt may succeed
	CodeTimedOut    = 5 // an open store stopped answering, or what the command waited for did not happen
	// CodeDuplicateID: another process is active under the same id. A supervisor must
	// not start this one again. Commands should not end with the same code, so it is
	// none of sysexits.h, of shells or of the codes above.
	CodeDuplicateID = 79
	// CodeInterrupted: a second interrupt ended the command. It is 128 plus SIGINT.
	CodeInterrupted = 130
)

// Code returns the exit code for the error with which a command ended.
func Code(err error) int {
	var (
		usage       *usageError
		permanent   *permanentError
		command     interface{ CommandExitCode() int }
		unreachable *unreachableError
		late        *timeoutError
		store       kv.Error
	)
	switch {
	case err == nil:
		return CodeDone
	case errors.As(err, &usage):
		return CodeUsage
	case errors.As(err, &permanent): // another attempt cannot succeed, so it must not look like an unreachable store
		return CodeFailure
	case errors.Is(err, fdbelection.ErrDuplicateID):
		return CodeDuplicateID
	case errors.As(err, &command):
		return command.CommandExitCode()
	case errors.Is(err, fdbelection.ErrNotLeader), errors.Is(err, fdbelection.ErrFenced):
		return CodeNotLeader
	case errors.As(err, &unreachable): // also if it did not answer in time
		return CodeUnreachable
	case errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return CodeTimedOut
	case errors.As(err, &store):
		return CodeUnreachable
	default:
		return CodeFailure
	}
}

// Usage says that the command line is wrong.
func Usage(err error) error { return &usageError{err} }

// IsUsage reports whether an error says that the command line is wrong.
func IsUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}

// Permanent says that no retry can fix err, an error of a store.
func Permanent(err error) error { return &permanentError{err} }

// Unreachable says that the store cannot be used now. err names the store.
func Unreachable(err error) error { return &unreachableError{err} }

// TimedOut says that what the command waited for did not happen in time. err says
// what the state is now, and what to do.
func TimedOut(err error) error { return &timeoutError{err} }

type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

type timeoutError struct{ err error }

func (e *timeoutError) Error() string { return e.err.Error() }
func (e *timeoutError) Unwrap() error { return e.err }
