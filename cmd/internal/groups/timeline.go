package groups

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

// Timeline is how the shards of a group have moved, second by second. A reader who knows the
// loads of the members now can follow them back. The zero value is empty. It is not safe for
// concurrent use.
type Timeline struct {
	// Seconds in which something has changed, oldest first. They do not change, apart from the
	// last one.
	Seconds []Second

	places map[string]place // of the shards, as far as they are known
}

// Second is what has changed in one second. The numbers are differences: each shard that moved
// counts once with -1 and once with +1, unless it was created or removed.
type Second struct {
	At int64 `json:"second"` // since 1970
	// Loads are the shards that members lead, by id.
	Loads map[string]int `json:"loads"`
	Free  int            `json:"free_shards"`
	// Unknown are shards led by a member that the log does not tell.
	Unknown int `json:"unknown"`
	// Moves are how many tenures began, by their reason.
	Moves map[string]int `json:"moves"`
}

// place is where a shard is.
type place struct {
	kind   placeKind
	leader election.Identity // if it is led
}

type placeKind int

const (
	nowhere placeKind = iota // it does not exist
	free
	led
	unknown // it is led by a member that the log does not tell
)

// Add adds an event that was seen at a time. Add them in their order.
func (t *Timeline) Add(e *Event, at time.Time) {
	var before, after placeKind
	switch e.Kind {
	case EventCreated:
		before, after = nowhere, free
	case EventClaimed:
		if before, after = free, led; e.Reason == group.ReasonExpiry.String() {
			before = unknown // its leader has died: it was free, but since when?
		}
	case EventHandedOver:
		before, after = unknown, led
	case EventVacant:
		before, after = unknown, free
	case EventRemoved:
		if e.Shard == "" {
			t.leave(e.Member, at)
			return
		}
		before, after = unknown, nowhere
	case EventLeft, EventEvicted, EventJoined:
		t.leave(e.Member, at)
		return
	default:
		return
	}
	s := t.second(at)
	if after == led {
		s.Moves[e.Reason]++
	}
	from, known := t.places[e.Shard]
	if !known {
		from = place{kind: before}
	}
	t.move(s, e.Shard, from, place{after, e.To})
}

// leave makes all shards free that a session led before it ended.
func (t *Timeline) leave(m election.Identity, at time.Time) {
	for shard, from := range t.places {
		if from.kind == led && from.leader.ID == m.ID {
			t.move(t.second(at), shard, from, place{kind: free})
		}
	}
}

func (t *Timeline) move(s *Second, shard string, from, to place) {
	s.count(from, -1)
	s.count(to, +1)
	if t.places == nil {
		t.places = make(map[string]place)
	}
	t.places[shard] = to
	if to.kind == nowhere {
		delete(t.places, shard)
	}
}

func (s *Second) count(p place, n int) {
	switch p.kind {
	case free:
		s.Free += n
	case led:
		s.Loads[p.leader.ID] += n
	case unknown:
		s.Unknown += n
	case nowhere:
	}
}

// second returns the second of a time. If the clock goes back, that is the last one.
func (t *Timeline) second(at time.Time) *Second {
	if n := len(t.Seconds); n == 0 || t.Seconds[n-1].At < at.Unix() {
		t.Seconds = append(t.Seconds, Second{At: at.Unix(), Loads: make(map[string]int), Moves: make(map[string]int)})
	}
	return &t.Seconds[len(t.Seconds)-1]
}

// Know tells where all shards are after the events so far, of which the log may not have all.
func (t *Timeline) Know(st *groupview.State) {
	t.places = make(map[string]place, st.Mirror.Len())
	for _, s := range st.Mirror.Shards() {
		switch {
		case s.Unreadable != nil:
			t.places[s.Name] = place{kind: nowhere}
		case st.Mirror.Free(s):
			t.places[s.Name] = place{kind: free}
		default:
			t.places[s.Name] = place{led, s.Leader}
		}
	}
}

// Trim removes the seconds before a time.
func (t *Timeline) Trim(before time.Time) {
	n, _ := slices.BinarySearchFunc(t.Seconds, before.Unix(), func(s Second, at int64) int { return int(s.At - at) })
	t.Seconds = slices.Delete(t.Seconds, 0, n)
}
