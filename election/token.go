package election

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Token is the proof of one tenure. Its Term is the fencing token for systems
// outside the database: they keep the highest that they saw and refuse lower
// ones. Inside the database RequireLeadership compares all of it.
type Token struct {
	Term uint64
	Identity
	Nonce uuid.UUID
}

// String returns the term and its holder, safe to print.
func (t Token) String() string { return fmt.Sprintf("term %d of %s", t.Term, t.Identity) }

// RequireLeadership is the fence: it returns nil and makes tr commit only if
// the tenure of token is the newest one, else it returns
// fdbelection.ErrFenced. Call it in every transaction that writes on the
// authority of leadership.
//
// It reads the term record, which renewals leave alone: fenced work conflicts
// with every change of tenure and with no heartbeat. No clock takes part: a
// leader whose lease is over may still write until somebody took over.
//
// A transaction that writes nothing is not fenced, as it is never checked for
// conflicts: what it read may be of a tenure that has just ended. That is why
// a kv.ReadTransaction is not accepted here.
func (e *LeaderElection) RequireLeadership(tr kv.Transaction, token Token) error {
	value, err := tr.Get(e.keys.term).Get()
	if err != nil {
		return err
	}
	if value == nil {
		return fmt.Errorf("%w: no tenure is recorded here, the token is %s", fdbelection.ErrFenced, token)
	}
	now, err := decodeTenure(e.keys.term, value)
	switch {
	case err != nil:
		return err
	case now.Token != token:
		return fmt.Errorf("%w: the newest is %s, the token is %s", fdbelection.ErrFenced, now.Token, token)
	case !now.Held:
		return fmt.Errorf("%w: %s has ended and the seat is vacant", fdbelection.ErrFenced, token)
	}
	return nil
}

// Tenure is the term record: what the fence reads.
type Tenure struct {
	Token
	// Held is false once the tenure has ended and nobody has followed. The Token is
	// that of its last holder then.
	Held bool
}

func (t Tenure) encode() []byte {
	b := newRecord(64 + len(t.ID))
	b = subspace.AppendUint(b, t.Term)
	b = appendIdentity(b, t.Identity)
	b = subspace.AppendUUID(b, t.Nonce)
	return subspace.AppendBool(b, t.Held)
}

func decodeTenure(key, value []byte) (Tenure, error) {
	r := openRecord("term", key, value)
	t := Tenure{
		Token: Token{Term: r.count(), Identity: r.identity(), Nonce: r.UUID()},
		Held:  r.Bool(),
	}
	return t, r.close()
}
