package run

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/fdbelection/fdbelection/cmd/internal/notify"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
	"github.com/fdbelection/fdbelection/elector"
)

// observe subscribes to the election until ctx ends, and runs the command on every change.
func observe(ctx context.Context, p *session.Program, f *runFlags) (err error) {
	manager := notify.FromEnvironment(p.Clock)
	e, err := f.Election()
	if err != nil {
		return err
	}
	if err := f.checkCommand(); err != nil {
		return err
	}
	p.EndItself()
	defer supervise.SurviveClosedPipes()()
	log := newRunLog(p, f.log, "election", f.Name)
	defer func() { err = log.end("run failed", err) }()
	db, err := p.Open(ctx, &f.Place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // nothing was written

	transitions := &transitionLog{log: log.Logger}
	el, err := elector.New(db, e, elector.Options{
		Clock: p.Clock, Permanent: func(err error) bool { return fatal(p, err) }, Callbacks: elector.Callbacks{OnStoreError: transitions.callbacks().OnStoreError}, Logger: log.ofElector(),
	})
	if err != nil {
		return err
	}
	collectors, err := f.allMetrics(p, db, log.Logger)
	if err != nil {
		return err
	}
	stop, err := f.serveMetrics(ctx, collectors, el, log.Logger)
	if err != nil {
		return err
	}
	defer stop()
	var known atomic.Bool
	defer f.tell(ctx, manager, log.Logger, el, func() (string, bool) { return roleOf(el), known.Load() })()
	signals, done := supervise.ForwardedSignals()
	defer done()
	o := &supervise.Subscriber{
		Command: supervise.Command{
			Args: f.command, Env: f.variables(), Stdout: p.Stdout, Stderr: p.Stderr, Clock: p.Clock,
			Signals: signals, Forced: p.Forced, Log: log.Logger,
		},
		PreStop: f.preStop,
		Changed: func(l elector.LeaderInfo) {
			known.Store(true)
			transitions.subscribed(l.LeaderRecord)
		},
	}
	defer leaveAtOnce(ctx, p, log.Logger, el.Abandon)()
	killed := o.Watch(ctx, el.Subscribe(ctx))
	return errors.Join(killed, el.Stop(context.WithoutCancel(ctx)))
}
