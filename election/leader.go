package election

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/subspace"
)

// AcquireReason says how a tenure began.
type AcquireReason int

const (
	// AcquireVacancy: the seat was empty.
	AcquireVacancy AcquireReason = iota
	// AcquireExpiry: the lease of the holder before was over.
	AcquireExpiry
	// AcquirePreemption: a strictly higher priority took the seat, or was handed it
	// after a challenge.
	AcquirePreemption
	// AcquireTransfer: the holder before handed the seat over by request.
	AcquireTransfer
	// AcquireReclaim: the same process began anew, after its own belief had ended.
	AcquireReclaim
)

// String returns the origin in a word.
func (o AcquireReason) String() string {
	switch o {
	case AcquireVacancy:
		return "vacancy"
	case AcquireExpiry:
		return "expiry"
	case AcquirePreemption:
		return "preemption"
	case AcquireTransfer:
		return "transfer"
	case AcquireReclaim:
		return "reclaim"
	default:
		return "AcquireReason(" + strconv.Itoa(int(o)) + ")"
	}
}

// LeaderRecord is the leader record: who holds the seat, in which term, until when.
type LeaderRecord struct {
	// Ballot counts the writes of this record; it only ever grows.
	Ballot uint64
	// Term counts the tenures. It is the fencing token.
	Term uint64
	// Identity is the holder; a vacant seat has an empty ID.
	Identity
	// Priority is the holder's at its last claim or renewal.
	Priority int32
	// LeaseExpiry is when the lease ends, by the holder's wall clock.
	LeaseExpiry time.Time
	// LeaseDuration is how long the lease is from its last write.
	LeaseDuration time.Duration
	// Versionstamp is that of the holder's registration.
	Versionstamp subspace.Versionstamp
	// AcquiredAt is when the tenure began, by the holder's wall clock.
	AcquiredAt time.Time
	// Accepted is false while a seat that was handed over waits for the first
	// renewal by its new holder, who does not lead before that.
	Accepted bool
	// Nonce names the tenure, or in a vacancy the one that ended: a database that
	// was restored can repeat a number, and never a nonce.
	Nonce uuid.UUID
	// AcquireReason says how the tenure began.
	AcquireReason AcquireReason
}

// Vacant reports whether nobody holds the seat. The zero Leader, of a seat
// that was never held, is vacant.
func (l LeaderRecord) Vacant() bool { return l.ID == "" }

// String returns the holder, the term and the ballot, safe to print.
func (l LeaderRecord) String() string {
	holder := "vacant"
	if !l.Vacant() {
		holder = l.Identity.String()
	}
	return fmt.Sprintf("%s in term %d, ballot %d", holder, l.Term, l.Ballot)
}

// HeldBy reports whether this very incarnation holds the seat.
func (l LeaderRecord) HeldBy(i Identity) bool { return !l.Vacant() && l.Identity == i }

// ExpiredAt reports whether the lease is over by the wall clock. The instant
// of expiry is over.
func (l LeaderRecord) ExpiredAt(now time.Time) bool { return !now.Before(l.LeaseExpiry) }

// Token returns the fencing token of the tenure.
func (l LeaderRecord) Token() Token {
	return Token{Term: l.Term, Identity: l.Identity, Nonce: l.Nonce}
}

// in reports whether the seat is held in exactly the tenure of a token.
func (l LeaderRecord) in(t Token) bool { return !l.Vacant() && l.Token() == t }

// vacatedBy reports whether the seat is empty since the tenure of a token.
func (l LeaderRecord) vacatedBy(t Token) bool {
	return l.Vacant() && l.Term == t.Term && l.Nonce == t.Nonce
}

// vacated returns the record after its tenure ended: the ballot goes on, term
// and nonce say which tenure it was.
func (l LeaderRecord) vacated(now time.Time) LeaderRecord {
	return LeaderRecord{
		Ballot: l.Ballot + 1, Term: l.Term, Nonce: l.Nonce,
		LeaseExpiry: instant(now), AcquiredAt: instant(now),
	}
}

func (l LeaderRecord) encode() []byte {
	b := newRecord(128 + len(l.ID))
	b = subspace.AppendUint(b, l.Ballot)
	b = subspace.AppendUint(b, l.Term)
	b = appendIdentity(b, l.Identity)
	b = subspace.AppendInt(b, int64(l.Priority))
	b = appendTime(b, l.LeaseExpiry)
	b = subspace.AppendInt(b, int64(l.LeaseDuration))
	b = subspace.AppendVersionstamp(b, l.Versionstamp)
	b = appendTime(b, l.AcquiredAt)
	b = subspace.AppendBool(b, l.Accepted)
	b = subspace.AppendUUID(b, l.Nonce)
	return subspace.AppendInt(b, int64(l.AcquireReason))
}

// decodeLeader reads a leader record; no value is a seat never held.
func decodeLeader(key, value []byte) (LeaderRecord, error) {
	if value == nil {
		return LeaderRecord{}, nil
	}
	r := openRecord("leader", key, value)
	l := LeaderRecord{
		Ballot:        r.count(),
		Term:          r.count(),
		Identity:      r.identity(),
		Priority:      r.int32(),
		LeaseExpiry:   r.time(),
		LeaseDuration: r.duration(),
		Versionstamp:  r.Versionstamp(),
		AcquiredAt:    r.time(),
		Accepted:      r.Bool(),
		Nonce:         r.UUID(),
		AcquireReason: AcquireReason(r.Int64()),
	}
	if l.Term > l.Ballot {
		r.fail("the term is higher than the ballot")
	}
	if err := r.close(); err != nil {
		return LeaderRecord{}, err // no part of it counts
	}
	return l, nil
}
