package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// RegisterCandidate enters a candidate. Its versionstamp is that of the
// commit: until then, reading the candidate in the same transaction gives
// ErrRegistrationPending, and the transaction cannot commit any more.
//
// The same incarnation that registers again keeps its versionstamp, as in a
// heartbeat, and its rank is mended. Another incarnation under the same id takes
// the record over at once, at the end of its rank, and the older process gets
// ErrDuplicateID at its next heartbeat, even if it is alive. So a restart need not
// wait for its predecessor's timeout, but two supervised processes under one id
// replace each other for ever: TakeOverCandidate leaves a live process alone. The
// leadership of the predecessor is not inherited. Use RegisterCandidate once at the
// start, and RejoinCandidate afterwards. A holder that registers as an observer
// vacates its leadership in the same transaction.
//
// Errors: ErrInvalidCandidate, ErrNotInitialized, ErrRegistrationPending,
// ErrInvalidState.
func (e *LeaderElection) RegisterCandidate(tr kv.Transaction, me Registration, now time.Time) error {
	return e.register(tr, me, now, true)
}

// RejoinCandidate enters a candidate again that was registered before, and may
// have been evicted. If another incarnation has taken its id meanwhile, it gives
// way: ErrDuplicateID. Other errors are those of RegisterCandidate.
func (e *LeaderElection) RejoinCandidate(tr kv.Transaction, me Registration, now time.Time) error {
	return e.register(tr, me, now, false)
}

func (e *LeaderElection) register(tr kv.Transaction, me Registration, now time.Time, takeOver bool) error {
	v, err := e.loadCandidacy(tr, &me)
	if err != nil {
		return err
	}
	own := v.own
	if own != nil && own.Incarnation != me.Incarnation {
		if !takeOver {
			return duplicateID(me.Identity, own.Identity)
		}
		if err := e.dropRequest(tr, &v, own.Identity); err != nil {
			return err
		}
		e.clearRank(tr, own)
		own = nil
	}
	var kept *notes
	if own != nil {
		kept = own.notes
	}
	if err := e.heartbeat(tr, own, me, now, kept); err != nil {
		return err
	}
	if own != nil && me.Role == Voter {
		tr.Set(e.keys.rankOf(&Candidate{Registration: me, Versionstamp: own.Versionstamp}), nil)
	}
	return e.leaveAsObserver(tr, &v, &me, now)
}

// loadCandidacy reads what a write of the candidate's own record needs. The leader
// record matters to an observer only, which must not be left in it.
func (e *LeaderElection) loadCandidacy(tr kv.Transaction, me *Registration) (view, error) {
	if err := me.Validate(); err != nil {
		return view{}, err
	}
	load := e.begin(tr)
	load.of(me.ID)
	v, err := load.await()
	if err != nil {
		return view{}, err
	}
	if err := v.initialized(); err != nil {
		return view{}, err
	}
	if me.Role != Voter && v.unreadable.leader != nil {
		return view{}, v.unreadable.leader
	}
	return v, v.unreadable.own
}

// HeartbeatCandidate says that a registered candidate is alive, and does nothing
// about the leadership; a change of priority, role or metadata is written with it.
// It notes in the candidate record what it has seen of the leader, as
// RunElectionCycle does; with Observed it does not. A holder that becomes an
// observer vacates its leadership in the same transaction.
//
// Errors: ErrInvalidCandidate, ErrNotInitialized, ErrUnregisteredCandidate,
// ErrDuplicateID, ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) HeartbeatCandidate(tr kv.Transaction, me Registration, now time.Time, opts ...CycleOption) error {
	v, err := e.loadCandidacy(tr, &me)
	switch {
	case err != nil:
		return err
	case v.own == nil:
		return fdbelection.ErrUnregisteredCandidate
	case v.own.Incarnation != me.Incarnation:
		return duplicateID(me.Identity, v.own.Identity)
	}
	c := e.judge(&v, me, now, opts)
	if v.unreadable.leader == nil && !v.leader.HeldBy(me.Identity) {
		c.notes.seen = c.seen
	}
	if err := e.heartbeat(tr, v.own, me, now, c.kept()); err != nil {
		return err
	}
	return e.leaveAsObserver(tr, &v, &me, now)
}

// leaveAsObserver vacates the leadership of a holder that is an observer from now
// on, and removes what asks for it to lead. For a voter it removes a challenge that
// was made with a higher priority than the voter has now.
func (e *LeaderElection) leaveAsObserver(tr kv.Transaction, v *view, me *Registration, now time.Time) error {
	if me.Role == Voter {
		if v.intent.by(me.Identity) && me.Priority < v.intent.Priority {
			return e.dropRequest(tr, v, me.Identity) // else it keeps out others that may challenge
		}
		return nil
	}
	if !v.leader.HeldBy(me.Identity) {
		return e.dropRequest(tr, v, me.Identity)
	}
	_, err := e.vacate(tr, v, "became an observer", now)
	return err
}

// heartbeat writes the record of a candidate that reads own (nil: register
// it), which was read serialisably, and its rank if that changes.
func (e *LeaderElection) heartbeat(tr kv.Transaction, own *Candidate, me Registration, now time.Time, kept *notes) error {
	next := Candidate{Registration: me, LastHeartbeat: now, Heartbeats: 1, notes: kept}
	key := e.keys.candidate(me.ID)
	if own == nil {
		next.Versionstamp = subspace.IncompleteVersionstamp(me.UserVersion)
		tr.SetVersionstampedValue(key, next.encode())
		if me.Role == Voter {
			tr.SetVersionstampedKey(e.keys.rankOf(&next), nil)
		}
		return nil
	}
	next.Versionstamp = own.Versionstamp
	next.Heartbeats = own.Heartbeats + 1
	tr.Set(key, next.encode())
	if own.Priority == me.Priority && own.Role == me.Role {
		return nil
	}
	e.clearRank(tr, own)
	if me.Role == Voter {
		tr.Set(e.keys.rankOf(&next), nil)
		return nil
	}
	// An earlier attempt of this process may have claimed since this transaction
	// read: an observer must not find itself the leader.
	return conflictOn(tr, e.keys.term)
}

func (e *LeaderElection) clearRank(tr kv.Transaction, c *Candidate) {
	if c.Role == Voter {
		tr.Clear(e.keys.rankOf(c))
	}
}

// UnregisterCandidate is how a process leaves, in one transaction: it vacates
// the leadership if this incarnation holds it, removes its candidate record, takes
// back its own challenge and removes a request to transfer to it. What belongs
// to another incarnation of the same id it leaves alone. After its commit no
// registration, heartbeat, claim, renewal, challenge, resignation or hand-over
// that this process attempted before, nor one to it, can still take effect.
//
// It works without a config, beside records that cannot be read (which it leaves
// alone), and if there is nothing to remove, so that it can be run again until it
// has committed; it then still conflicts with whatever this process may have on the
// way. It does not conflict with the renewals of another candidate.
//
// Errors: ErrInvalidCandidate, ErrRegistrationPending.
func (e *LeaderElection) UnregisterCandidate(tr kv.Transaction, me Identity, now time.Time) error {
	if err := me.Validate(); err != nil {
		return err
	}
	load := e.begin(tr)
	load.of(me.ID)
	v, err := load.await()
	if err != nil {
		return err
	}
	if err := conflictOn(tr, e.keys.term, e.keys.intent); err != nil {
		return err
	}
	if err := tr.AddWriteConflictKey(e.keys.candidate(me.ID)); err != nil {
		return err
	}
	if v.own != nil && v.own.Incarnation == me.Incarnation {
		e.remove(tr, v.own)
	}
	if v.leader.HeldBy(me) {
		_, err = e.vacate(tr, &v, "left", now)
		return err
	}
	return e.dropRequest(tr, &v, me)
}

// remove clears the record of a candidate and its rank.
func (e *LeaderElection) remove(tr kv.Transaction, c *Candidate) {
	tr.Clear(e.keys.candidate(c.ID))
	e.clearRank(tr, c)
}
