package supervise

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group/member"
)

// ShardRunner runs commands for the shards that a process leads.
type ShardRunner interface {
	// Until gets the deadlines of the session, see member.Member.SubscribeDeadlines.
	Until(d member.Deadlines)
	// Work is the member.Work of each shard. If it was asked to stop, it returns nil, or the error of
	// a command that had to be killed.
	Work(ctx context.Context, shard *member.Shard) error
	// Forward passes a signal on to the commands.
	Forward(one os.Signal)
	// Close ends what is left, after all work has returned. It returns an error if a command had to
	// be killed.
	Close() error
}

var (
	_ ShardRunner = (*Shards)(nil)
	_ ShardRunner = (*Notifier)(nil)
)

// Shards runs a command for each shard that a process leads. All of them are under one guard: a
// guard for each would need a process and its memory twice for every shard. {} in the command is
// replaced by the name of the shard. Restart, GiveUp, Fence and OthersCanLead have no effect.
type Shards struct {
	Command
	Drain time.Duration // how long a command may take to stop

	starting sync.Mutex // held while a guard is started

	mu        sync.Mutex
	guard     *guard // nil: none was started
	deadlines member.Deadlines
	running   map[running]struct{}
	slots     chan struct{}
}

// maxStarting is how many commands the guard is ordered to start at a time, so that its pipe
// always has room for deadlines.
const maxStarting = 32

// NewShards returns a Shards without commands.
func NewShards(c Command, drain time.Duration) *Shards {
	return &Shards{Command: c, Drain: drain, running: make(map[running]struct{}), slots: make(chan struct{}, maxStarting)}
}

// Until tells the guard the deadlines of the session. It never waits.
func (s *Shards) Until(d member.Deadlines) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadlines = d
	s.tellGuard()
}

// tellGuard sends the deadlines. The caller holds s.mu.
func (s *Shards) tellGuard() {
	if s.guard != nil && !s.deadlines.Stop.IsZero() {
		s.guard.until(sessionOf(s.deadlines.Session), s.deadlines.Deadlines)
	}
}

// sessionOf names a session to a guard.
func sessionOf(session election.Identity) string { return session.Incarnation.String() }

// Work runs the command of a shard until ctx ends or the command ends by itself. It returns
// the error of the command. If Work was asked to stop, it returns nil, or the error of a command
// that had to be killed.
func (s *Shards) Work(ctx context.Context, shard *member.Shard) error {
	log := s.Log.With("shard", election.SafeText(shard.Name()), "term", shard.Term())
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	r, err := s.start(shard, log)
	if err != nil {
		return s.notStarted(log, err)
	}
	s.follow(r, true)
	defer s.follow(r, false)
	if err := s.attend(ctx, shard.LeaseContext(), r, s.Drain, log); !asked(ctx) || WasKilled(err) {
		return err
	}
	return nil
}

// start starts the command of a shard, and frees the slot when that is done.
func (s *Shards) start(shard *member.Shard, log *slog.Logger) (running, error) {
	free := func() { <-s.slots }
	how := startOrder{Fill: shard.Name(), Env: []string{
		"FDBELECT_SHARD=" + shard.Name(), "FDBELECT_TERM=" + strconv.FormatUint(shard.Term(), 10), "FDBELECT_TOKEN=" + shard.Token().Text(),
	}}
	if !guards {
		defer free()
		one := s.Command
		one.Args = filled(s.Args, how.Fill)
		return one.startDirect(slices.Concat(os.Environ(), s.Env, how.Env), log)
	}
	g, err := s.guardNow()
	if err != nil {
		free()
		return nil, err
	}
	child, err := g.start(sessionOf(shard.Token().Identity), how, log)
	if err != nil {
		free()
		return nil, err
	}
	go func() {
		<-child.begun
		free()
	}()
	return child, nil
}

// guardNow returns the guard. It starts one if there is none, or if it was killed.
func (s *Shards) guardNow() (*guard, error) {
	s.starting.Lock()
	defer s.starting.Unlock()
	s.mu.Lock()
	g := s.guard
	s.mu.Unlock()
	if g != nil && g.alive() {
		return g, nil
	}
	g, err := s.startGuard(slices.Concat(os.Environ(), s.Env), nil)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guard = g
	s.tellGuard()
	return g, nil
}

// Close ends the guard, after all work has returned. It returns nil.
func (s *Shards) Close() error {
	s.mu.Lock()
	g := s.guard
	s.mu.Unlock()
	if g != nil {
		g.close()
		<-g.gone
	}
	return nil
}

func (s *Shards) follow(r running, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.running[r] = struct{}{}
	} else {
		delete(s.running, r)
	}
}

// Forward passes a signal on to all commands.
func (s *Shards) Forward(one os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.running {
		r.forward(one)
	}
}
