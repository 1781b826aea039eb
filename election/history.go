package election

import (
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// EventKind says what an event tells of.
type EventKind int

const (
	// EventBegan: the tenure began.
	EventBegan EventKind = iota
	// EventEnded: the tenure ended, and left the seat vacant.
	EventEnded
	// EventDuplicate: during the tenure a process was started under the id of another
	// one that is alive, and has refused to take its place. It does not change
	// the tenure.
	EventDuplicate

	eventKinds // how many there are
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

// Event is one entry of the history: a change of the tenure, written with it
// in one transaction, or a duplicate of an id that was found during the tenure.
type Event struct {
	Term uint64
	Kind EventKind
	// From held the seat before, and To holds it after; an empty ID means no holder. Of an
	// EventDuplicate, From is the incumbent and To the newcomer.
	From, To Identity
	// Reason is the origin of a tenure that began, or why one ended, in words.
	Reason string
	// Ballot is the one that the change wrote, or that stood when a duplicate was found.
	Ballot uint64
	// At is the wall clock of the process that wrote the event.
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

// decodeEvent reads a history entry; it returns false for a key that is none.
func (k *keys) decodeEvent(key, value []byte) (Event, bool, error) {
	where, ok := shaped(key, k.history, subspace.KindInteger, subspace.KindInteger)
	if !ok {
		return Event{}, false, nil
	}
	v := Event{Term: where.Uint64(), Kind: EventKind(where.Int64())}
	if err := where.Err(); err != nil {
		return Event{}, true, invalidKey("history", key, err)
	}
	r := openRecord("history", key, value)
	v.From, v.To = r.identity(), r.identity()
	v.Reason = r.Text()
	v.Ballot = r.count()
	v.At = r.time()
	v.Nonce = r.UUID()
	return v, true, r.close()
}

// History returns the newest events, newest first, by a snapshot read. A limit
// of zero returns all that are kept. Entries that cannot be read are left out, and
// the error names each of them (ErrInvalidState) while the others are returned.
func (e *LeaderElection) History(tr kv.ReadTransaction, limit int) ([]Event, error) {
	begin, end := below(e.keys.history, zeroCode, afterInteger)
	rows, err := tr.Snapshot().GetRange(begin, end, kv.RangeOptions{Limit: max(limit, 0), Reverse: true}).Get()
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

// record writes an event, and removes those of the one term that leaves the
// history for it. Its caller has read the leader record serialisably.
func (e *LeaderElection) record(tr kv.Transaction, config fdbelection.Config, event Event) {
	limit := uint64(config.HistoryLimit)
	if limit == 0 {
		return
	}
	tr.Set(e.keys.event(event.Term, event.Kind), event.encode())
	if event.Kind == EventBegan && event.Term >= limit { // a duplicate may have been told of before term 1
		for kind := range eventKinds {
			tr.Clear(e.keys.event(event.Term-limit, kind))
		}
	}
}

// trim removes the history of all terms before one: after the limit was lowered,
// or terms were passed over. It reads what it removes, since other elections may
// keep their records in between.
func (e *LeaderElection) trim(tr kv.Transaction, before uint64) error {
	begin, _ := below(e.keys.history, zeroCode, afterInteger)
	rows, err := tr.Snapshot().GetRange(begin, e.keys.firstEvent(before), kv.RangeOptions{}).Get()
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, ok := shaped(row.Key, e.keys.history, subspace.KindInteger, subspace.KindInteger); ok {
			tr.Clear(row.Key)
		}
	}
	return nil
}

// firstKept is the first term whose history is kept once term is the newest.
func firstKept(config fdbelection.Config, term uint64) uint64 {
	return term + 1 - min(uint64(config.HistoryLimit), term+1)
}
