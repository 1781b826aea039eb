package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// notes are what a candidate keeps in its own record from one cycle to the next, so a
// caller of RunElectionCycle need not keep anything. All instants are readings of the
// clock of one run.
type notes struct {
	run   uuid.UUID // of the clock
	since time.Time // when this incarnation took its first notes
	// validUntil is the latest instant until which a cycle said that its caller leads.
	validUntil time.Time
	// holdOff is the instant before which the candidate claims nothing, after it has
	// resigned on request.
	holdOff time.Time
	// seen is the observation of the leader record. For a leader, it is the record that its
	// last cycle wrote.
	seen    Observation
	request seenRequest // what is asked of the holder
}

// seenRequest is what a holder has seen of a request.
type seenRequest struct {
	kind    RequestKind
	nonce   uuid.UUID
	counter uint64
	// since is when the request began to count. A request of an operator counts when it
	// is first seen, and a preemption request when its counter is first seen to change.
	since time.Time
	// changed is when the counter was last seen to change.
	changed time.Time
}

// notesOf returns the notes in a candidate record, or new ones. It discards notes of
// another run of the clock or of another incarnation, and notes with an instant of
// observation that this clock has not reached.
func notesOf(own *Candidate, me Identity, clock Clock, at time.Time) notes {
	fresh := notes{run: clock.Run, since: at}
	if own == nil || own.notes == nil || own.Identity != me || own.notes.run != clock.Run {
		return fresh
	}
	n := *own.notes
	for _, t := range []time.Time{n.since, n.seen.TermSince, n.seen.BallotSince, n.seen.LostAt, n.request.since, n.request.changed} {
		if t.After(at) {
			return fresh
		}
	}
	return n
}

// alive reports whether the author of the request still wants it. A request of an operator
// stands until it is cancelled. The counter of a preemption request must have changed within
// the last two heartbeat intervals.
func (s *seenRequest) alive(at time.Time, heartbeat time.Duration) bool {
	if s.kind != PreemptionRequest {
		return s.kind != NoRequest
	}
	return !s.changed.IsZero() && at.Sub(s.changed) <= 2*heartbeat
}

// encode appends the notes as a nested tuple.
func (n *notes) encode(b []byte) []byte {
	b = subspace.OpenNested(b)
	b = subspace.AppendUUID(b, n.run)
	b = appendReading(b, n.since)
	b = appendReading(b, n.validUntil)
	b = appendReading(b, n.holdOff)
	b = subspace.OpenNested(b)
	if o := n.seen; o != (Observation{}) {
		b = subspace.AppendUint(b, o.Term)
		b = subspace.AppendUUID(b, o.Nonce)
		b = appendReading(b, o.TermSince)
		b = subspace.AppendUint(b, o.Ballot)
		b = appendReading(b, o.BallotSince)
		b = subspace.AppendInt(b, int64(o.Lease))
		b = appendReading(b, o.LostAt)
	}
	b = subspace.CloseNested(b)
	b = subspace.OpenNested(b)
	if s := n.request; s.kind != NoRequest {
		b = subspace.AppendInt(b, int64(s.kind))
		b = subspace.AppendUUID(b, s.nonce)
		b = subspace.AppendUint(b, s.counter)
		b = appendReading(b, s.since)
		b = appendReading(b, s.changed)
	}
	b = subspace.CloseNested(b)
	return subspace.CloseNested(b)
}

// decodeNotes reads notes. It returns nil if they cannot be read, since the process can
// observe everything in them again.
func decodeNotes(r subspace.Reader) *notes {
	n := notes{run: r.UUID(), since: reading(&r), validUntil: reading(&r), holdOff: reading(&r)}
	seen := r.Nested()
	if seen.More() {
		n.seen = Observation{
			Term: seen.Uint64(), Nonce: seen.UUID(), TermSince: reading(&seen),
			Ballot: seen.Uint64(), BallotSince: reading(&seen),
			Lease: time.Duration(seen.Int64()), LostAt: reading(&seen),
		}
	}
	request := r.Nested()
	if request.More() {
		n.request = seenRequest{
			kind: RequestKind(request.Int64()), nonce: request.UUID(), counter: request.Uint64(),
			since: reading(&request), changed: reading(&request),
		}
	}
	if r.Err() != nil || seen.Err() != nil || request.Err() != nil {
		return nil
	}
	return &n
}

// appendReading appends a reading of the clock of a process as nanoseconds since 1970. The
// zero time is 0.
func appendReading(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return subspace.AppendInt(b, 0)
	}
	return record.AppendTime(b, t)
}

func reading(r *subspace.Reader) time.Time {
	n := r.Int64()
	if n == 0 || n < -1<<62 || n > 1<<62 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
