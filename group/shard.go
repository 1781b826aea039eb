package group

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// Reason says how the tenure of a shard began. If the shard is vacant, it says how the last
// tenure ended.
type Reason int

// The reasons. Their numbers are stored.
const (
	// ReasonCreated: the shard is new and never had a leader.
	ReasonCreated Reason = iota
	// ReasonVacancy: the shard was vacant.
	ReasonVacancy
	// ReasonExpiry: the session of the leader before had ended.
	ReasonExpiry
	// ReasonBalance: the leader before had more than its share.
	ReasonBalance
	// ReasonPin: the shard is pinned to another member.
	ReasonPin
	// ReasonDrain: an operator drains the leader before.
	ReasonDrain
	// ReasonStop: the leader before stopped.
	ReasonStop
	// ReasonResign: an operator asked the leader before to resign.
	ReasonResign
	// ReasonWork: the work of the leader before returned or failed.
	ReasonWork
	// ReasonNotReady: the leader before was not ready any more.
	ReasonNotReady
	// ReasonDisabled: the group was disabled.
	ReasonDisabled
	// ReasonLapse: the leader before could not renew its session in time.
	ReasonLapse
	// ReasonRaised: an operator has raised the term.
	ReasonRaised
	reasons // how many there are
)

var reasonNames = [reasons]string{
	"created", "vacancy", "expiry", "balance", "pin", "drain", "stop", "resign", "work", "not ready", "disabled", "lapse", "raised",
}

// String returns the reason in a word or two.
func (r Reason) String() string {
	if r >= 0 && r < reasons {
		return reasonNames[r]
	}
	return "Reason(" + strconv.Itoa(int(r)) + ")"
}

// Shard is a shard record. It is written only when a tenure of the shard begins or ends.
type Shard struct {
	Name string
	// Term is the number of the tenure. It is the fencing token.
	Term uint64
	// Leader is the session that leads the shard. If it has no ID, the shard is vacant, and
	// Term and Nonce are those of the last tenure.
	Leader election.Identity
	// Nonce names the tenure.
	Nonce uuid.UUID
	// Reason says how the tenure began or ended.
	Reason Reason
	// At is when that was, by the wall clock of its author. It is for display.
	At time.Time
	// Moves is the number of moves for balance in a row.
	Moves uint32
}

// Vacant reports whether the shard has no leader.
func (s *Shard) Vacant() bool { return s.Leader.ID == "" }

// Token returns the fencing token of the tenure.
func (s *Shard) Token() Token {
	return Token{Shard: s.Name, Token: election.Token{Term: s.Term, Identity: s.Leader, Nonce: s.Nonce}}
}

// String returns the shard, its leader and its term. It is safe to print.
func (s *Shard) String() string {
	leader := "vacant"
	if !s.Vacant() {
		leader = s.Leader.String()
	}
	return fmt.Sprintf("%s: %s in term %d", election.SafeText(s.Name), leader, s.Term)
}

// in reports whether the shard is led in exactly the tenure of a token.
func (s *Shard) in(t Token) bool { return !s.Vacant() && s.Token() == t }

// vacatedBy reports whether the shard is vacant since the tenure of a token ended.
func (s *Shard) vacatedBy(t Token) bool { return s.Vacant() && s.Term == t.Term && s.Nonce == t.Nonce }

func (s *Shard) encode() []byte {
	b := record.New(72 + len(s.Leader.ID))
	b = subspace.AppendUint(b, s.Term)
	b = subspace.AppendUUID(subspace.AppendString(b, s.Leader.ID), s.Leader.Incarnation)
	b = subspace.AppendUUID(b, s.Nonce)
	b = subspace.AppendInt(b, int64(s.Reason))
	b = record.AppendTime(b, s.At)
	return subspace.AppendUint(b, uint64(s.Moves))
}

func decodeShard(key []byte, name string, value []byte) (Shard, error) {
	r := record.Open("shard", key, value)
	s := Shard{
		Name: name, Term: r.Count(), Leader: election.Identity{ID: r.Text(), Incarnation: r.UUID()},
		Nonce: r.UUID(), Reason: Reason(r.Int32("reason")), At: r.Time(),
	}
	moves := r.Count()
	if s.Moves = uint32(moves); moves > math.MaxUint32 {
		r.Fail("its number of moves is out of range")
	}
	if r.Sound() && s.Leader.ID != "" && record.NameProblem(s.Leader.ID) != "" {
		r.Fail("the id of its leader " + record.NameProblem(s.Leader.ID))
	}
	if err := r.Close(); err != nil {
		return Shard{Name: name}, err
	}
	return s, nil
}
