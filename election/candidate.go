package election

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/subspace"
)

// Candidate is a candidate record.
type Candidate struct {
	Registration
	// LastHeartbeat is when the candidate last wrote, by its own wall clock.
	LastHeartbeat time.Time
	// Heartbeats is the number of writes. It changes even if the wall clock does not.
	Heartbeats uint64
	// Versionstamp is that of the commit that registered the candidate, with its
	// UserVersion. It orders the registrations. It is unique unless one transaction has
	// registered several candidates with one UserVersion. Heartbeats do not change it.
	Versionstamp subspace.Versionstamp

	notes *notes // nil if there are none
}

// String returns the identity, the role and the priority. It is safe to print.
func (c Candidate) String() string {
	return fmt.Sprintf("%s, %s of priority %d", c.Identity, c.Role, c.Priority)
}

// rankBefore orders candidates: voters before observers, higher priorities
// first, then earlier registrations.
func (c *Candidate) rankBefore(other *Candidate) int {
	switch {
	case c.Role != other.Role:
		return int(c.Role) - int(other.Role)
	case c.Priority > other.Priority:
		return -1
	case c.Priority < other.Priority:
		return 1
	default:
		return cmp.Or(c.Versionstamp.Compare(other.Versionstamp), strings.Compare(c.ID, other.ID))
	}
}

// encode returns the value of the record. If the versionstamp is incomplete, it is a template
// for SetVersionstampedValue.
func (c *Candidate) encode() []byte {
	size := 96
	for key, value := range c.Metadata {
		size += len(key) + len(value) + 4
	}
	b := newRecord(size)
	b = subspace.AppendInt(b, int64(c.Priority))
	b = appendTime(b, c.LastHeartbeat)
	b = subspace.AppendUint(b, c.Heartbeats)
	stampAt := len(b) + 1
	b = subspace.AppendVersionstamp(b, c.Versionstamp)
	b = subspace.AppendUUID(b, c.Incarnation)
	b = subspace.AppendBool(b, c.Role == Voter)
	b = subspace.OpenNested(b)
	if len(c.Metadata) > 0 {
		for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
			b = subspace.AppendString(subspace.AppendString(b, key), c.Metadata[key])
		}
	}
	b = subspace.CloseNested(b)
	if c.notes != nil {
		b = c.notes.encode(b)
	}
	if c.Versionstamp.Incomplete() {
		b = appendOffset(b, stampAt)
	}
	return b
}

func decodeCandidate(key []byte, id string, value []byte) (Candidate, error) {
	r := openRecord("candidate", key, value)
	var c Candidate
	c.ID = id
	c.Priority = r.int32()
	c.LastHeartbeat = r.time()
	c.Heartbeats = r.count()
	c.Versionstamp = r.Versionstamp()
	c.UserVersion = c.Versionstamp.User
	c.Incarnation = r.UUID()
	if !r.Bool() {
		c.Role = Observer
	}
	metadata := r.Nested()
	for metadata.More() {
		if c.Metadata == nil {
			c.Metadata = make(map[string]string)
		}
		key := metadata.Text()
		c.Metadata[key] = metadata.Text()
	}
	if err := metadata.Err(); err != nil {
		r.fail("metadata: " + err.Error())
	}
	if r.More() && r.Peek() == subspace.KindNested {
		c.notes = decodeNotes(r.Nested())
	}
	if c.Versionstamp.Incomplete() {
		r.fail("its versionstamp was never filled in")
	}
	return c, r.close()
}
