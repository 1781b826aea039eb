package election

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// EventKind says which end of a tenure an event tells of.
type EventKind int

const (
	// EventBegan: the tenure began.
	EventBegan EventKind = iota
	// EventEnded: the tenure ended, and left the seat vacant.
	EventEnded
)

// String returns "began" or "ended".
func (k EventKind) String() string {
	switch k {
	case EventBegan:
		return "began"
	case EventEnded:
		return "ended"
	default:
		return "EventKind(" + strconv.Itoa(int(k)) + ")"
	}
}

// Event is one entry of the history: a change of the tenure, written with it
// in one transaction.
type Event struct {
	Term uint64
	Kind EventKind
	// From held the seat before, and To holds it after; an empty ID is nobody.
	From, To Identity
	// Reason is the origin of a tenure that began, or why one ended, in words.
	Reason string
	// Ballot is the one that the change wrote.
	Ballot uint64
	// At is the wall clock of the process that made the change.
	At time.Time
	// Nonce names the tenure.
	Nonce uuid.UUID
}

func (v *Event) encode() []byte {
	b := newRecord(128 + len(v.From.ID) + len(v.To.ID))
	b = appendIdentity(b, v.From)
	b = appendIdentity(b, v.To)
	b = subspace.AppendString(b, v.Reason)
	b = subspace.AppendUint(b, v.Ballot)
	b = appendTime(b, v.At)
	return subspace.AppendUUID(b, v.Nonce)
}

func (k *keys) decodeEvent(key, value []byte) (Event, error) {
	where, err := reader(key, k.history)
	if err != nil {
		return Event{}, invalidKey("history", key, err)
	}
	v := Event{Term: where.Uint64(), Kind: EventKind(where.Int64())}
	if err := closed(&where); err != nil {
		return Event{}, invalidKey("history", key, err)
	}
	r := openRecord("history", key, value)
	v.From, v.To = r.identity(), r.identity()
	v.Reason = r.Text()
	v.Ballot = r.count()
	v.At = r.time()
	v.Nonce = r.UUID()
	return v, r.close()
}

// History returns the newest events, newest first, by a snapshot read. A limit
// of zero returns all that are kept. Errors: ErrInvalidState.
func (e *LeaderElection) History(tr kv.ReadTransaction, limit int) ([]Event, error) {
	begin, end := within(e.keys.history)
	rows, err := tr.Snapshot().GetRange(begin, end, kv.RangeOptions{Limit: max(limit, 0), Reverse: true}).Get()
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(rows))
	for _, row := range rows {
		event, err := e.keys.decodeEvent(row.Key, row.Value)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}

// record writes an event, and trims the terms that are past the limit with one
// ClearRange. Whoever calls it has read the leader record serialisably.
func (e *LeaderElection) record(tr kv.Transaction, config fdbelection.Config, event Event) {
	limit := uint64(config.HistoryLimit)
	if limit > 0 {
		tr.Set(e.keys.event(event.Term, event.Kind), event.encode())
	}
	if event.Kind == EventBegan && event.Term >= limit {
		begin, _ := within(e.keys.history)
		tr.ClearRange(begin, e.keys.firstEvent(event.Term-limit+1))
	}
}

func invalidKey(kind string, key []byte, problem error) error {
	return &fdbelection.InvalidStateError{Key: key, Record: kind, Problem: problem.Error()}
}
