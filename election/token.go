package election

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Token names one tenure. Its Term is the fencing token for systems outside the database:
// they keep the highest term that they have seen, and refuse lower ones. Inside the
// database, RequireLeadership compares the complete token.
type Token struct {
	Term uint64
	Identity
	Nonce uuid.UUID
}

// String returns the term and its holder. It is safe to print.
func (t Token) String() string { return fmt.Sprintf("term %d of %s", t.Term, t.Identity) }

// tokenParts is the number of parts in the text of a token.
const tokenParts = 4

// maxTokenText is the length of the longest text of a token: twenty digits, two UUIDs, three
// colons, and an id with every byte escaped.
const maxTokenText = 20 + 2*36 + 3 + 3*MaxIDBytes

// Text returns the token as printable ASCII without spaces, for an environment variable, a
// header or a command line. ParseToken reads it. The text is
//
//	TERM:INCARNATION:NONCE:ID
//
// with the id escaped as in the path of a URL. A system outside the database compares the
// term before the first colon.
func (t Token) Text() string {
	return strconv.FormatUint(t.Term, 10) + ":" + t.Incarnation.String() + ":" + t.Nonce.String() + ":" + url.PathEscape(t.ID)
}

// ParseToken reads a token from exactly the text that Text returns. It refuses any other
// form of the same token. Its error is safe to print.
func ParseToken(text string) (Token, error) {
	if len(text) > maxTokenText {
		return Token{}, fmt.Errorf("a fencing token has at most %d bytes, this text has %d", maxTokenText, len(text))
	}
	refuse := func(problem string) (Token, error) {
		return Token{}, fmt.Errorf("%s is not a fencing token (TERM:INCARNATION:NONCE:ID): %s", SafeText(text), problem)
	}
	parts := strings.SplitN(text, ":", tokenParts)
	if len(parts) != tokenParts {
		return refuse("a part is missing")
	}
	var t Token
	var err error
	if t.Term, err = strconv.ParseUint(parts[0], 10, 64); err != nil || t.Term == 0 {
		return refuse("the term is not a number above zero")
	}
	if t.Incarnation, err = uuid.Parse(parts[1]); err != nil {
		return refuse("the incarnation is not a UUID")
	}
	if t.Nonce, err = uuid.Parse(parts[2]); err != nil {
		return refuse("the nonce is not a UUID")
	}
	if t.Nonce == uuid.Nil {
		return refuse("the nonce is zero")
	}
	if t.ID, err = url.PathUnescape(parts[3]); err != nil {
		return refuse("the id is not escaped correctly")
	}
	if err := validateID(t.ID); err != nil {
		return refuse(err.Error())
	}
	if t.Text() != text {
		return refuse("it differs from the text that Token.Text returns")
	}
	return t, nil
}

// RequireLeadership makes tr commit only if the tenure of token is the newest and has not
// ended. If it is not, the error is ErrFenced. Call it in every transaction that writes on
// the authority of leadership.
//
// It reads the term record, which renewals do not write. A fenced transaction therefore
// conflicts with every change of the tenure, and with no renewal or heartbeat. No clock is
// compared, so a leader whose lease has expired may still write until another candidate
// claims.
//
// It waits for that read. Start the reads of your own before you call it, and wait for their
// values afterwards. All reads then travel together.
//
// A transaction that writes nothing is not fenced, since the database does not check it for
// conflicts. It may have read data of a tenure that has just ended. So this function does
// not accept a kv.ReadTransaction.
//
// Errors: ErrFenced, ErrInvalidState (of the term record).
func (e *LeaderElection) RequireLeadership(tr kv.Transaction, token Token) error {
	value, err := tr.Get(e.keys.term).Get()
	if err != nil {
		return err
	}
	if value == nil {
		return fmt.Errorf("%w: there is no term record, the token is %s", fdbelection.ErrFenced, token)
	}
	now, err := decodeTerm(e.keys.term, value)
	switch {
	case err != nil:
		return err
	case now.Token != token:
		return fmt.Errorf("%w: the newest is %s, the token is %s", fdbelection.ErrFenced, now.Token, token)
	case !now.Held:
		return fmt.Errorf("%w: %s has ended and leadership is vacant", fdbelection.ErrFenced, token)
	}
	return nil
}

// TermRecord is the token of the newest tenure. RequireLeadership reads it.
type TermRecord struct {
	Token
	// Held is false if leadership is vacant. Then the Token is that of the last holder.
	Held bool
	// Ballot is the ballot of the leader record that was written with it.
	Ballot uint64
}

func (t TermRecord) encode() []byte {
	b := record.New(64 + len(t.ID))
	b = subspace.AppendUint(b, t.Term)
	b = appendIdentity(b, t.Identity)
	b = subspace.AppendUUID(b, t.Nonce)
	b = subspace.AppendBool(b, t.Held)
	return subspace.AppendUint(b, t.Ballot)
}

// decodeTerm reads a term record.
func decodeTerm(key, value []byte) (TermRecord, error) {
	r := record.Open("term", key, value)
	t := TermRecord{
		Token: Token{Term: r.Count(), Identity: readIdentity(&r), Nonce: r.UUID()},
		Held:  r.Bool(),
	}
	if r.More() { // records of earlier programs do not have it
		t.Ballot = r.Count()
	}
	if err := r.Close(); err != nil {
		return TermRecord{}, err // without the part that could be read
	}
	return t, nil
}
