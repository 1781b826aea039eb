package groups

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// Heartbeats is what a command has seen of the heartbeats of members, on its own clock. No
// clock of another host matters. The zero value has seen nothing.
type Heartbeats struct {
	seen map[string]seenBeat // by the id of the member
	at   time.Time           // of the last read
}

// seenBeat is the newest heartbeat of a member.
type seenBeat struct {
	value string
	since time.Time // when it was first seen
	alive bool      // it is not the first one that was seen
}

// See adds the heartbeats of one read, which returned at a time of the monotonic clock.
func (h *Heartbeats) See(beats []group.Beat, at time.Time) {
	next := make(map[string]seenBeat, len(beats))
	for i := range beats {
		b := &beats[i]
		last, known := h.seen[b.ID]
		switch {
		case !known:
			next[b.ID] = seenBeat{b.Value, at, h.seen != nil} // a member that has joined since is alive
		case last.value != b.Value:
			next[b.ID] = seenBeat{b.Value, at, true}
		default:
			next[b.ID] = last
		}
	}
	h.seen, h.at = next, at
}

// Alive reports whether a new heartbeat of a member was seen.
func (h *Heartbeats) Alive(id string) bool { return h.seen[id].alive }

// Since returns how long no new heartbeat of a member was seen at a time of the monotonic
// clock. If its record is missing, there is no such time.
func (h *Heartbeats) Since(id string, at time.Time) (time.Duration, bool) {
	b, known := h.seen[id]
	return at.Sub(b.since), known
}

// waitsFor reports whether a member has not been seen alive.
func (h *Heartbeats) waitsFor() bool {
	for _, b := range h.seen {
		if !b.alive {
			return true
		}
	}
	return false
}

// Observation is what Observe has seen.
type Observation struct {
	Heartbeats
	// Judged says that every member had time for a heartbeat, so those that are not alive are
	// silent. It is false if Observe read only once, or if the store is slow.
	Judged bool
	// Slowest is how long the slowest read took, and Slow that no member can be judged for it.
	Slowest time.Duration
	Slow    bool
	// Took is how long it took.
	Took time.Duration
}

// Silent reports whether a member sent no heartbeat, or nil if that was not judged.
func (o *Observation) Silent(id string) *bool {
	alive := o.Alive(id)
	if !alive && !o.Judged {
		return nil
	}
	alive = !alive
	return &alive
}

// Age returns how long no heartbeat of a member was seen until the last read, or nil if that
// was not judged.
func (o *Observation) Age(id string) *time.Duration {
	age, known := o.Since(id, o.at)
	if !known || o.Silent(id) == nil {
		return nil
	}
	return &age
}

// HeartbeatWindow is the time within which a live member sends a heartbeat.
func (st *State) HeartbeatWindow() time.Duration {
	if st.Config.HeartbeatInterval > 0 {
		return st.Config.HeartbeatInterval * 3 / 2
	}
	return st.longestLease() / 2 // the config cannot be read
}

// LeaseWindow is the longest lease of a session.
func (st *State) LeaseWindow() time.Duration { return max(st.Config.LeaseDuration, st.longestLease()) }

func (st *State) longestLease() (longest time.Duration) {
	for i := range st.Beats {
		longest = max(longest, st.Beats[i].Lease)
	}
	return longest
}

// Observe reads the heartbeats until it has seen a new one of every member, at most for limit. A
// limit of zero reads nothing. It updates the State at the end.
func Observe(ctx context.Context, s *session.Session, st *State, limit time.Duration) (*Observation, error) {
	c, p := s.Program.Clock, s.Program.NewProgress()
	defer p.Done()
	o := &Observation{}
	o.See(st.Beats, c.Now())
	lease := st.Config.Lease()
	begin := c.Now()
	for o.waitsFor() && !o.Slow && o.Took < limit {
		p.Show(fmt.Sprintf("waiting for heartbeats: %s of %s", output.Tenths(o.Took), output.Tenths(limit)), int64(o.Took), int64(limit))
		if err := clock.Sleep(ctx, c, min(records.ReadInterval(limit), limit-o.Took)); err != nil {
			return nil, fmt.Errorf("interrupted while waiting for heartbeats: %w", err)
		}
		before := c.Now()
		if err := st.Update(ctx, s); err != nil {
			return nil, err
		}
		o.Slowest = max(o.Slowest, c.Now().Sub(before))
		o.Slow = st.Config.Revision > 0 && records.TooSlow(&lease, o.Slowest)
		o.See(st.Beats, c.Now())
		o.Took = c.Now().Sub(begin)
	}
	o.Judged = limit > 0 && !o.Slow
	return o, nil
}

// Lag returns how far the mirror of a member was behind when its heartbeat was read, by the
// versions of the database, of which there are about a million a second. It returns nil if
// the heartbeat does not say so.
func (st *State) Lag(b *group.Beat) *time.Duration {
	if b == nil || b.Incarnation == uuid.Nil || b.Mirror <= 0 {
		return nil
	}
	lag := Age(st.Version - b.Mirror)
	return &lag
}

// Age returns about how long a number of versions of the database takes.
func Age(versions int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Microsecond)
	return time.Duration(min(max(versions, 0), most)) * time.Microsecond
}
