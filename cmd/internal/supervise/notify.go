package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group/member"
)

// CanNotify reports whether this system can run a Notifier.
const CanNotify = guards

// Notifier runs one command for all shards that a process leads, under a guard of its own, and
// tells it which ones these are. The command is started with the first shard. If it does not give
// a shard up in time, or writes rubbish, it is killed as a whole. Restart, GiveUp, Fence and
// OthersCanLead have no effect.
type Notifier struct {
	Command
	Drain time.Duration // how long the command may take to give a shard up, and to stop

	starting sync.Mutex // held while the command is started

	mu        sync.Mutex
	deadlines member.Deadlines
	child     *notified // nil: there is none
}

// Until tells the guard the deadlines of the session. It never waits.
func (n *Notifier) Until(d member.Deadlines) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deadlines = d
	if n.child != nil && !d.Stop.IsZero() {
		n.child.guard.until(sessionOf(d.Session), d.Deadlines)
	}
}

// unansweredError says that the command did not give a shard up in time.
type unansweredError struct{ shard string }

func (e unansweredError) Error() string {
	return fmt.Sprintf("it did not give up shard %s in time", election.SafeText(e.shard))
}

// Work tells the command that this process leads a shard. When ctx ends, it tells the command to
// give the shard up, and returns nil after the command has done so. It also returns if the command
// gives the shard up by itself, and with an error if the command ends or is killed.
func (n *Notifier) Work(ctx context.Context, shard *member.Shard) error {
	child, one, err := n.acquire(ctx, shard)
	if err != nil || child == nil {
		return err
	}
	defer n.forget(child, one)
	stopping, overdue, forced := ctx.Done(), shard.LeaseContext().Done(), n.Forced.Done()
	var timer elector.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		select {
		case <-one.released:
			return nil
		case <-child.over:
			if asked(ctx) && !WasKilled(child.err) {
				return nil
			}
			return child.err
		case <-stopping:
			stopping = nil
			n.release(child, one, context.Cause(ctx))
			timer = n.Clock.AfterFunc(n.Drain, func() { child.give(unansweredError{shard.Name()}) })
		case <-overdue:
			overdue = nil
			child.give(unansweredError{shard.Name()})
		case <-forced:
			forced = nil
			child.kill()
		}
	}
}

// acquire tells the command of a shard, and starts it if necessary. It returns no command if ctx
// has ended.
func (n *Notifier) acquire(ctx context.Context, shard *member.Shard) (*notified, *told, error) {
	session := sessionOf(shard.Token().Identity)
	for {
		child, err := n.childOf(session)
		if err != nil {
			return nil, nil, n.notStarted(n.Log, err)
		}
		if one := n.tell(child, session, shard); one != nil {
			return child, one, nil
		}
		select { // it ends, or is of an earlier session of this process
		case <-child.over:
		case <-ctx.Done():
			return nil, nil, nil
		}
	}
}

// childOf returns the command. If there is none, it starts it in a session.
func (n *Notifier) childOf(session string) (*notified, error) {
	n.starting.Lock()
	defer n.starting.Unlock()
	n.mu.Lock()
	child := n.child
	n.mu.Unlock()
	if child != nil {
		select {
		case <-child.over:
		default:
			return child, nil
		}
	}
	child, err := n.startNotified(session)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.child = child
	if d := n.deadlines; !d.Stop.IsZero() {
		child.guard.until(sessionOf(d.Session), d.Deadlines)
	}
	if child.guarded, err = child.guard.start(session, startOrder{}, n.Log); err != nil {
		child.guard.close()
		n.child = nil
		return nil, err
	}
	go child.read(n.answered)
	go child.wait()
	return child, nil
}

// tell tells the command of a shard, unless it must end. It returns nil then.
func (n *Notifier) tell(child *notified, session string, shard *member.Shard) *told {
	n.mu.Lock()
	defer n.mu.Unlock()
	if child.session != session { // its deadlines do not move any more
		child.stop()
		return nil
	}
	one := &told{shard: shard.Name(), term: shard.Term(), released: make(chan struct{})}
	child.tenures[one.shard] = one
	child.write(change{Event: eventAcquire, Shard: one.shard, Term: one.term, Token: shard.Token().Text()})
	return one
}

// release tells the command to give up a shard.
func (n *Notifier) release(child *notified, one *told, cause error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := change{Event: eventRelease, Shard: one.shard, Term: one.term}
	if loss, ok := errors.AsType[*member.LossError](cause); ok {
		c.Reason = loss.Reason.String()
	}
	one.limit = n.Clock.Now().Add(n.Drain)
	child.write(c)
	child.tellLimit()
}

// answered handles an answer of the command.
func (n *Notifier) answered(child *notified, a answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	one := child.tenures[*a.Released]
	if one == nil || one.term != *a.Term {
		n.Log.Warn("the command gives up a shard that it does not have", "shard", election.SafeText(*a.Released), "term", *a.Term)
		return
	}
	delete(child.tenures, one.shard)
	close(one.released)
	child.tellLimit()
}

// forget forgets a tenure, if the command has not given it up.
func (n *Notifier) forget(child *notified, one *told) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if child.tenures[one.shard] == one {
		delete(child.tenures, one.shard)
		child.tellLimit()
	}
}

// Forward passes a signal on to the command.
func (n *Notifier) Forward(one os.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.child != nil {
		n.child.forward(one)
	}
}

// Close stops the command, after all work has returned. It returns an error if the command had to
// be killed.
func (n *Notifier) Close() error {
	n.mu.Lock()
	child := n.child
	n.mu.Unlock()
	if child == nil {
		return nil
	}
	select {
	case <-child.over:
		return nil
	default:
	}
	child.closeInput()
	n.mu.Lock()
	end := n.Clock.Now().Add(n.Drain)
	child.guard.until(child.session, elector.Deadlines{Stop: end, End: end}) // it leads nothing, so no lease matters
	child.stop()
	n.mu.Unlock()
	defer context.AfterFunc(n.Forced, child.kill)()
	<-child.over
	if WasKilled(child.err) {
		return child.err
	}
	return nil
}

// startNotified starts the guard of the command.
func (n *Notifier) startNotified(session string) (*notified, error) {
	theirs, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close() //nolint:errcheck // nothing was written
	output, their, err := os.Pipe()
	if err != nil {
		_ = input.Close()
		return nil, err
	}
	defer their.Close() //nolint:errcheck // nothing was written
	g, err := n.startGuard(slices.Concat(os.Environ(), n.Env), &streams{theirs, their})
	if err != nil {
		_, _ = input.Close(), output.Close()
		return nil, err
	}
	return newNotified(n, g, session, input, output), nil
}
