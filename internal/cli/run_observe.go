package cli

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// observe looks on until ctx ends, and runs the command upon every change.
func (a *app) observe(ctx context.Context, f *runFlags) error {
	e, err := f.resolve()
	if err != nil {
		return err
	}
	if err := f.checkCommand(); err != nil {
		return err
	}
	db, err := a.open(ctx, &f.place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it has written nothing

	defer surviveClosedPipes()()
	journal := newJournal(a.stdout, a.stderr, len(f.command) > 0)
	defer journal.close(a.clock)
	account := &account{journal: journal, clock: a.clock}
	el, err := elector.New(db, e, elector.Options{
		Clock: a.clock, Permanent: a.hopeless, Callbacks: elector.Callbacks{OnTrouble: account.callbacks().OnTrouble},
	})
	if err != nil {
		return err
	}
	signals, done := passOn()
	defer done()
	o := &observer{
		child: child{
			argv: f.command, place: f.variables(), stdout: a.stdout, stderr: a.stderr, clock: a.clock,
			signals: signals, note: journal.note,
		},
		flags: f, account: account,
	}
	o.watch(ctx, el.Observe(ctx))
	return el.Stop(context.WithoutCancel(ctx))
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
	seat   election.Leader
}

func stateOf(seat election.Leader) state {
	if seat.Vacant() || !seat.Accepted { // one that was handed the seat does not lead yet
		return state{known: true, seat: seat}
	}
	return state{known: true, leader: seat.Identity, term: seat.Term, seat: seat}
}

// sameAs reports whether the same process leads in the same tenure, or nobody.
func (s state) sameAs(other state) bool {
	return s.known == other.known && s.leader == other.leader && s.term == other.term
}

// watch tells of what happens until ctx ends, or the seats do.
func (o *observer) watch(ctx context.Context, seats <-chan elector.Leader) {
	for {
		o.catchUp()
		var done <-chan ending
		if o.running != nil {
			done = o.running.done()
		}
		select {
		case seat, ok := <-seats:
			if !ok {
				o.finish()
				return
			}
			o.account.line(elector.Transition{To: elector.StateObserver, Leader: seat.Leader}, noteOf(seat.Leader))
			o.newest = stateOf(seat.Leader)
		case end := <-done:
			o.ended(end)
		case s := <-o.signals:
			if o.running != nil {
				o.running.forward(s)
			}
		case <-ctx.Done():
			o.finish()
			return
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
	running, err := o.startDirect(env)
	if err != nil {
		o.note("the command could not be started: " + err.Error())
		return
	}
	o.running = running
}

func (o *observer) ended(end ending) {
	o.running = nil
	if end.err != nil {
		o.note(end.err.Error())
	}
}

// finish ends the command that runs.
func (o *observer) finish() {
	if o.running == nil {
		return
	}
	o.running.ask()
	timer := o.clock.AfterFunc(o.flags.preStop, o.running.kill)
	defer timer.Stop()
	o.ended(<-o.running.done())
}
