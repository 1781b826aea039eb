package supervise

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// observer runs a command for the newest state, one at a time.
type Observer struct {
	Command
	PreStop time.Duration // how long the command may take to stop
	// changed is called with each leader record before the command is told.
	Changed func(elector.LeaderInfo)

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
func (o *Observer) Watch(ctx context.Context, seats <-chan elector.LeaderInfo) error {
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
			o.Changed(seat)
			o.newest = stateOf(seat.LeaderRecord)
		case end := <-done:
			o.ended(ctx, end)
		case s := <-o.Signals:
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
func (o *Observer) catchUp() {
	if o.running != nil || len(o.Args) == 0 || !o.newest.known || o.newest.sameAs(o.told) {
		return
	}
	o.told = o.newest
	leader := o.told.leader.ID
	if strings.ContainsRune(leader, 0) {
		leader = election.SafeText(leader) // no registration lets it in, and no environment takes it
	}
	env := append(os.Environ(), o.Env...)
	env = append(
		env,
		"FDBELECT_LEADER="+leader,
		"FDBELECT_TERM="+strconv.FormatUint(o.told.seat.Term, 10),
		"FDBELECT_BALLOT="+strconv.FormatUint(o.told.seat.Ballot, 10),
	)
	running, err := o.startDirect(env, o.told.log(o.Log))
	if err != nil {
		_ = o.notStarted(o.told.log(o.Log), err) // the next change may be told of again
		return
	}
	o.running = running
}

func (o *Observer) ended(ctx context.Context, end ending) {
	o.running = nil
	end.log(o.told.log(o.Log), o.cause(ctx, end))
}

// finish ends the command that runs, if one does. It returns an error if it had to kill
// the command.
func (o *Observer) finish(ctx context.Context) error {
	if o.running == nil {
		return nil
	}
	o.running.ask()
	defer o.Clock.AfterFunc(o.PreStop, o.running.kill).Stop()
	defer context.AfterFunc(o.Forced, o.running.kill)()
	end := <-o.running.done()
	o.ended(ctx, end)
	if WasKilled(end.err) {
		return end.err
	}
	return nil
}
