package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// observe follows the election until ctx ends, and runs the command on every change.
func (a *app) observe(ctx context.Context, f *runFlags) (err error) {
	e, err := f.resolve()
	if err != nil {
		return err
	}
	if err := f.checkCommand(); err != nil {
		return err
	}
	a.endsItself.Store(true)
	defer surviveClosedPipes()()
	log := a.newRunLog(f)
	defer func() { err = log.end(err) }()
	db, err := a.open(ctx, &f.place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it has written nothing

	account := &account{log: log.Logger}
	el, err := elector.New(db, e, elector.Options{
		Clock: a.clock, Permanent: a.hopeless, Callbacks: elector.Callbacks{OnStoreError: account.callbacks().OnStoreError}, Logger: log.ofElector(),
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
		flags: f, account: account,
	}
	defer a.leaveAtOnce(ctx, log.Logger, el.Abandon)()
	killed := o.watch(ctx, el.Subscribe(ctx))
	return errors.Join(killed, el.Stop(context.WithoutCancel(ctx)))
}

// observer runs a command for the newest state, one at a time.
type observer struct {
	child
	flags   *runFlags
	account *account

	running running // nil while none runs
	told    state   // of which a command was told last
	newest  state
}

// state is what a command is told of. Nobody leads in the zero state.
type state struct {
	known  bool
	leader election.Identity
	term   uint64 // zero while nobody leads
	seat   election.LeaderRecord
}

func stateOf(seat election.LeaderRecord) state {
	if seat.Vacant() || !seat.Accepted { // one that was handed the seat does not lead yet
		return state{known: true, seat: seat}
	}
	return state{known: true, leader: seat.Identity, term: seat.Term, seat: seat}
}

// log is log for a command that is told of a state.
func (s state) log(log *slog.Logger) *slog.Logger { return log.With("term", s.seat.Term) }

// sameAs reports whether the same process leads in the same tenure, or nobody.
func (s state) sameAs(other state) bool {
	return s.known == other.known && s.leader == other.leader && s.term == other.term
}

// watch tells of what happens until ctx ends, or the seats do. It returns an error if
// it had to kill the command at the end.
func (o *observer) watch(ctx context.Context, seats <-chan elector.LeaderInfo) error {
	for {
		o.catchUp()
		var done <-chan ending
		if o.running != nil {
			done = o.running.done()
		}
		select {
		case seat, ok := <-seats:
			if !ok {
				return o.finish(ctx)
			}
			o.account.leaderChanged(elector.StateObserver, seat.LeaderRecord)
			o.newest = stateOf(seat.LeaderRecord)
		case end := <-done:
			o.ended(ctx, end)
		case s := <-o.signals:
			if o.running != nil {
				o.running.forward(s)
			}
		case <-ctx.Done():
			return o.finish(ctx)
		}
	}
}

// catchUp starts the command, where it was not told of the newest state and none
// runs.
func (o *observer) catchUp() {
	if o.running != nil || len(o.argv) == 0 || !o.newest.known || o.newest.sameAs(o.told) {
		return
	}
	o.told = o.newest
	leader := o.told.leader.ID
	if strings.ContainsRune(leader, 0) {
		leader = election.SafeText(leader) // no registration lets it in, and no environment takes it
	}
	env := append(os.Environ(), o.place...)
	env = append(
		env,
		"FDBELECT_LEADER="+leader,
		"FDBELECT_TERM="+strconv.FormatUint(o.told.seat.Term, 10),
		"FDBELECT_BALLOT="+strconv.FormatUint(o.told.seat.Ballot, 10),
	)
	running, err := o.startDirect(env, o.told.log(o.log))
	if err != nil {
		_ = o.notStarted(o.told.log(o.log), err) // the next change may be told of again
		return
	}
	o.running = running
}

func (o *observer) ended(ctx context.Context, end ending) {
	o.running = nil
	end.log(o.told.log(o.log), o.cause(ctx, end))
}

// finish ends the command that runs, if one does. It returns an error if it had to kill
// the command.
func (o *observer) finish(ctx context.Context) error {
	if o.running == nil {
		return nil
	}
	o.running.ask()
	defer o.clock.AfterFunc(o.flags.preStop, o.running.kill).Stop()
	defer context.AfterFunc(o.forced, o.running.kill)()
	end := <-o.running.done()
	o.ended(ctx, end)
	if wasKilled(end.err) {
		return end.err
	}
	return nil
}
