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
	"github.com/fdbelection/fdbelection/internal/record"
)

// Limits of a registration.
const (
	// MaxIDBytes is the length of the longest id.
	MaxIDBytes = record.MaxNameBytes
	// MaxMetadataBytes is the most that keys and values of the metadata may have together.
	MaxMetadataBytes = 8192
	// MaxReasonBytes is the length of the longest reason for not being ready.
	MaxReasonBytes = 255
)

// Role says whether a candidate may lead.
type Role int

const (
	// Voter is a candidate that may lead.
	Voter Role = iota
	// Observer is a candidate that is listed and never leads.
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

// Identity names one start of one candidate.
type Identity struct {
	// ID is the name under which the candidate is listed: 1 to MaxIDBytes bytes
	// of UTF-8 without control characters.
	ID string
	// Incarnation is a UUID that is chosen at each start. It may be zero if the ID itself is
	// new at each start.
	Incarnation uuid.UUID
}

// String returns the id, quoted if necessary, and the start of the incarnation. It is safe
// to print.
func (i Identity) String() string {
	id := SafeText(i.ID)
	if i.Incarnation == uuid.Nil {
		return id
	}
	return id + "#" + i.Incarnation.String()[:8]
}

// Equal reports whether two registrations say the same of a candidate: identity, priority,
// role, metadata, and why it is not ready. It ignores Delay, and UserVersion, which counts
// only at the registration. If two heartbeats in a row differ in this, watches of the
// candidates fire.
func (r *Registration) Equal(other *Registration) bool {
	return r.Identity == other.Identity && r.Priority == other.Priority && r.Role == other.Role && r.NotReady == other.NotReady &&
		maps.Equal(r.Metadata, other.Metadata)
}

// Validate returns nil or an *fdbelection.InvalidCandidateError.
func (i Identity) Validate() error { return validateID(i.ID) }

func validateID(id string) error {
	if id == "" {
		return invalidCandidate("id", "is empty; give every candidate a name, such as its host name and a UUID")
	}
	if problem := record.NameProblem(id); problem != "" {
		return invalidCandidate("id", problem)
	}
	return nil
}

// Registration is what a candidate says of itself.
type Registration struct {
	Identity
	// Priority orders the candidates. A strictly higher priority may preempt.
	Priority int32
	// Role is Voter by default.
	Role Role
	// Metadata is for others to read, such as the address of the leader.
	Metadata map[string]string
	// NotReady says why the candidate is not ready to lead: 1 to MaxReasonBytes bytes of
	// UTF-8. If it is empty, the candidate is ready. A candidate that is not ready is
	// listed, and neither claims nor requests preemption (LeadUnready makes an exception).
	// Leadership is never handed to it.
	NotReady string
	// Delay says which rule keeps the candidate from claiming or preempting. It is for
	// others to read.
	Delay Delay
	// UserVersion orders the registrations of one transaction: give each its own. If two
	// have the same, they share a versionstamp and are ordered by ID. It does not matter
	// for the only registration of a transaction.
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
	switch {
	case len(r.NotReady) > MaxReasonBytes:
		return invalidCandidate("reason for not being ready", fmt.Sprintf("has %d bytes; use at most %d", len(r.NotReady), MaxReasonBytes))
	case !utf8.ValidString(r.NotReady):
		return invalidCandidate("reason for not being ready", strconv.QuoteToASCII(r.NotReady)+" is not valid UTF-8")
	}
	if err := r.Delay.validate(); err != nil {
		return err
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

// SafeText returns text unchanged if all of it is printable, and quoted and escaped if not.
// Use it before printing text from a database, which could contain terminal commands.
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
