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

// Observer runs a command for every change of the leader, one at a time. If the leader
// changes while the command runs, the next command gets the newest state.
type Observer struct {
	Command
	PreStop time.Duration // how long the command may take to stop
	// Changed is called with each leader record, before a command runs for it.
	Changed func(elector.LeaderInfo)

	running running // nil while none runs
	told    state   // for which the last command was started
	newest  state
}

// state is what a command is started for. In the zero state nothing is known.
type state struct {
	known  bool
	leader election.Identity
	term   uint64 // zero if there is no leader
	record election.LeaderRecord
}

func stateOf(l election.LeaderRecord) state {
	if l.Vacant() || !l.Accepted { // before it accepts, the holder does not lead
		return state{known: true, record: l}
	}
	return state{known: true, leader: l.Identity, term: l.Term, record: l}
}

// log returns a logger for a command that is started for s.
func (s state) log(log *slog.Logger) *slog.Logger { return log.With("term", s.record.Term) }

// sameAs reports whether both states have the same leader and tenure, or no leader.
func (s state) sameAs(other state) bool {
	return s.known == other.known && s.leader == other.leader && s.term == other.term
}

// Watch runs commands until ctx ends or leaders is closed. It returns an error if it had
// to kill the last command.
func (o *Observer) Watch(ctx context.Context, leaders <-chan elector.LeaderInfo) error {
	for {
		o.catchUp()
		var done <-chan ending
		if o.running != nil {
			done = o.running.done()
		}
		select {
		case l, ok := <-leaders:
			if !ok {
				return o.finish(ctx)
			}
			o.Changed(l)
			o.newest = stateOf(l.LeaderRecord)
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

// catchUp starts the command if none runs and the newest state has had none.
func (o *Observer) catchUp() {
	if o.running != nil || len(o.Args) == 0 || !o.newest.known || o.newest.sameAs(o.told) {
		return
	}
	o.told = o.newest
	leader := o.told.leader.ID
	if strings.ContainsRune(leader, 0) {
		leader = election.SafeText(leader) // an environment cannot hold a zero byte
	}
	env := append(os.Environ(), o.Env...)
	env = append(
		env,
		"FDBELECT_LEADER="+leader,
		"FDBELECT_TERM="+strconv.FormatUint(o.told.record.Term, 10),
		"FDBELECT_BALLOT="+strconv.FormatUint(o.told.record.Ballot, 10),
	)
	running, err := o.startDirect(env, o.told.log(o.Log))
	if err != nil {
		_ = o.notStarted(o.told.log(o.Log), err) // it is logged, and the next change starts another one
		return
	}
	o.running = running
}

func (o *Observer) ended(ctx context.Context, end ending) {
	o.running = nil
	end.log(o.told.log(o.Log), o.cause(ctx, end))
}

// finish ends the running command, if there is one. It returns an error if it had to kill
// the command.
func (o *Observer) finish(ctx context.Context) error {
	if o.running == nil {
		return nil
	}
	o.running.terminate()
	defer o.Clock.AfterFunc(o.PreStop, o.running.kill).Stop()
	defer context.AfterFunc(o.Forced, o.running.kill)()
	end := <-o.running.done()
	o.ended(ctx, end)
	if WasKilled(end.err) {
		return end.err
	}
	return nil
}
