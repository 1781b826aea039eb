package groupview

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/group"
)

// Heartbeats is what a reader has seen of the heartbeats of members, on its own clock. No
// clock of another host matters. The zero value has seen nothing.
type Heartbeats struct {
	seen map[string]seenBeat // by the id of the member
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
	h.seen = next
}

// Alive reports whether a new heartbeat of a member was seen.
func (h *Heartbeats) Alive(id string) bool { return h.seen[id].alive }

// Since returns how long no new heartbeat of a member was seen at a time of the monotonic
// clock. If its record is missing, there is no such time.
func (h *Heartbeats) Since(id string, at time.Time) (time.Duration, bool) {
	b, known := h.seen[id]
	return at.Sub(b.since), known
}

// Judge says whether a member of a State is silent at a time of the monotonic clock: no new heartbeat
// was seen for its lease. silent is nil if its heartbeat was there at the first read, and that is not
// longer ago. age is for how long no new heartbeat was seen.
func (h *Heartbeats) Judge(st *State, id string, at time.Time) (silent *bool, age *time.Duration) {
	since, known := h.Since(id, at)
	if !known { // a session has a heartbeat from its beginning
		return new(true), nil
	}
	late := since >= st.LeaseOf(id)
	if !late && !h.Alive(id) {
		return nil, &since
	}
	return &late, &since
}

// Waits reports whether there is a member that has not been seen alive.
func (h *Heartbeats) Waits() bool {
	for _, b := range h.seen {
		if !b.alive {
			return true
		}
	}
	return false
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

// LeaseOf returns how long a session lives without a heartbeat. If its heartbeat cannot be read,
// that is the lease of the config.
func (st *State) LeaseOf(id string) time.Duration {
	i := slices.IndexFunc(st.Beats, func(b group.Beat) bool { return b.ID == id })
	if i < 0 || st.Beats[i].Lease == 0 {
		return st.Config.LeaseDuration
	}
	return st.Beats[i].Lease
}

func (st *State) longestLease() (longest time.Duration) {
	for i := range st.Beats {
		longest = max(longest, st.Beats[i].Lease)
	}
	return longest
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
