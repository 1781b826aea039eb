package member

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/membership"
)

// State is what a process is in its group.
type State int

// The states.
const (
	// StateStopped: it has not started, or has left.
	StateStopped = State(membership.StateStopped)
	// StateObserver: it only observes.
	StateObserver = State(membership.StateObserver)
	// StateJoining: it has no session, or could not renew it in time. It leads nothing.
	StateJoining = State(membership.StateJoining)
	// StateUnready: its session lives, and it does not receive shards yet.
	StateUnready = State(membership.StateUnready)
	// StateMember: its session lives, and it receives shards.
	StateMember = State(membership.StateMember)
	// StateJeopardy: its session lives, and a heartbeat is overdue.
	StateJeopardy = State(membership.StateJeopardy)
	// StateLeaving: it hands its shards over.
	StateLeaving = State(membership.StateLeaving)
)

// String returns the state in a word or two.
func (s State) String() string {
	if s < StateStopped || s > StateLeaving {
		return "State(" + strconv.Itoa(int(s)) + ")"
	}
	return membership.State(s).String()
}

// Transition is a change of the state of this process.
type Transition struct {
	From, To State
	// Err says why the session has ended, or why the member stops by itself. It is nil
	// otherwise.
	Err error
}

// LeaveError says that a process stopped without leaving. Its session ends when its lease has
// passed and another member evicts it.
type LeaveError = membership.LeaveError

// errNotRunning says that the member is not running.
var errNotRunning = errors.New("the member is not running: call Run, Start or Observe first")

func (s *session) log() *slog.Logger { return s.member.logger }

func safe(text string) string { return election.SafeText(text) }

// tell reports an action to the log, the callbacks and Errors.
func (s *session) tell(action membership.Action) {
	switch a := action.(type) {
	case membership.StateChanged:
		s.reportState(Transition{From: State(a.From), To: State(a.To), Err: a.Err})
	case membership.ConfigChanged:
		s.member.counts.heartbeat.Store(int64(a.Config.HeartbeatInterval))
		s.log().Info("config", "lease", a.Config.LeaseDuration.String(), "heartbeat", a.Config.HeartbeatInterval.String(),
			"enabled", a.Config.Enabled, "revision", a.Config.Revision)
	case membership.Evicted:
		s.member.counts.evictions.Add(1)
		s.log().Info("evicted a member", "evicted", a.Member.String())
	case membership.IDInUse:
		s.log().Info("another process has joined under this id, waiting to see whether it is alive",
			"existing", a.Existing.String(), "at_most", a.Until.Sub(s.clock.Now()).String())
	case membership.HoldOff:
		s.log().Warn("holding off after failed work", "shard", safe(a.Shard), "failures", a.Failures, "duration", a.For.String())
	case membership.Report:
		s.reportStore(a)
	}
}

func (s *session) reportState(t Transition) {
	fields := []any{"from", t.From.String(), "to", t.To.String()}
	level := slog.LevelInfo
	if t.Err != nil {
		fields, level = append(fields, "error", loop.LineError{Err: t.Err}), slog.LevelWarn
	}
	s.log().Log(s.values, level, "state changed", fields...)
	s.notices.state(t)
}

func (s *session) reportStore(r membership.Report) {
	switch {
	case r.Err == nil && r.Unreadable:
		s.log().Info("all records can be read again")
		return
	case r.Err == nil:
		s.log().Info("store available again")
		return
	case r.Unreadable:
		s.log().Warn("records cannot be read", "error", loop.LineError{Err: r.Err})
	case r.Ended:
		s.log().Warn("session has ended, joining again", "error", loop.LineError{Err: r.Err})
	default:
		s.log().Warn("store error", "error", loop.LineError{Err: r.Err})
	}
	s.member.errs.Report(r.Err)
}

// reportReadiness reports that the process has become ready or is not ready any more.
func (s *session) reportReadiness(before string, now loop.Readiness) {
	switch {
	case now.Reason == "":
		s.log().Info("ready")
	case before == "" || before == notChecked:
		s.log().Warn("not ready", "reason", safe(now.Reason))
	}
	if err := now.Panicked; err != nil {
		s.log().Warn("readiness check failed", "error", loop.LineError{Err: err}, "stack", strings.Split(strings.TrimSpace(string(err.Stack)), "\n"))
		s.member.errs.Report(fmt.Errorf("the readiness check has panicked: %w", err))
	}
}

// notices call OnStateChange and OnRoutesChange, in order and in one goroutine that never delays
// the loop.
type notices struct {
	member  *Member
	mu      sync.Mutex
	queue   []Transition
	changed map[string]bool
	running bool
	calls   sync.WaitGroup
}

func (n *notices) state(t Transition) {
	if n.member.options.OnStateChange != nil {
		n.add(func() { n.queue = append(n.queue, t) })
	}
}

func (n *notices) routes(shards []string) {
	if n.member.options.OnRoutesChange == nil || len(shards) == 0 {
		return
	}
	n.add(func() {
		if n.changed == nil {
			n.changed = make(map[string]bool)
		}
		for _, name := range shards {
			n.changed[name] = true
		}
	})
}

func (n *notices) add(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	if !n.running {
		n.running = true
		n.calls.Go(n.run)
	}
}

func (n *notices) run() {
	for {
		n.mu.Lock()
		transitions, changed := n.queue, n.changed
		n.queue, n.changed = nil, nil
		if n.running = transitions != nil || changed != nil; !n.running {
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		for _, t := range transitions {
			n.member.options.OnStateChange(t)
		}
		if changed != nil {
			n.member.options.OnRoutesChange(sortedKeys(changed))
		}
	}
}

func (n *notices) wait() { n.calls.Wait() }
