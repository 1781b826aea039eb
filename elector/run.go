package elector

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection/elector/machine"
)

// Run campaigns, runs work while this process leads, and campaigns again after
// each loss, until ctx ends. Then it leaves: the work stops, the seat is given up
// and the candidate removed.
//
// work runs in the goroutine of the caller, once for each tenure and never twice
// at a time. Its context ends when leadership does, for whatever reason; the lease
// is renewed until work has returned, or its time is over (see Leadership.Lease),
// and only then is the seat given up. So work returns soon after its context has
// ended, and undoes before that what must not outlive it. Work that has not
// returned Options.DrainLimit after the end of its lease is reported once, as an
// UnfinishedError: this process does not lead again before it returns.
//
// Where work returns although nothing asked it to, the seat is given up, others go
// first, and Run campaigns again, after a heartbeat at the soonest. If it returned an
// error, Run reports that as a WorkError and holds off: it claims and challenges
// nothing for one lease after the first failure, and for twice as long after each one
// in a row, up to 32 leases. The row ends with work that returns without an error, and
// with a tenure that lasts for 32 leases. ClusterState shows both the failures and the
// hold-off. With ErrDone Run leaves and returns nil. A panic of work passes through Run,
// which then leaves in the background.
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
	asked := lead.ctx.Err() != nil
	switch {
	case errors.Is(err, ErrDone):
		s.post(machine.Leave{})
		err = nil
	case asked || ctx.Err() != nil:
		err = nil // what it says when it was asked to stop is no failure
	case err != nil:
		s.log().Warn("the work has failed", "term", lead.Term(), "error", err)
		s.elector.report(&WorkError{Term: lead.Term(), Err: err})
	}
	lead.end(err)
}
