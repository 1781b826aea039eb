package member

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/loop"
)

// Status is what a process knows of itself and of its group.
type Status struct {
	State State
	// Session is the present session, or the last one.
	Session election.Identity
	// Leading is the number of shards that this process leads, and Ending the number of those that
	// it gives up.
	Leading, Ending int
	// Shards and Members are the numbers of all shards and members, as far as this process knows.
	// Synced says that it has read all of them once.
	Shards, Members int
	Synced          bool
	// Version is the version of the database up to which this process knows all changes, or 0 while
	// it reads all records.
	Version int64
	// Config is the config that this process uses.
	Config group.Config
	// Beat is when the last heartbeat that was acknowledged began, on Options.Clock. It is zero if
	// there is no session.
	Beat time.Time
	// Until is when this process stops leading if no heartbeat is acknowledged, on Options.Clock.
	// It is zero if the process leads nothing.
	Until time.Time
}

// Status returns the present status. It does no I/O.
func (m *Member) Status() Status {
	s := m.last()
	if s == nil {
		return Status{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mirror := s.machine.Mirror()
	status := Status{
		State: State(s.machine.State()), Session: s.machine.Session(), Shards: mirror.Len(), Members: len(mirror.MemberIDs()),
		Synced: mirror.Complete(), Version: mirror.Version(), Config: s.machine.Config(), Until: s.machine.Deadlines().Stop,
		Beat: s.machine.Beat(),
	}
	status.Leading, status.Ending = s.machine.Leading()
	if s.over {
		status.State, status.Leading, status.Ending, status.Until = StateStopped, 0, 0, time.Time{}
	}
	return status
}

// Health returns nil if this member works, and otherwise an *elector.HealthError, as
// elector.Elector.Health does: the loop is late by three heartbeat intervals (elector.ErrStuck), the
// session could not be renewed in time although this process leads shards (elector.ErrUnrenewed), or
// the member has stopped by itself (elector.ErrStopped). It is for a liveness probe. A member that
// has not started, or that the program has stopped, is healthy, and so is one that leads nothing
// while the store does not answer.
func (m *Member) Health(context.Context) error {
	s := m.last()
	if s == nil {
		return nil
	}
	now := m.options.Clock.Now()
	if !s.mu.TryLock() {
		if begun := s.stepping.Load(); begun != 0 && now.Sub(time.Unix(0, begun)) > healthy(m.heartbeat()) {
			return &elector.HealthError{Kind: elector.ErrStuck, Since: m.options.Clock.Wall().Add(time.Unix(0, begun).Sub(now)), Problem: "something " +
				"blocks the loop, such as the Logger: restart this process, and look at its goroutines for what blocks"}
		}
		return nil
	}
	defer s.mu.Unlock()
	wall := m.options.Clock.Wall()
	late := healthy(s.machine.Config().HeartbeatInterval)
	switch {
	case s.over && s.err != nil && !errors.Is(s.err, errAbandoned):
		return &elector.HealthError{
			Kind: elector.ErrStopped, Since: wall, Problem: "it takes no part in the group: remove the cause and restart this process", Err: s.err,
		}
	case s.over:
		return nil
	case !s.due.IsZero() && now.Sub(s.due) > late:
		return &elector.HealthError{Kind: elector.ErrStuck, Since: wall.Add(s.due.Sub(now)), Problem: "the timer of the loop has not fired: " +
			"restart this process, and check Options.Clock"}
	case s.contexts.Load().lead.Err() != nil && len(s.shards) > 0:
		return &elector.HealthError{Kind: elector.ErrUnrenewed, Since: wall, Problem: fmt.Sprintf("no heartbeat was acknowledged in time, and work "+
			"on %d shards still stops: check that this process reaches the store", len(s.shards))}
	}
	return nil
}

// Readiness returns nil if this member takes part in the group, is healthy and is ready to lead: its
// session lives, it has read all records, its settle delay has passed, and Options.Ready returns
// nil. A member that observes is ready if it has read all records. A member that leaves is not
// ready. An operator's drain does not matter. Readiness is for a readiness probe. It does no I/O,
// and takes no lock that the loop holds.
//
// Otherwise it returns the error of Health, or that the member is not running, or
// fdbelection.ErrNotReady with the reason.
func (m *Member) Readiness(ctx context.Context) error {
	if err := m.Health(ctx); err != nil {
		return err
	}
	s := m.last()
	if s == nil || s.ctx.Err() != nil {
		return errNotRunning
	}
	switch reason := safe(*s.notReady.Load()); {
	case reason == "":
		return nil
	case s.works == nil: // it observes, and never leads
		return errors.New("the member is not ready: " + reason)
	default:
		return fmt.Errorf("%w: %s", fdbelection.ErrNotReady, reason)
	}
}

// noteReadiness notes why this process is not ready, for Readiness. The caller holds s.mu.
func (s *session) noteReadiness() {
	if reason := s.machine.NotReady(); reason != *s.notReady.Load() {
		changed := reason // only a change allocates
		s.notReady.Store(&changed)
	}
}

// heartbeat is the heartbeat interval that was known last. It takes no lock that the loop holds.
func (m *Member) heartbeat() time.Duration {
	return time.Duration(m.counts.heartbeat.Load())
}

// Stats counts what a member has done since it was made.
type Stats struct {
	// Heartbeats are the durations of the heartbeats that were acknowledged.
	Heartbeats elector.Latency
	// Acquired counts the tenures of this process, and Released their ends by reason.
	Acquired uint64
	Released map[group.Reason]uint64
	// Evictions counts the members that this process has evicted.
	Evictions uint64
}

// Stats returns what this member has done. It does no I/O.
func (m *Member) Stats() Stats {
	stats := Stats{
		Heartbeats: m.counts.heartbeats.Read(), Acquired: m.counts.acquired.Load(), Evictions: m.counts.evictions.Load(),
		Released: make(map[group.Reason]uint64),
	}
	for reason := range m.counts.ends {
		if n := m.counts.ends[reason].Load(); n > 0 {
			stats.Released[group.Reason(reason)] = n
		}
	}
	return stats
}

// counts are the numbers of Stats.
type counts struct {
	heartbeats loop.LatencyCounter
	heartbeat  atomic.Int64 // the interval of the config
	acquired   atomic.Uint64
	evictions  atomic.Uint64
	ends       [group.ReasonRaised + 1]atomic.Uint64
}

func (c *counts) released(reason group.Reason) {
	if reason >= 0 && int(reason) < len(c.ends) {
		c.ends[reason].Add(1)
	}
}

func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
