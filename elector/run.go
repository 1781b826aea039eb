package elector

import (
	"context"
	"errors"
	"slices"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// Run campaigns, runs work while this process leads, and campaigns again after
// each loss, until ctx ends. Then it leaves: the work stops, the seat is given up
// and the candidate removed.
//
// work runs in the goroutine of the caller, once for each tenure and never twice
// at a time. Its context ends when leadership does, for whatever reason; the lease
// is renewed until work has returned, or its time is over (see Leadership.LeaseContext),
// and only then is the seat given up. So work returns soon after its context has
// ended, and undoes before that what must not outlive it. Work that has not
// returned Options.DrainLimit after the end of its lease is reported once, as an
// UnfinishedWorkError: this process does not lead again before it returns.
//
// Where work returns although nothing asked it to, the seat is given up, others go
// first, and Run campaigns again, after a heartbeat at the soonest. If it returned an
// error, Run reports that as a WorkError and holds off: it claims and challenges
// nothing for one lease after the first failure, and for twice as long after each one
// in a row, up to 32 leases. The row ends with work that returns without an error, and
// with a tenure that lasts for 32 leases. ClusterState shows both the failures and the
// hold-off. An error that work returns after it was asked to stop is reported too, with
// WorkError.Stopping, and has no other consequence. With ErrDone Run leaves and returns
// nil. A panic of work passes through Run, which then leaves in the background.
//
// Run returns nil when it has left in order, else *LeaveError or why it could not
// go on; ErrRunning where the elector is in use.
func (e *Elector) Run(ctx context.Context, work func(ctx context.Context, lead *Leadership) error) error {
	s, err := e.open(ctx, working, machine.Campaign)
	if err != nil {
		return err
	}
	return s.run(ctx, work)
}

// run works on one tenure after the other, until the session is over.
func (s *session) run(ctx context.Context, work func(context.Context, *Leadership) error) error {
	for {
		select {
		case lead := <-s.tenures:
			s.work(ctx, lead, work)
		case <-s.done:
			return s.wait(context.WithoutCancel(ctx))
		}
	}
}

// work runs the work of one tenure.
func (s *session) work(ctx context.Context, lead *Leadership, work func(context.Context, *Leadership) error) {
	returned := false
	defer func() {
		if !returned { // it panics: what is renewed for it would never end
			s.post(machine.Leave{})
			lead.end(nil)
		}
	}()
	err := work(lead.ctx, lead)
	returned = true
	failed := &WorkError{Term: lead.Term(), Err: err, Stopping: lead.ctx.Err() != nil || ctx.Err() != nil}
	switch {
	case errors.Is(err, ErrDone):
		s.post(machine.Leave{})
		err = nil
	case failed.Stopping:
		if err != nil && !saysNoMore(err, context.Cause(lead.ctx), context.Cause(ctx)) {
			s.reportWork(failed)
		}
		err = nil // which has no consequence
	case err != nil:
		s.reportWork(failed)
	}
	lead.end(err)
}

func (s *session) reportWork(err *WorkError) {
	s.log().Warn("the work has failed", "term", err.Term, "stopping", err.Stopping, "error", lineError{err.Err})
	s.elector.report(err)
}

// saysNoMore reports whether an error of work that was asked to stop says no more than
// that: every error in its tree wraps the end of a context or the end of leadership.
func saysNoMore(err error, causes ...error) bool {
	ends := []error{context.Canceled, context.DeadlineExceeded, fdbelection.ErrNotLeader, fdbelection.ErrFenced}
	for _, end := range append(ends, causes...) {
		if end != nil && err == end { //nolint:errorlint // errors.Is would look past what it is joined with
			return true
		}
	}
	switch wrapped := err.(type) { //nolint:errorlint // it walks the tree itself
	case interface{ Unwrap() error }:
		inner := wrapped.Unwrap()
		return inner != nil && saysNoMore(inner, causes...)
	case interface{ Unwrap() []error }:
		all := wrapped.Unwrap()
		return len(all) > 0 && !slices.ContainsFunc(all, func(e error) bool { return !saysNoMore(e, causes...) })
	}
	return false
}
