package cli

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// The exit codes of the command.
const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2 // the command line or the config it asks for is wrong
	exitNotLeader   = 3 // nobody leads, or another does, or another term stands
	exitUnreachable = 4 // the store cannot be used now, and a later attempt may succeed
	exitTimedOut    = 5 // an open store stopped answering, or what was waited for did not come
	// exitDuplicate: another process is active under the same id. A supervisor must
	// not start this one again, so commands should not end with the same code: it is
	// none of sysexits.h, of shells or of the codes above.
	exitDuplicate = 79
	// exitInterrupted: a second interrupt ended the command, as 128 and SIGINT say.
	exitInterrupted = 130
)

// ExitCode returns the exit code of the process after Exec.
func ExitCode(err error) int {
	var (
		wrong *usageError
		late  *timeoutError
		ended interface{ CommandExitCode() int }
		store *storeError
		inner kv.Error
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &wrong):
		return exitUsage
	case permanent(err): // another attempt cannot succeed, so it must not look like an unreachable store
		return exitFailure
	case errors.Is(err, fdbelection.ErrDuplicateID):
		return exitDuplicate
	case errors.As(err, &ended):
		return ended.CommandExitCode()
	case errors.Is(err, fdbelection.ErrNotLeader), errors.Is(err, fdbelection.ErrFenced):
		return exitNotLeader
	case errors.As(err, &store): // also if it did not answer in time
		return exitUnreachable
	case errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return exitTimedOut
	case errors.As(err, &inner):
		return exitUnreachable
	default:
		return exitFailure
	}
}

// usageError says that the command line is wrong.
type usageError struct{ err error }

func usage(err error) error { return &usageError{err} }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// storeError says that the store cannot be used. The error in it names the
// store.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// timeoutError says that what was asked for did not come about in time. The
// error in it says how things stand, and what to do.
type timeoutError struct{ err error }

func timedOut(err error) error { return &timeoutError{err} }

func (e *timeoutError) Error() string { return e.err.Error() }
func (e *timeoutError) Unwrap() error { return e.err }
