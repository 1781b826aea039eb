package group

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Joining is what a process says when it joins.
type Joining struct {
	// Member is the record to write. Its Incarnation must be drawn in each attempt, inside
	// of the transaction's closure: an incarnation whose commit is unknown must not join
	// again.
	Member
	// Own are incarnations under which this process has joined earlier, and in none of which
	// it still leads anything. They are replaced at once.
	Own []uuid.UUID
	// Seen is the heartbeat of another incarnation that this process has seen unchanged for
	// its lease, on its own clock. That incarnation is replaced if its heartbeat is still the
	// same. Nil: none was seen.
	Seen *Beat
}

// Join begins a session, and returns its first heartbeat. The session counts its lease from
// before the start of the attempt. A member that joins should not be ready: it sets that with
// UpdateMember, once it knows the shards.
//
// If the id has a session of another process, the error is ErrDuplicateID, and the Beat is
// that of the other process. The caller may observe that for its lease and pass it as Seen.
//
// Other errors: ErrNotInitialized, ErrIncarnationUsed, ErrInvalidName, ErrInvalidCandidate,
// ErrInvalidState (of the config).
func (g *Group) Join(tr kv.Transaction, j Joining) (Beat, Config, error) {
	if err := j.Validate(); err != nil {
		return Beat{}, Config{}, err
	}
	configRead := tr.Snapshot().Get(g.keys.config)
	memberRead, beatRead := tr.Get(g.keys.of(KindMember, j.ID)), tr.Get(g.keys.beat(j.ID))
	config, err := g.awaitConfig(configRead)
	if err != nil {
		return Beat{}, Config{}, err
	}
	memberValue, err := memberRead.Get()
	if err != nil {
		return Beat{}, Config{}, err
	}
	beatValue, err := beatRead.Get()
	if err != nil {
		return Beat{}, Config{}, err
	}
	if memberValue != nil || beatValue != nil {
		if other, err := g.mayReplace(&j, memberValue, beatValue); err != nil {
			return other, config, err
		}
	}
	first := Beat{Identity: j.Identity, Counter: 1, Lease: config.LeaseDuration}
	value := first.encode()
	first.Value = string(value)
	tr.Set(g.keys.beat(j.ID), value)
	g.write(tr, KindMember, j.ID, j.encode())
	g.ring(tr)
	return first, config, nil
}

// mayReplace returns nil if the session under the id of a joining member may be replaced, and
// otherwise its heartbeat and why not.
func (g *Group) mayReplace(j *Joining, memberValue, beatValue []byte) (Beat, error) {
	// Both records of a session name its incarnation. One of them may be damaged or lost.
	beat, beatErr := decodeBeat(g.keys.beat(j.ID), j.ID, beatValue)
	member, memberErr := decodeMember(g.keys.of(KindMember, j.ID), j.ID, memberValue)
	own := true
	for _, session := range []struct {
		incarnation uuid.UUID
		err         error
		exists      bool
	}{{beat.Incarnation, beatErr, beatValue != nil}, {member.Incarnation, memberErr, memberValue != nil}} {
		switch {
		case !session.exists:
		case session.err == nil && session.incarnation == j.Incarnation:
			return beat, ErrIncarnationUsed
		default:
			own = own && session.err == nil && slices.Contains(j.Own, session.incarnation)
		}
	}
	if own || j.Seen != nil && j.Seen.Value == string(beatValue) {
		return Beat{}, nil
	}
	return beat, fmt.Errorf("%w: %s has joined the group; stop, or give each process an id of its own",
		fdbelection.ErrDuplicateID, beat.Identity)
}

// Heartbeat renews the session of a member, and returns the heartbeat that it writes and the
// config that it has read. If the config cannot be read, the lease stays as it is, and the
// config is the zero Config. The session counts the lease from before the start of the attempt.
//
// least is the counter of the last heartbeat that was acknowledged. A lower stored counter
// means that the database was restored, and the session ends. mirror is the version up to
// which the member knows all changes.
//
// Errors: ErrSessionEnded.
func (g *Group) Heartbeat(tr kv.Transaction, me election.Identity, least uint64, mirror int64) (Beat, Config, error) {
	key := g.keys.beat(me.ID)
	beatRead, configRead := tr.Get(key), tr.Snapshot().Get(g.keys.config)
	value, err := beatRead.Get()
	if err != nil {
		return Beat{}, Config{}, err
	}
	config, configErr := g.awaitConfig(configRead)
	if configErr != nil && kv.CodeOf(configErr) != 0 {
		return Beat{}, Config{}, configErr
	}
	if value == nil {
		return Beat{}, Config{}, ended(me, "it has no heartbeat record")
	}
	beat, err := decodeBeat(key, me.ID, value)
	switch {
	case err != nil:
		return Beat{}, Config{}, ended(me, err.Error())
	case beat.Incarnation != me.Incarnation:
		return Beat{}, Config{}, ended(me, beat.Identity.String()+" has joined under its id")
	case beat.Counter < least:
		return Beat{}, Config{}, ended(me, "its heartbeats went back: the database was restored")
	}
	beat.Counter, beat.Mirror = beat.Counter+1, mirror
	if configErr == nil {
		beat.Lease = config.LeaseDuration
	}
	value = beat.encode()
	beat.Value = string(value)
	tr.Set(key, value)
	return beat, config, nil
}

func ended(me election.Identity, why string) error {
	return fmt.Errorf("session of %s: %s: %w", me, why, ErrSessionEnded)
}

// session is the member record of a caller, which has been read with a read conflict.
func (g *Group) session(read kv.Future[[]byte], me election.Identity) (Member, error) {
	value, err := read.Get()
	if err != nil {
		return Member{}, err
	}
	if value == nil {
		return Member{}, ended(me, "it has no member record")
	}
	own, err := decodeMember(g.keys.of(KindMember, me.ID), me.ID, value)
	switch {
	case err != nil:
		return Member{}, err
	case own.Incarnation != me.Incarnation:
		return Member{}, ended(me, own.Identity.String()+" has joined under its id")
	}
	return own, nil
}

// UpdateMember replaces the member record of a session, unless it is the same. It is safe to
// run again.
//
// Errors: ErrSessionEnded, ErrInvalidName, ErrInvalidCandidate, ErrInvalidState (of its own
// record).
func (g *Group) UpdateMember(tr kv.Transaction, m Member) error {
	if err := m.Validate(); err != nil {
		return err
	}
	own, err := g.session(tr.Get(g.keys.of(KindMember, m.ID)), m.Identity)
	if err != nil {
		return err
	}
	if m.JoinedAt = own.JoinedAt; own.Equal(&m) {
		return nil
	}
	g.write(tr, KindMember, m.ID, m.encode())
	g.ring(tr)
	return nil
}

// Leave ends the session of a member. The member must have stopped its work and released its
// shards. Shards that it still holds are free afterwards. After its commit, no earlier
// attempt of this session can take effect any more. It changes nothing of another
// incarnation, and it is safe to run again.
//
// Errors: those of the store.
func (g *Group) Leave(tr kv.Transaction, me election.Identity) error {
	memberKey, beatKey := g.keys.of(KindMember, me.ID), g.keys.beat(me.ID)
	memberRead, beatRead := tr.Get(memberKey), tr.Get(beatKey)
	memberValue, err := memberRead.Get()
	if err != nil {
		return err
	}
	beatValue, err := beatRead.Get()
	if err != nil {
		return err
	}
	// Even if there is nothing to clear, an earlier attempt to join may be under way. It has
	// read these keys.
	for _, key := range [][]byte{memberKey, beatKey} {
		if err := tr.AddWriteConflictKey(key); err != nil {
			return err
		}
	}
	beat, beatErr := decodeBeat(beatKey, me.ID, beatValue)
	own, memberErr := decodeMember(memberKey, me.ID, memberValue)
	ownBeat := beatErr == nil && beat.Incarnation == me.Incarnation
	ownMember := memberErr == nil && own.Incarnation == me.Incarnation
	// Both records are of one session. If one of them is damaged, the other one says whose.
	if ownBeat || ownMember && beatValue != nil && beatErr != nil {
		tr.Clear(beatKey)
	}
	if ownMember || ownBeat && memberValue != nil && memberErr != nil {
		g.remove(tr, KindMember, me.ID, me.ID, "left")
		g.ring(tr)
	}
	return nil
}

// Evict ends the session of another member, if its heartbeat is still exactly the one that
// the caller has seen. It reports whether it was. The caller must have seen that heartbeat
// unchanged for its lease, on its own clock, from the return of the read that first saw it,
// without a gap in its own reads. A member record without a heartbeat counts as one with an
// empty Value. me is the session of the caller.
//
// It conflicts with a heartbeat of that member, and with no other one. If it reports false
// after a run whose result is unknown, the member may be evicted: read its heartbeat.
//
// Errors: ErrSessionEnded (of the caller), ErrInvalidState (of the caller's record).
func (g *Group) Evict(tr kv.Transaction, me election.Identity, seen Beat) (bool, error) {
	key := g.keys.beat(seen.ID)
	ownRead, beatRead, memberRead := tr.Get(g.keys.of(KindMember, me.ID)), tr.Get(key), tr.Get(g.keys.of(KindMember, seen.ID))
	if _, err := g.session(ownRead, me); err != nil {
		return false, err
	}
	value, err := beatRead.Get()
	if err != nil {
		return false, err
	}
	memberValue, err := memberRead.Get()
	if err != nil || string(value) != seen.Value || value == nil && memberValue == nil {
		return false, err
	}
	tr.Clear(key)
	if memberValue != nil {
		g.remove(tr, KindMember, seen.ID, me.ID, "evicted")
		g.ring(tr)
	}
	return true, nil
}
