package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/subspace"
)

// notes are what a candidate keeps in its own record from one cycle to the next,
// so that a caller of RunElectionCycle need not keep anything. All instants are on
// the clock of the run.
type notes struct {
	run   uuid.UUID // of the clock
	since time.Time // when the first notes of this incarnation were taken
	// trusted is the latest instant until which a result said that its holder leads.
	trusted time.Time
	// out is until when the candidate stays out, after it resigned on request.
	out time.Time
	// seen is the observation of the leader record. If this candidate leads, that is the
	// record which its last cycle wrote.
	seen    Observation
	request seenRequest // of what is asked of the holder
}

// seenRequest is what a holder has seen of an intent.
type seenRequest struct {
	kind    RequestKind
	nonce   uuid.UUID
	counter uint64
	// live is since when the intent counts: from its first sight, and a challenge
	// from when its counter was first seen to move.
	live time.Time
	// moved is when the counter was last seen to change.
	moved time.Time
}

// notesOf returns the notes in a candidate record, or fresh ones. Notes of
// another run of the clock or of another incarnation are discarded, as are those
// that name an instant which this clock has not reached.
func notesOf(own *Candidate, me Identity, clock Clock, at time.Time) notes {
	fresh := notes{run: clock.Run, since: at}
	if own == nil || own.notes == nil || own.Identity != me || own.notes.run != clock.Run {
		return fresh
	}
	n := *own.notes
	for _, t := range []time.Time{n.since, n.seen.TermSince, n.seen.BallotSince, n.seen.LostAt, n.request.live, n.request.moved} {
		if t.After(at) {
			return fresh
		}
	}
	return n
}

// sight takes in the intent that stands about the contender's own term.
func (c *caller) sight(v *view) {
	n, intent := &c.notes, &v.intent
	before := n.request
	if before.nonce == intent.Nonce {
		if before.counter == intent.Counter {
			return
		}
		n.request.counter, n.request.moved = intent.Counter, c.at
		if before.live.IsZero() {
			n.request.live = c.at
		}
		return
	}
	// If the last cycle did not write the record that stands, a claim may have. It took no
	// note of what it promised, which ends with the lease of that record.
	if end := c.at.Add(v.leader.LeaseDuration); n.seen.Ballot != v.leader.Ballot && end.After(n.trusted) {
		n.trusted = end
	}
	n.request = seenRequest{kind: intent.Kind, nonce: intent.Nonce, counter: intent.Counter}
	switch {
	case intent.Kind != PreemptionRequest:
		n.request.live = c.at
	case before.kind == PreemptionRequest: // a stronger challenger: the age goes on
		n.request.live = before.live
	}
}

// alive reports whether the intent that was sighted still has an author: an
// operator's request stands until it is cancelled, and the counter of a challenge
// must have been seen to move within the last two heartbeats.
func (s *seenRequest) alive(at time.Time, heartbeat time.Duration) bool {
	if s.kind != PreemptionRequest {
		return s.kind != NoRequest
	}
	return !s.moved.IsZero() && at.Sub(s.moved) <= 2*heartbeat
}

// encode appends the notes as a nested tuple.
func (n *notes) encode(b []byte) []byte {
	b = subspace.OpenNested(b)
	b = subspace.AppendUUID(b, n.run)
	b = appendReading(b, n.since)
	b = appendReading(b, n.trusted)
	b = appendReading(b, n.out)
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
		b = appendReading(b, s.live)
		b = appendReading(b, s.moved)
	}
	b = subspace.CloseNested(b)
	return subspace.CloseNested(b)
}

// decodeNotes reads notes. Notes that cannot be read are none: they are worth no
// more than what this process can observe again.
func decodeNotes(r subspace.Reader) *notes {
	n := notes{run: r.UUID(), since: reading(&r), trusted: reading(&r), out: reading(&r)}
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
			live: reading(&request), moved: reading(&request),
		}
	}
	if r.Err() != nil || seen.Err() != nil || request.Err() != nil {
		return nil
	}
	return &n
}

// appendReading appends a reading of a process's own clock: nanoseconds since
// 1970, and 0 for none.
func appendReading(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return subspace.AppendInt(b, 0)
	}
	return appendTime(b, t)
}

func reading(r *subspace.Reader) time.Time {
	n := r.Int64()
	if n == 0 || n < -1<<62 || n > 1<<62 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
