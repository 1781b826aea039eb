package election

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
)

// Limits of what a candidate may bring.
const (
	// MaxIDBytes is the length of the longest id.
	MaxIDBytes = 255
	// MaxMetadataBytes bounds the keys and values of the metadata together.
	MaxMetadataBytes = 8192
)

// Role says whether a candidate may lead.
type Role int

const (
	// Voter: may claim the seat.
	Voter Role = iota
	// Observer: is listed and follows, and never leads.
	Observer
)

// String returns "voter" or "observer".
func (r Role) String() string {
	switch r {
	case Voter:
		return "voter"
	case Observer:
		return "observer"
	default:
		return "Role(" + strconv.Itoa(int(r)) + ")"
	}
}

// Identity names one start of one contender.
type Identity struct {
	// ID is the name under which the candidate is listed: 1 to MaxIDBytes bytes
	// of UTF-8 without control characters.
	ID string
	// Incarnation is a UUID chosen at each start. Zero says that the ID itself is
	// unique for each start.
	Incarnation uuid.UUID
}

// String returns the id, quoted where it needs to be, and the beginning of the
// incarnation. It is safe to print.
func (i Identity) String() string {
	id := SafeText(i.ID)
	if i.Incarnation == uuid.Nil {
		return id
	}
	return id + "#" + i.Incarnation.String()[:8]
}

// Validate returns nil or an *fdbelection.InvalidCandidateError.
func (i Identity) Validate() error { return validateID(i.ID) }

func validateID(id string) error {
	switch {
	case id == "":
		return invalidCandidate("id", "is empty; give every candidate a name, such as its host name and a UUID")
	case len(id) > MaxIDBytes:
		return invalidCandidate("id", fmt.Sprintf("has %d bytes; use at most %d", len(id), MaxIDBytes))
	case !utf8.ValidString(id):
		return invalidCandidate("id", strconv.QuoteToASCII(id)+" is not valid UTF-8")
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return invalidCandidate("id", strconv.QuoteToASCII(id)+" contains a control character")
		}
	}
	return nil
}

// Registration is what a candidate says of itself.
type Registration struct {
	Identity
	// Priority orders the candidates: a strictly higher one may preempt.
	Priority int32
	// Role is Voter unless said otherwise.
	Role Role
	// Metadata are tags for others to read, such as the leader's endpoint.
	Metadata map[string]string
	// UserVersion tells registrations of one transaction apart, and orders them:
	// give each its own. Those that have the same share a versionstamp, and are ordered
	// by ID. Alone in its transaction a registration needs none.
	UserVersion uint16
}

// Validate returns nil or an *fdbelection.InvalidCandidateError.
func (r *Registration) Validate() error {
	if err := validateID(r.ID); err != nil {
		return err
	}
	if r.Role != Voter && r.Role != Observer {
		return invalidCandidate("role", "is "+r.Role.String()+"; use Voter or Observer")
	}
	if len(r.Metadata) == 0 {
		return nil
	}
	size := 0
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		value := r.Metadata[key]
		if key == "" {
			return invalidCandidate("metadata", "has an empty key")
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return invalidCandidate("metadata", "at key "+strconv.QuoteToASCII(key)+" is not valid UTF-8")
		}
		size += len(key) + len(value)
	}
	if size > MaxMetadataBytes {
		return invalidCandidate("metadata", fmt.Sprintf("has %d bytes; use at most %d", size, MaxMetadataBytes))
	}
	return nil
}

// SafeText returns text as it is where all of it is printable, else quoted and
// escaped: what comes from a database must not steer a terminal.
func SafeText(text string) string {
	if !utf8.ValidString(text) {
		return strconv.QuoteToASCII(text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return strconv.QuoteToASCII(text)
		}
	}
	return text
}

func invalidCandidate(field, problem string) error {
	return &fdbelection.InvalidCandidateError{Field: field, Problem: problem}
}

func alreadyHolds(id string) error {
	return invalidCandidate("id", SafeText(id)+" is the id of the holder; name another candidate")
}

func duplicateID(me, other Identity) error {
	return fmt.Errorf("%w: %s has taken the place of %s; stop, or give each process an id of its own",
		fdbelection.ErrDuplicateID, other, me)
}
