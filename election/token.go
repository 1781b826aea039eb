package election

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

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

// tokenParts is how many parts the text of a token has.
const tokenParts = 4

// maxTokenText bounds what ParseToken looks at: twenty digits, two UUIDs, three
// colons, and an id of which every byte is escaped.
const maxTokenText = 20 + 2*36 + 3 + 3*MaxIDBytes

// Text returns the token as printable ASCII without spaces, which ParseToken reads:
// for an environment variable, a header, a command line. It is
//
//	TERM:INCARNATION:NONCE:ID
//
// with the id escaped as in a path of a URL. The term before the first colon is
// what a system outside the database compares.
func (t Token) Text() string {
	return strconv.FormatUint(t.Term, 10) + ":" + t.Incarnation.String() + ":" + t.Nonce.String() + ":" + url.PathEscape(t.ID)
}

// ParseToken reads what Text has written. It takes nothing else, not even another
// way to write the same, and its error quotes nothing that could steer a terminal.
func ParseToken(text string) (Token, error) {
	if len(text) > maxTokenText {
		return Token{}, fmt.Errorf("a fencing token has at most %d bytes, this text has %d", maxTokenText, len(text))
	}
	refuse := func(problem string) (Token, error) {
		return Token{}, fmt.Errorf("%s is no fencing token, TERM:INCARNATION:NONCE:ID: %s", SafeText(text), problem)
	}
	parts := strings.SplitN(text, ":", tokenParts)
	if len(parts) != tokenParts {
		return refuse("a part is missing")
	}
	var t Token
	var err error
	if t.Term, err = strconv.ParseUint(parts[0], 10, 64); err != nil || t.Term == 0 {
		return refuse("the term is no number above zero")
	}
	if t.Incarnation, err = uuid.Parse(parts[1]); err != nil {
		return refuse("the incarnation is no UUID")
	}
	if t.Nonce, err = uuid.Parse(parts[2]); err != nil {
		return refuse("the nonce is no UUID")
	}
	if t.Nonce == uuid.Nil {
		return refuse("the nonce is empty, and each tenure has one")
	}
	if t.ID, err = url.PathUnescape(parts[3]); err != nil {
		return refuse("the id is not escaped as it should be")
	}
	if err := validateID(t.ID); err != nil {
		return refuse(err.Error())
	}
	if t.Text() != text {
		return refuse("it is not written as Text writes it")
	}
	return t, nil
}

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

// TermRecord is the term record: what the fence reads.
type TermRecord struct {
	Token
	// Held is false once the tenure has ended and none has followed. The Token is
	// that of its last holder then.
	Held bool
	// Ballot is the ballot of the leader record that was written with it.
	Ballot uint64
}

func (t TermRecord) encode() []byte {
	b := newRecord(64 + len(t.ID))
	b = subspace.AppendUint(b, t.Term)
	b = appendIdentity(b, t.Identity)
	b = subspace.AppendUUID(b, t.Nonce)
	b = subspace.AppendBool(b, t.Held)
	return subspace.AppendUint(b, t.Ballot)
}

func decodeTenure(key, value []byte) (TermRecord, error) {
	r := openRecord("term", key, value)
	t := TermRecord{
		Token: Token{Term: r.count(), Identity: r.identity(), Nonce: r.UUID()},
		Held:  r.Bool(),
	}
	if r.More() { // the records of earlier programs have none
		t.Ballot = r.count()
	}
	if err := r.close(); err != nil {
		return TermRecord{}, err // no part of it counts
	}
	return t, nil
}
