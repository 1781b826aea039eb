package run

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
	"github.com/fdbelection/fdbelection/elector"
)

// observe follows the election until ctx ends, and runs the command on every change.
func observe(ctx context.Context, a *session.Program, f *runFlags) (err error) {
	e, err := f.Election()
	if err != nil {
		return err
	}
	if err := f.checkCommand(); err != nil {
		return err
	}
	a.EndItself()
	defer supervise.SurviveClosedPipes()()
	log := newRunLog(a, f)
	defer func() { err = log.end(err) }()
	db, err := a.Open(ctx, &f.Place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it has written nothing

	account := &account{log: log.Logger}
	el, err := elector.New(db, e, elector.Options{
		Clock: a.Clock, Permanent: func(err error) bool { return hopeless(a, err) }, Callbacks: elector.Callbacks{OnStoreError: account.callbacks().OnStoreError}, Logger: log.ofElector(),
	})
	if err != nil {
		return err
	}
	signals, done := supervise.ForwardedSignals()
	defer done()
	o := &supervise.Observer{
		Command: supervise.Command{
			Args: f.command, Env: f.variables(), Stdout: a.Stdout, Stderr: a.Stderr, Clock: a.Clock,
			Signals: signals, Forced: a.Forced, Log: log.Logger,
		},
		PreStop: f.preStop,
		Changed: func(l elector.LeaderInfo) { account.leaderChanged(elector.StateObserver, l.LeaderRecord) },
	}
	defer leaveAtOnce(ctx, a, log.Logger, el.Abandon)()
	killed := o.Watch(ctx, el.Subscribe(ctx))
	return errors.Join(killed, el.Stop(context.WithoutCancel(ctx)))
}
