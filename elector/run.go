package elector

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// Run campaigns, calls work while this process leads, and campaigns again after each
// loss, until ctx ends. Then the work is stopped, leadership is released and the
// candidate is unregistered.
//
// work runs in the caller's goroutine, once for each tenure and never twice at a time.
// Its context ends when the process stops leading. The lease is renewed until work has
// returned or its time to stop has passed, see Leadership.LeaseContext. Only then is
// leadership released. So let work return soon after its context has ended, and let it
// undo before that what must not outlast it. If work has not returned
// Options.DrainLimit after the end of its lease, that is reported once as an
// UnfinishedWorkError. The process cannot lead again before work returns.
//
// If work returns although nothing asked it to stop, leadership is released, candidates of
// lower rank may claim first, and Run campaigns again after one heartbeat interval at the
// earliest. If work returned an error, Run reports it as a WorkError and holds off: the
// process neither claims nor preempts for one lease after the first failure, and for twice
// as long after each further failure in a row, up to 32 leases. Work that returns without
// an error ends the row, and so does a tenure of 32 leases. ClusterState shows the failures
// and the hold-off. An error of work that was asked to stop is reported too, with
// WorkError.Stopping set, and has no other effect.
//
// If work returns ErrDone, Run leaves the election and returns nil. A panic of work
// passes through Run, and the elector leaves in the background.
//
// Run returns nil if it has left in order, and otherwise a *LeaveError, a *HandOverError (see
// StopAndHandOver) or why the elector had to stop. It returns ErrRunning if the elector is in use.
func (e *Elector) Run(ctx context.Context, work func(ctx context.Context, lead *Leadership) error) error {
	s, err := e.open(ctx, working, machine.Campaign)
	if err != nil {
		return err
	}
	return s.workUntilDone(ctx, work)
}

// workUntilDone runs work for one tenure after the other until the session is over.
func (s *session) workUntilDone(ctx context.Context, work func(context.Context, *Leadership) error) error {
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
		if !returned { // work panics: without this the lease would be renewed for ever
			s.post(machine.Leave{})
			lead.workReturned(nil)
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
		if err != nil && !loop.OnlyStopped(err, context.Cause(lead.ctx), context.Cause(ctx)) {
			s.reportWork(failed)
		}
		err = nil // it has no other effect
	case err != nil:
		s.reportWork(failed)
	}
	lead.workReturned(err)
}
