package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// RegisterCandidate enters a candidate. The commit gives it a versionstamp. If the same
// transaction reads the candidate before that, the error is ErrRegistrationPending and the
// transaction cannot commit any more.
//
// If the same incarnation registers again, it keeps its versionstamp, as with a heartbeat,
// and its rank entry is repaired. If another incarnation registers under the same id, it
// replaces the record at once and ranks last among its priority. The older process gets
// ErrDuplicateID at its next heartbeat, even if it is alive. A restarted process therefore
// need not wait, but two supervised processes under one id replace each other for ever.
// TakeOverCandidate does not replace a live process. The leadership of the older
// incarnation is not inherited.
//
// Use RegisterCandidate once at the start, and RejoinCandidate afterwards. A holder that
// registers as an observer vacates leadership in the same transaction.
//
// Errors: ErrInvalidCandidate, ErrNotInitialized, ErrRegistrationPending,
// ErrInvalidState.
func (e *LeaderElection) RegisterCandidate(tr kv.Transaction, me Registration, now time.Time) error {
	return e.register(tr, me, now, true)
}

// RejoinCandidate enters a candidate again that may have been evicted. If another
// incarnation has registered under its id meanwhile, the error is ErrDuplicateID. Other
// errors are those of RegisterCandidate.
func (e *LeaderElection) RejoinCandidate(tr kv.Transaction, me Registration, now time.Time) error {
	return e.register(tr, me, now, false)
}

func (e *LeaderElection) register(tr kv.Transaction, me Registration, now time.Time, takeOver bool) error {
	v, err := e.readForHeartbeat(tr, &me)
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
	if err := e.heartbeat(tr, &v, own, me, now, kept); err != nil {
		return err
	}
	if next := (Candidate{Registration: me}); own != nil && own.ranked() && next.ranked() {
		next.ReadySince = own.ReadySince
		tr.Set(e.keys.rankOf(&next), nil)
	}
	return e.leaveAsObserver(tr, &v, &me, now)
}

// readForHeartbeat reads what a write of the candidate's own record needs. Only an observer
// needs the leader record, since that must not name it.
func (e *LeaderElection) readForHeartbeat(tr kv.Transaction, me *Registration) (view, error) {
	if err := me.Validate(); err != nil {
		return view{}, err
	}
	reads := e.beginReads(tr)
	reads.own = e.readCandidate(tr, me.ID)
	v, err := reads.await()
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

// HeartbeatCandidate writes the heartbeat of a registered candidate, and a change of its
// priority, role, metadata or readiness. It neither claims nor renews. If the candidate is
// ready again, the same transaction must not read it after that (ErrRegistrationPending).
// Without WithObservation, it notes in the candidate record what it has seen of the leader,
// as RunElectionCycle does. A holder that becomes an observer vacates leadership in the same
// transaction.
//
// Errors: ErrInvalidCandidate, ErrNotInitialized, ErrUnregisteredCandidate,
// ErrDuplicateID, ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) HeartbeatCandidate(tr kv.Transaction, me Registration, now time.Time, opts ...CycleOption) error {
	v, err := e.readForHeartbeat(tr, &me)
	switch {
	case err != nil:
		return err
	case v.own == nil:
		return fdbelection.ErrUnregisteredCandidate
	case v.own.Incarnation != me.Incarnation:
		return duplicateID(me.Identity, v.own.Identity)
	}
	c := e.newCaller(&v, me, now, opts)
	if v.unreadable.leader == nil && !v.leader.HeldBy(me.Identity) {
		c.notes.seen = c.seen
	}
	if err := e.heartbeat(tr, &v, v.own, me, now, c.kept()); err != nil {
		return err
	}
	return e.leaveAsObserver(tr, &v, &me, now)
}

// leaveAsObserver vacates leadership if its holder has become an observer, and removes a
// request that names an observer or a candidate that is not ready. It also removes the
// preemption request of a voter whose priority is lower now.
func (e *LeaderElection) leaveAsObserver(tr kv.Transaction, v *view, me *Registration, now time.Time) error {
	switch {
	case me.Role != Voter && v.leader.HeldBy(me.Identity):
		_, err := e.vacate(tr, v, "became an observer", now)
		return err
	case me.Role != Voter, me.NotReady != "":
		return e.dropRequest(tr, v, me.Identity)
	case v.request.by(me.Identity) && me.Priority < v.request.Priority: // it would keep out other challengers
		return e.dropRequest(tr, v, me.Identity)
	}
	return nil
}

// heartbeat writes the candidate record after own, and what else changes with it: its rank
// entry and the notices. A nil own registers the candidate. The caller has read own with a
// read conflict.
func (e *LeaderElection) heartbeat(tr kv.Transaction, v *view, own *Candidate, me Registration, now time.Time, kept *notes) error {
	next := Candidate{Registration: me, LastHeartbeat: now, Heartbeats: 1, notes: kept}
	next.Versionstamp = subspace.IncompleteVersionstamp(me.UserVersion)
	if next.Ready() {
		next.ReadySince = next.Versionstamp
	}
	if own != nil {
		next.Versionstamp, next.Heartbeats = own.Versionstamp, own.Heartbeats+1
		if next.Ready() && own.Ready() {
			next.ReadySince = own.ReadySince
		}
	}
	e.noteRegistration(tr, v, own, &next)
	if key := e.keys.candidate(me.ID); next.pending() {
		tr.SetVersionstampedValue(key, next.encode())
	} else {
		tr.Set(key, next.encode())
	}
	if own != nil && own.Priority == me.Priority && own.Role == me.Role && own.ranked() == next.ranked() {
		return nil
	}
	if own != nil {
		e.clearRank(tr, own)
	}
	e.setRank(tr, &next)
	if own != nil && me.Role != Voter {
		// An earlier attempt of this process may have claimed after the read of this
		// transaction. An observer must not become the leader that way.
		return record.ConflictOn(tr, e.keys.term)
	}
	return nil
}

// setRank writes the rank entry of a voter that is ready.
func (e *LeaderElection) setRank(tr kv.Transaction, c *Candidate) {
	switch {
	case !c.ranked():
	case c.ReadySince.Incomplete():
		tr.SetVersionstampedKey(e.keys.rankOf(c), nil)
	default:
		tr.Set(e.keys.rankOf(c), nil)
	}
}

func (e *LeaderElection) clearRank(tr kv.Transaction, c *Candidate) {
	if c.ranked() {
		tr.Clear(e.keys.rankOf(c))
	}
}

// UnregisterCandidate removes a candidate. If this incarnation holds leadership, it vacates
// that. It also removes the candidate's preemption request, or a request to transfer
// leadership to it. It changes nothing of another incarnation of the same id. After its
// commit, no earlier attempt of this process can still take effect, and neither can an
// earlier hand-over to it.
//
// It works without a config and beside unreadable records, which it leaves as they are. If
// there is nothing to remove, it still conflicts with earlier attempts of this process, so
// it can be run again until it has committed. It does not conflict with the renewals of
// another candidate.
//
// Errors: ErrInvalidCandidate, ErrRegistrationPending.
func (e *LeaderElection) UnregisterCandidate(tr kv.Transaction, me Identity, now time.Time) error {
	if err := me.Validate(); err != nil {
		return err
	}
	reads := e.beginReads(tr)
	reads.own = e.readCandidate(tr, me.ID)
	v, err := reads.await()
	if err != nil {
		return err
	}
	if err := record.ConflictOn(tr, e.keys.term, e.keys.request); err != nil {
		return err
	}
	if err := tr.AddWriteConflictKey(e.keys.candidate(me.ID)); err != nil {
		return err
	}
	if v.own != nil && v.own.Incarnation == me.Incarnation {
		e.remove(tr, v.own)
		e.noteRemoval(tr, v.own)
	}
	if v.leader.HeldBy(me) {
		_, err = e.vacate(tr, &v, "left", now)
		return err
	}
	return e.dropRequest(tr, &v, me)
}

// remove clears the record of a candidate and its rank entry. The caller writes the notice.
func (e *LeaderElection) remove(tr kv.Transaction, c *Candidate) {
	tr.Clear(e.keys.candidate(c.ID))
	e.clearRank(tr, c)
}
