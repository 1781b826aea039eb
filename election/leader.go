package election

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// AcquireReason says how a tenure began.
type AcquireReason int

const (
	// AcquireVacancy: leadership was vacant.
	AcquireVacancy AcquireReason = iota
	// AcquireExpiry: the lease of the previous holder had expired.
	AcquireExpiry
	// AcquirePreemption: a candidate of a strictly higher priority claimed leadership, or
	// was handed it after a preemption request.
	AcquirePreemption
	// AcquireTransfer: the previous holder transferred leadership, on request or by itself.
	AcquireTransfer
	// AcquireReclaim: the same process claimed again after its own tenure had ended.
	AcquireReclaim
)

// String returns the reason in a word.
func (r AcquireReason) String() string {
	switch r {
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
		return "AcquireReason(" + strconv.Itoa(int(r)) + ")"
	}
}

// LeaderRecord says who holds leadership, in which term, and until when.
type LeaderRecord struct {
	// Ballot is the number of writes of this record. It never falls.
	Ballot uint64
	// Term is the number of the tenure. It is the fencing token.
	Term uint64
	// Identity is the holder. If leadership is vacant, the ID is empty.
	Identity
	// Priority is the priority of the holder at its last claim or renewal.
	Priority int32
	// LeaseExpiry is when the lease ends, by the holder's wall clock.
	LeaseExpiry time.Time
	// LeaseDuration is the length of the lease, counted from the last write.
	LeaseDuration time.Duration
	// Versionstamp is that of the holder's registration.
	Versionstamp subspace.Versionstamp
	// AcquiredAt is when the tenure began, by the holder's wall clock.
	AcquiredAt time.Time
	// Accepted is false from a hand-over until the first renewal by the new holder, which
	// does not lead before that.
	Accepted bool
	// Nonce names the tenure. In a vacancy it names the tenure that has ended. A restored
	// database can repeat a term, but never a nonce.
	Nonce uuid.UUID
	// AcquireReason says how the tenure began.
	AcquireReason AcquireReason
}

// Vacant reports whether the record names no holder. The zero LeaderRecord, of an election that
// never had a leader, is vacant.
func (l LeaderRecord) Vacant() bool { return l.ID == "" }

// String returns the holder, the term and the ballot, safe to print.
func (l LeaderRecord) String() string {
	holder := "vacant"
	if !l.Vacant() {
		holder = l.Identity.String()
	}
	return fmt.Sprintf("%s in term %d, ballot %d", holder, l.Term, l.Ballot)
}

// HeldBy reports whether exactly this incarnation holds leadership.
func (l LeaderRecord) HeldBy(i Identity) bool { return !l.Vacant() && l.Identity == i }

// Token returns the fencing token of the tenure.
func (l LeaderRecord) Token() Token {
	return Token{Term: l.Term, Identity: l.Identity, Nonce: l.Nonce}
}

// in reports whether leadership is held in exactly the tenure of a token.
func (l LeaderRecord) in(t Token) bool { return !l.Vacant() && l.Token() == t }

// vacatedBy reports whether leadership is vacant since the tenure of a token ended.
func (l LeaderRecord) vacatedBy(t Token) bool {
	return l.Vacant() && l.Term == t.Term && l.Nonce == t.Nonce
}

// vacated returns the leader record after its tenure has ended. Term and nonce stay, and
// name that tenure.
func (l LeaderRecord) vacated(now time.Time) LeaderRecord {
	return LeaderRecord{
		Ballot: l.Ballot + 1, Term: l.Term, Nonce: l.Nonce,
		LeaseExpiry: record.Instant(now), AcquiredAt: record.Instant(now),
	}
}

func (l LeaderRecord) encode() []byte {
	b := record.New(128 + len(l.ID))
	b = subspace.AppendUint(b, l.Ballot)
	b = subspace.AppendUint(b, l.Term)
	b = appendIdentity(b, l.Identity)
	b = subspace.AppendInt(b, int64(l.Priority))
	b = record.AppendTime(b, l.LeaseExpiry)
	b = subspace.AppendInt(b, int64(l.LeaseDuration))
	b = subspace.AppendVersionstamp(b, l.Versionstamp)
	b = record.AppendTime(b, l.AcquiredAt)
	b = subspace.AppendBool(b, l.Accepted)
	b = subspace.AppendUUID(b, l.Nonce)
	return subspace.AppendInt(b, int64(l.AcquireReason))
}

// decodeLeader reads a leader record. Without a value, it returns the zero record.
func decodeLeader(key, value []byte) (LeaderRecord, error) {
	if value == nil {
		return LeaderRecord{}, nil
	}
	r := record.Open("leader", key, value)
	l := LeaderRecord{
		Ballot:        r.Count(),
		Term:          r.Count(),
		Identity:      readIdentity(&r),
		Priority:      r.Int32("priority"),
		LeaseExpiry:   r.Time(),
		LeaseDuration: r.Duration(),
		Versionstamp:  r.Versionstamp(),
		AcquiredAt:    r.Time(),
		Accepted:      r.Bool(),
		Nonce:         r.UUID(),
		AcquireReason: AcquireReason(r.Int64()),
	}
	if l.Term > l.Ballot {
		r.Fail("the term is higher than the ballot")
	}
	if err := r.Close(); err != nil {
		return LeaderRecord{}, err // without the part that could be read
	}
	return l, nil
}
