package election

import (
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// EventKind says what an event is about.
type EventKind int

const (
	// EventBegan: the tenure began.
	EventBegan EventKind = iota
	// EventEnded: the tenure ended, and leadership was vacant after it.
	EventEnded
	// EventDuplicate: during the tenure, a process was started under the id of another one
	// that was alive, and did not replace it. It does not change the tenure.
	EventDuplicate

	eventKinds // the number of kinds
)

// String returns "began", "ended" or "duplicate".
func (k EventKind) String() string {
	switch k {
	case EventBegan:
		return "began"
	case EventEnded:
		return "ended"
	case EventDuplicate:
		return "duplicate"
	default:
		return "EventKind(" + strconv.Itoa(int(k)) + ")"
	}
}

// Event is one entry of the history: a change of the tenure, or a duplicate id that was
// found during it.
type Event struct {
	Term uint64
	Kind EventKind
	// From is the holder before, and To the holder after. An empty ID means no holder. For an
	// EventDuplicate, From is the existing candidate and To the process that did not start.
	From, To Identity
	// Reason says in words how the tenure began, or why it ended.
	Reason string
	// Ballot is the ballot that the change wrote, or the one when the duplicate was found.
	Ballot uint64
	// At is the wall clock of the process that wrote the event.
	At time.Time
	// Nonce names the tenure.
	Nonce uuid.UUID
}

func (e *Event) encode() []byte {
	b := record.New(128 + len(e.From.ID) + len(e.To.ID))
	b = appendIdentity(b, e.From)
	b = appendIdentity(b, e.To)
	b = subspace.AppendString(b, e.Reason)
	b = subspace.AppendUint(b, e.Ballot)
	b = record.AppendTime(b, e.At)
	return subspace.AppendUUID(b, e.Nonce)
}

// decodeEvent reads a history entry. It returns false if the key is not that of an entry.
func (k *keys) decodeEvent(key, value []byte) (Event, bool, error) {
	where, ok := record.Shaped(key, k.history, subspace.KindInteger, subspace.KindInteger)
	if !ok {
		return Event{}, false, nil
	}
	event := Event{Term: where.Uint64(), Kind: EventKind(where.Int64())}
	if err := where.Err(); err != nil {
		return Event{}, true, invalidKey("history", key, err)
	}
	r := record.Open("history", key, value)
	event.From, event.To = readIdentity(&r), readIdentity(&r)
	event.Reason = r.Text()
	event.Ballot = r.Count()
	event.At = r.Time()
	event.Nonce = r.UUID()
	return event, true, r.Close()
}

// History returns the newest events, newest first, by a snapshot read. A limit
// of zero returns all that are kept. It omits unreadable entries and returns the others,
// with an error that names each unreadable one (ErrInvalidState).
func (e *LeaderElection) History(tr kv.ReadTransaction, limit int) ([]Event, error) {
	return e.decodeHistory(e.scanHistory(tr, limit))
}

// scanHistory begins to read the newest events.
func (e *LeaderElection) scanHistory(tr kv.ReadTransaction, limit int) kv.Future[[]kv.KeyValue] {
	begin, end := record.Below(e.keys.history, record.ZeroCode, record.AfterInteger)
	return tr.Snapshot().GetRange(begin, end, kv.RangeOptions{Limit: max(limit, 0), Reverse: true})
}

// decodeHistory returns the readable events, and a joined error of the others. The slice is
// nil only if the read failed.
func (e *LeaderElection) decodeHistory(future kv.Future[[]kv.KeyValue]) ([]Event, error) {
	rows, err := future.Get()
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(rows))
	var faults []error
	for _, row := range rows {
		event, ok, err := e.keys.decodeEvent(row.Key, row.Value)
		switch {
		case err != nil:
			faults = append(faults, err)
		case ok:
			events = append(events, event)
		}
	}
	return events, errors.Join(faults...)
}

// record writes an event. When a term begins, it also removes the events of the one term
// that is now too old. The transaction must have a read conflict on the leader record.
func (e *LeaderElection) record(tr kv.Transaction, config fdbelection.Config, event Event) {
	limit := uint64(config.HistoryLimit)
	if limit == 0 {
		return
	}
	tr.Set(e.keys.event(event.Term, event.Kind), event.encode())
	if event.Kind == EventBegan && event.Term >= limit { // term 0 can have an EventDuplicate
		for kind := range eventKinds {
			tr.Clear(e.keys.event(event.Term-limit, kind))
		}
	}
}

// trim removes the history of all terms below before, when the limit was lowered or the
// term was raised. It reads the range first, since keys of other elections may lie in it. An event that is
// recorded there meanwhile conflicts.
func (e *LeaderElection) trim(tr kv.Transaction, before uint64) error {
	begin, _ := record.Below(e.keys.history, record.ZeroCode, record.AfterInteger)
	rows, err := tr.GetRange(begin, e.keys.firstEvent(before), kv.RangeOptions{}).Get()
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, ok := record.Shaped(row.Key, e.keys.history, subspace.KindInteger, subspace.KindInteger); ok {
			tr.Clear(row.Key)
		}
	}
	return nil
}

// firstKept returns the first term whose history is kept when term is the newest.
func firstKept(config fdbelection.Config, term uint64) uint64 {
	return term + 1 - min(uint64(config.HistoryLimit), term+1)
}
