package group

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// BalanceVersion is the version of the rule that says which member should lead which shard.
// All members use the lowest version of any of them.
const BalanceVersion = 1

// maxWeight bounds Member.Weight and Member.Capacity.
const maxWeight = 1_000_000

// Member is a member record: what a member says of itself.
type Member struct {
	election.Identity
	// JoinedAt is when the member joined, by its own wall clock. It is for display.
	JoinedAt time.Time
	// Weight is the share of the shards that the member leads, relative to that of others. A
	// member of weight zero gets no shards by balance.
	Weight int32
	// Capacity is the most shards that the member leads. Zero means no limit.
	Capacity int32
	// Tags are for others to read, such as the address of the member.
	Tags map[string]string
	// NotReady says why the member does not receive shards, in 1 to election.MaxReasonBytes
	// bytes. It is empty if the member is ready.
	NotReady string
	// Draining says that the member leaves and hands over all of its shards.
	Draining bool
	// Balance is the BalanceVersion of its program, at least 1.
	Balance int32
}

// Ready reports whether the member may receive shards, if it does not drain.
func (m *Member) Ready() bool { return m.NotReady == "" }

// Equal reports whether two member records say the same.
func (m *Member) Equal(other *Member) bool {
	return m.Identity == other.Identity && m.JoinedAt.Equal(other.JoinedAt) && m.Weight == other.Weight &&
		m.Capacity == other.Capacity && m.NotReady == other.NotReady && m.Draining == other.Draining &&
		m.Balance == other.Balance && maps.Equal(m.Tags, other.Tags)
}

// Validate returns nil, or what is wrong with the member.
func (m *Member) Validate() error {
	if err := checkName("the id of the member", m.ID); err != nil {
		return err
	}
	as := election.Registration{Identity: m.Identity, Metadata: m.Tags, NotReady: m.NotReady}
	switch {
	case m.Incarnation == uuid.Nil:
		return fmt.Errorf("%w: the incarnation of %s is zero; draw one in each attempt", ErrInvalidName, election.SafeText(m.ID))
	case m.Weight < 0 || m.Weight > maxWeight:
		return invalidMember("weight", m.Weight)
	case m.Capacity < 0 || m.Capacity > maxWeight:
		return invalidMember("capacity", m.Capacity)
	case m.Balance < 1:
		return &fdbelection.InvalidCandidateError{Field: "version of the balance", Problem: fmt.Sprintf("is %d; use BalanceVersion", m.Balance)}
	}
	return as.Validate()
}

func invalidMember(field string, value int32) error {
	return &fdbelection.InvalidCandidateError{Field: field, Problem: fmt.Sprintf("is %d; use 0 to %d", value, maxWeight)}
}

func (m *Member) encode() []byte {
	size := 64 + len(m.NotReady)
	for key, value := range m.Tags {
		size += len(key) + len(value) + 4
	}
	b := record.New(size)
	b = subspace.AppendUUID(b, m.Incarnation)
	b = record.AppendTime(b, m.JoinedAt)
	b = subspace.AppendInt(b, int64(m.Weight))
	b = subspace.AppendInt(b, int64(m.Capacity))
	b = subspace.OpenNested(b)
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		b = subspace.AppendString(subspace.AppendString(b, key), m.Tags[key])
	}
	b = subspace.CloseNested(b)
	b = subspace.AppendString(b, m.NotReady)
	b = subspace.AppendBool(b, m.Draining)
	return subspace.AppendInt(b, int64(m.Balance))
}

func decodeMember(key []byte, id string, value []byte) (Member, error) {
	r := record.Open("member", key, value)
	m := Member{Identity: election.Identity{ID: id, Incarnation: r.UUID()}}
	m.JoinedAt = r.Time()
	m.Weight, m.Capacity = r.Int32("weight"), r.Int32("capacity")
	tags := r.Nested()
	for tags.More() {
		if m.Tags == nil {
			m.Tags = make(map[string]string)
		}
		tag := tags.Text()
		m.Tags[tag] = tags.Text()
	}
	if err := tags.Err(); err != nil {
		r.Fail("tags: " + err.Error())
	}
	m.NotReady, m.Draining = r.Text(), r.Bool()
	m.Balance = r.Int32("version of the balance")
	if r.Sound() && (m.Weight < 0 || m.Weight > maxWeight || m.Capacity < 0 || m.Capacity > maxWeight || m.Balance < 1) {
		r.Fail("a weight, capacity or version is out of range")
	}
	return m, r.Close()
}

// Beat is the record of the heartbeats of one session.
type Beat struct {
	election.Identity
	// Counter is the number of heartbeats. The join is the first one.
	Counter uint64
	// Lease is how long the session lives after this heartbeat.
	Lease time.Duration
	// Mirror is the version up to which the member knew all changes of the group.
	Mirror int64
	// Value is the stored record. Two heartbeats never have the same.
	Value string
}

func (b *Beat) encode() []byte {
	v := record.New(48)
	v = subspace.AppendUUID(v, b.Incarnation)
	v = subspace.AppendUint(v, b.Counter)
	v = subspace.AppendInt(v, int64(b.Lease))
	return subspace.AppendInt(v, b.Mirror)
}

// decodeBeat reads a beat record. The first four elements are the same in every format
// version, so that a member can also evict members of newer programs.
func decodeBeat(key []byte, id string, value []byte) (Beat, error) {
	r := record.OpenAny("beat", key, value)
	b := Beat{
		Identity: election.Identity{ID: id, Incarnation: r.UUID()},
		Counter:  r.Count(), Lease: r.Duration(), Value: string(value),
	}
	if r.Sound() && b.Lease == 0 {
		r.Fail("its lease is zero")
	}
	if err := r.Close(); err != nil {
		return Beat{Identity: election.Identity{ID: id}, Value: string(value)}, err
	}
	if mirror := r.Int64(); r.Err() == nil {
		b.Mirror = mirror
	}
	return b, nil
}
