package election

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
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
	// ReadySince is the versionstamp of the commit since when the candidate has been ready:
	// its registration, or the heartbeat that said that it is ready again. It is zero if the
	// candidate is not ready.
	ReadySince subspace.Versionstamp

	notes *notes // nil if there are none
}

// String returns the identity, the role and the priority. It is safe to print.
func (c Candidate) String() string {
	return fmt.Sprintf("%s, %s of priority %d", c.Identity, c.Role, c.Priority)
}

// Ready reports whether the candidate is ready to lead.
func (c *Candidate) Ready() bool { return c.NotReady == "" }

// notReady returns the error for a candidate that is not ready.
func notReady(c *Candidate) error {
	return fmt.Errorf("%w: %s", fdbelection.ErrNotReady, SafeText(c.NotReady))
}

// ranked reports whether the candidate has an entry in the rank index.
func (c *Candidate) ranked() bool { return c.Role == Voter && c.Ready() }

// rankBefore orders candidates: voters before observers, ready ones first, then higher
// priorities, then those that have been ready for longer.
func (c *Candidate) rankBefore(other *Candidate) int {
	switch {
	case c.Role != other.Role:
		return int(c.Role) - int(other.Role)
	case c.Ready() != other.Ready():
		if c.Ready() {
			return -1
		}
		return 1
	default:
		return cmp.Or(
			cmp.Compare(other.Priority, c.Priority), c.ReadySince.Compare(other.ReadySince),
			c.Versionstamp.Compare(other.Versionstamp), strings.Compare(c.ID, other.ID),
		)
	}
}

// pending reports whether the commit gives the candidate a versionstamp: for its
// registration, or because it is ready again.
func (c *Candidate) pending() bool { return c.Versionstamp.Incomplete() || c.ReadySince.Incomplete() }

// encode returns the value of the record. If a versionstamp is pending, it is a template for
// SetVersionstampedValue.
func (c *Candidate) encode() []byte {
	size := 96
	for key, value := range c.Metadata {
		size += len(key) + len(value) + 4
	}
	b := record.New(size)
	b = subspace.AppendInt(b, int64(c.Priority))
	b = record.AppendTime(b, c.LastHeartbeat)
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
	sinceRegistration, delayed := c.Ready() && c.ReadySince == c.Versionstamp, c.Delay.Rule != ""
	empty := func() []byte { return subspace.CloseNested(subspace.OpenNested(b)) }
	switch {
	case c.notes != nil:
		b = c.notes.encode(b)
	case !sinceRegistration || delayed:
		b = empty()
	}
	switch {
	case !sinceRegistration:
		b = subspace.OpenNested(b)
		if !c.Versionstamp.Incomplete() {
			stampAt = len(b) + 1
		}
		if c.Ready() {
			b = subspace.AppendVersionstamp(b, c.ReadySince)
		} else {
			b = subspace.AppendString(b, c.NotReady)
		}
		b = subspace.CloseNested(b)
	case delayed:
		b = empty()
	}
	if delayed {
		b = c.Delay.encode(b)
	}
	if c.pending() {
		b = record.AppendOffset(b, stampAt)
	}
	return b
}

func decodeCandidate(key []byte, id string, value []byte) (Candidate, error) {
	r := record.Open("candidate", key, value)
	var c Candidate
	c.ID = id
	c.Priority = r.Int32("priority")
	c.LastHeartbeat = r.Time()
	c.Heartbeats = r.Count()
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
		r.Fail("metadata: " + err.Error())
	}
	if r.More() && r.Peek() == subspace.KindNested {
		c.notes = decodeNotes(r.Nested())
	}
	c.ReadySince = c.Versionstamp
	if r.More() && r.Peek() == subspace.KindNested {
		readiness := r.Nested()
		if err := c.decodeReadiness(&readiness); err != nil {
			r.Fail("readiness: " + err.Error())
		}
	}
	if r.More() && r.Peek() == subspace.KindNested {
		c.Delay = decodeDelay(r.Nested())
	}
	if c.pending() {
		r.Fail("a versionstamp of it was never filled in")
	}
	return c, r.Close()
}

// decodeReadiness reads the readiness of a candidate that has not been ready since its
// registration: why it is not ready, or since when it is ready again.
func (c *Candidate) decodeReadiness(r *subspace.Reader) error {
	if !r.More() {
		return r.Err()
	}
	if r.Peek() != subspace.KindString {
		c.ReadySince = r.Versionstamp()
		return r.Err()
	}
	c.ReadySince = subspace.Versionstamp{}
	c.NotReady = cmp.Or(r.Text(), "no reason is given")
	return r.Err()
}
