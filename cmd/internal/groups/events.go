package groups

import (
	"fmt"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// Event is what a change in the log means.
type Event struct {
	Version int64
	At      time.Time // by the clock of its author; zero if the record does not say so
	Kind    string
	Shard   string // of a shard, pin or request
	Term    uint64 // of the shard
	// From and To are the leader before and after, as far as they are known. Member is whom
	// the event is about: the member that changed, or the target of a pin. A target and a
	// drained member have no incarnation.
	From, To, Member election.Identity
	Reason           string
	Unreadable       error
}

// What returns the name of the shard, or the id of the member, that an event is about. It is
// empty for the config.
func (e *Event) What() string {
	if e.Shard != "" {
		return e.Shard
	}
	return e.Member.ID
}

// The kinds of events.
const (
	EventCreated    = "created"     // a shard was created
	EventClaimed    = "claimed"     // a member has claimed a free shard
	EventHandedOver = "handed_over" // the leader has handed it over
	EventVacant     = "vacant"      // its leader has released it
	EventRemoved    = "removed"     // it was removed
	EventJoined     = "joined"      // a member has joined
	EventReady      = "ready"       // it is ready
	EventNotReady   = "not_ready"   // it is not ready
	EventDraining   = "draining"    // it leaves
	EventChanged    = "changed"     // its record has changed otherwise
	EventLeft       = "left"        // it has left
	EventEvicted    = "evicted"     // another member has evicted it
	EventPinned     = "pinned"      // an operator has pinned a shard
	EventUnpinned   = "unpinned"    // the pin is gone
	EventRequested  = "requested"   // an operator asks something of the leader of a shard
	EventDone       = "done"        // the request is gone, since it was carried out
	EventCanceled   = "canceled"    // an operator has canceled it
	EventDrained    = "drained"     // an operator drains a member
	EventUndrained  = "undrained"   // it is not drained any more
	EventConfig     = "config"      // the config has changed
	EventUnreadable = "unreadable"  // the entry of the log cannot be read
)

// Teller says what changes in the log mean. It remembers what the records were before.
type Teller struct {
	// Whole says that what is not known did not exist.
	Whole bool

	before   *mirror.Mirror // nil: nothing is known
	config   *group.Config
	shards   map[string]*group.Shard
	members  map[string]*group.Member
	pins     map[string]string
	requests map[string]group.RequestKind
}

// NewTeller returns a Teller of the changes after a State. Tell each change before it is
// added to the State. st may be nil.
func NewTeller(st *groupview.State) *Teller {
	t := &Teller{
		shards: make(map[string]*group.Shard), members: make(map[string]*group.Member),
		pins: make(map[string]string), requests: make(map[string]group.RequestKind),
	}
	if st == nil {
		return t
	}
	t.Whole, t.before = true, st.Mirror
	if config, ok := st.Mirror.Config(); ok {
		t.config = &config
	}
	return t
}

// Tell returns what a change means. It returns false if nothing has changed.
func (t *Teller) Tell(c *group.Change) (Event, bool) {
	e := Event{Version: c.Version(), Reason: c.Why}
	if c.By != "" {
		e.Reason = fmt.Sprintf("%s by %s", c.Why, c.By)
	}
	if c.Unreadable != nil {
		e.Kind, e.Unreadable, e.Reason = EventUnreadable, c.Unreadable, c.Unreadable.Error()
		if c.Kind == group.KindMember || c.Kind == group.KindDrain {
			e.Member.ID = c.Name
		} else {
			e.Shard = c.Name
		}
		return e, true
	}
	told := true
	switch c.Kind {
	case group.KindConfig:
		t.tellConfig(&e, c)
	case group.KindMember:
		t.tellMember(&e, c)
	case group.KindShard:
		t.tellShard(&e, c)
	case group.KindPin:
		told = t.tellPin(&e, c)
	case group.KindRequest:
		told = t.tellRequest(&e, c)
	case group.KindDrain:
		e.Kind, e.Member.ID = output.Either(c.Removed, EventUndrained, EventDrained), c.Name
		if c.Removed {
			e.Reason = ""
		}
	}
	return e, told
}

func (t *Teller) tellConfig(e *Event, c *group.Change) {
	e.Kind = EventConfig
	if c.Config == nil {
		return
	}
	now := *c.Config
	e.Reason = fmt.Sprintf("revision %d", now.Revision)
	if t.config != nil {
		var differs []string
		for _, d := range records.Differences(records.GroupSettings, *t.config, now) {
			differs = append(differs, fmt.Sprintf("%s %s -> %s", d.Setting, d.From, d.To))
		}
		if differs != nil {
			e.Reason += ": " + strings.Join(differs, ", ")
		}
	}
	t.config = &now
}

func (t *Teller) tellMember(e *Event, c *group.Change) {
	last, known := t.members[c.Name]
	if !known && t.before != nil {
		last = t.before.Member(c.Name)
	}
	e.Member.ID = c.Name
	if c.Removed {
		if last != nil {
			e.Member = last.Identity
		}
		switch e.Kind = EventRemoved; c.Why {
		case EventLeft:
			e.Kind, e.Reason = EventLeft, ""
		case EventEvicted:
			e.Kind, e.Reason = EventEvicted, "by "+c.By
		}
		t.members[c.Name] = nil
		return
	}
	now := c.Member
	t.members[c.Name] = now
	e.Member, e.Reason = now.Identity, now.NotReady
	switch {
	case last == nil && (t.Whole || known), last != nil && last.Incarnation != now.Incarnation:
		e.Kind, e.At = EventJoined, now.JoinedAt
		e.Reason = fmt.Sprintf("weight %d", now.Weight)
	case now.Draining && (last == nil || !last.Draining):
		e.Kind = EventDraining
	case last == nil:
		e.Kind = EventChanged
	case now.Ready() && !last.Ready():
		e.Kind = EventReady
	case now.NotReady != last.NotReady:
		e.Kind = EventNotReady
	default:
		e.Kind, e.Reason = EventChanged, strings.TrimSpace(fmt.Sprintf("weight %d, capacity %d  %s", now.Weight, now.Capacity, output.Metadata(now.Tags)))
	}
}

func (t *Teller) tellShard(e *Event, c *group.Change) {
	last, known := t.shards[c.Name]
	if !known && t.before != nil {
		if s := t.before.Shard(c.Name); s != nil && s.Unreadable == nil {
			last = &s.Shard
		}
	}
	e.Shard = c.Name
	if last != nil {
		e.From, e.Term = last.Leader, last.Term
	}
	if c.Removed {
		e.Kind = EventRemoved
		t.shards[c.Name] = nil
		return
	}
	now := *c.Shard
	t.shards[c.Name] = &now
	e.Term, e.To, e.At, e.Reason = now.Term, now.Leader, now.At, now.Reason.String()
	switch {
	case now.Vacant() && now.Reason == group.ReasonCreated:
		e.Kind = EventCreated
	case now.Vacant():
		e.Kind = EventVacant
	case now.Reason == group.ReasonVacancy, now.Reason == group.ReasonExpiry:
		e.Kind = EventClaimed
	default:
		e.Kind = EventHandedOver
	}
}

// tellPin returns false for the pin of a removed shard that had none.
func (t *Teller) tellPin(e *Event, c *group.Change) bool {
	last, known := t.pins[c.Name]
	if !known && t.before != nil {
		last = t.before.Pin(c.Name)
	}
	t.pins[c.Name], e.Shard = c.Pin, c.Name
	if !c.Removed {
		e.Kind, e.Member.ID, e.Reason = EventPinned, c.Pin, "to "+c.Pin
		return true
	}
	e.Kind, e.Member.ID = EventUnpinned, last
	e.Reason = ""
	if last != "" {
		e.Reason = "from " + last
	}
	return last != "" || c.Why == EventUnpinned
}

// tellRequest returns false for the request of a removed shard that had none.
func (t *Teller) tellRequest(e *Event, c *group.Change) bool {
	last, known := t.requests[c.Name]
	if !known && t.before != nil {
		last = t.before.Request(c.Name).Kind
	}
	e.Shard = c.Name
	if !c.Removed {
		t.requests[c.Name] = c.Request.Kind
		e.Kind, e.Term, e.Reason = EventRequested, c.Request.Term, c.Request.Kind.String()
		return true
	}
	t.requests[c.Name] = group.NoRequest
	if last != group.NoRequest {
		e.Reason = last.String()
	}
	if e.Kind = EventDone; c.Why == EventCanceled {
		e.Kind = EventCanceled
		return true
	}
	return last != group.NoRequest
}
