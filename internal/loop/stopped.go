package loop

import (
	"context"
	"slices"

	"github.com/fdbelection/fdbelection"
)

// OnlyStopped reports whether an error of work says only that it was stopped: every error
// in its tree wraps the end of a context or the end of leadership.
func OnlyStopped(err error, causes ...error) bool {
	ends := []error{context.Canceled, context.DeadlineExceeded, fdbelection.ErrNotLeader, fdbelection.ErrFenced}
	for _, end := range append(ends, causes...) {
		if end != nil && err == end { //nolint:errorlint // errors.Is would ignore the errors that it is joined with
			return true
		}
	}
	switch wrapped := err.(type) { //nolint:errorlint // it walks the tree itself
	case interface{ Unwrap() error }:
		inner := wrapped.Unwrap()
		return inner != nil && OnlyStopped(inner, causes...)
	case interface{ Unwrap() []error }:
		all := wrapped.Unwrap()
		return len(all) > 0 && !slices.ContainsFunc(all, func(e error) bool { return !OnlyStopped(e, causes...) })
	}
	return false
}
