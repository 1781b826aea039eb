package cli

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection/elector"
)

// observe follows the election until ctx ends, and runs the command on every change.
func observe(ctx context.Context, a *program, f *runFlags) (err error) {
	e, err := f.resolve()
	if err != nil {
		return err
	}
	if err := f.checkCommand(); err != nil {
		return err
	}
	a.endItself()
	defer surviveClosedPipes()()
	log := newRunLog(a, f)
	defer func() { err = log.end(err) }()
	db, err := a.open(ctx, &f.place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it has written nothing

	account := &account{log: log.Logger}
	el, err := elector.New(db, e, elector.Options{
		Clock: a.clock, Permanent: func(err error) bool { return hopeless(a, err) }, Callbacks: elector.Callbacks{OnStoreError: account.callbacks().OnStoreError}, Logger: log.ofElector(),
	})
	if err != nil {
		return err
	}
	signals, done := passOn()
	defer done()
	o := &observer{
		child: child{
			argv: f.command, place: f.variables(), stdout: a.stdout, stderr: a.stderr, clock: a.clock,
			signals: signals, forced: a.forced, log: log.Logger,
		},
		preStop: f.preStop,
		changed: func(l elector.LeaderInfo) { account.leaderChanged(elector.StateObserver, l.LeaderRecord) },
	}
	defer leaveAtOnce(ctx, a, log.Logger, el.Abandon)()
	killed := o.watch(ctx, el.Subscribe(ctx))
	return errors.Join(killed, el.Stop(context.WithoutCancel(ctx)))
}
