package supervise

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// Subscriber runs the command on every change of the leader and of its metadata, one at a
// time.
type Subscriber struct {
	Command
	PreStop time.Duration // how long the command may take to stop
	// Changed is called with each leader record before the command is started for it.
	Changed func(elector.LeaderInfo)

	running running // nil if the command does not run
	started state   // the state for which it was started last
	newest  state
}

// state is the leader that the command gets in its environment.
type state struct {
	known  bool              // a leader record was read
	leader election.Identity // zero if there is no leader
	term   uint64            // zero if there is no leader
	tags   string            // metadata of the leader as a JSON object
	record election.LeaderRecord
}

func stateOf(info elector.LeaderInfo) state {
	record := info.LeaderRecord
	if record.Vacant() || !record.Accepted { // a successor leads only after it has accepted
		return state{known: true, tags: tagsText(nil), record: record}
	}
	return state{known: true, leader: record.Identity, term: record.Term, tags: tagsText(info.Metadata), record: record}
}

// tagsText returns metadata as a JSON object, which is empty if they are not known.
func tagsText(metadata map[string]string) string {
	if len(metadata) == 0 {
		return "{}"
	}
	text, _ := json.Marshal(metadata) // a map of strings cannot fail
	return string(text)
}

// log returns the logger of a command that is started for a state.
func (s state) log(log *slog.Logger) *slog.Logger { return log.With("term", s.record.Term) }

// sameAs reports whether both states have the same leader in the same term with the same
// metadata, or none.
func (s state) sameAs(other state) bool {
	return s.known == other.known && s.leader == other.leader && s.term == other.term && s.tags == other.tags
}

// Watch runs the command for every change that leaders delivers, until ctx ends or leaders
// is closed. It returns an error if it had to kill the command at the end.
func (o *Subscriber) Watch(ctx context.Context, leaders <-chan elector.LeaderInfo) error {
	for {
		o.catchUp()
		var done <-chan ending
		if o.running != nil {
			done = o.running.done()
		}
		select {
		case leader, ok := <-leaders:
			if !ok {
				return o.finish(ctx)
			}
			o.Changed(leader)
			o.newest = stateOf(leader)
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

// catchUp starts the command for the newest state, unless it was started for that state or
// still runs.
func (o *Subscriber) catchUp() {
	if o.running != nil || len(o.Args) == 0 || !o.newest.known || o.newest.sameAs(o.started) {
		return
	}
	o.started = o.newest
	leader := o.started.leader.ID
	if strings.ContainsRune(leader, 0) {
		leader = election.SafeText(leader) // a variable cannot hold NUL, and a valid id has none
	}
	env := append(os.Environ(), o.Env...)
	env = append(
		env,
		"FDBELECT_LEADER="+leader,
		"FDBELECT_TERM="+strconv.FormatUint(o.started.record.Term, 10),
		"FDBELECT_LEADER_TAGS="+o.started.tags,
		"FDBELECT_BALLOT="+strconv.FormatUint(o.started.record.Ballot, 10),
	)
	running, err := o.startDirect(env, o.started.log(o.Log))
	if err != nil {
		_ = o.notStarted(o.started.log(o.Log), err) // the next change starts it again
		return
	}
	o.running = running
}

func (o *Subscriber) ended(ctx context.Context, end ending) {
	o.running = nil
	end.log(o.started.log(o.Log), o.cause(ctx, end))
}

// finish stops the command if it runs. It returns an error if it had to kill the command.
func (o *Subscriber) finish(ctx context.Context) error {
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
