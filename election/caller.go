package election

import "time"

// caller is the candidate that runs one cycle, with all that its decision depends on
// besides the records.
type caller struct {
	Identity
	priority int32
	role     Role
	notReady string    // why it is not ready; empty: it is ready
	now      time.Time // on the wall clock of the caller
	cycleOptions
	notes notes // empty with WithObservation
}

// newCaller returns a caller with what it has seen of the leader record, either from
// WithObservation or from the notes in its candidate record. The view counts as seen, too.
//
// With WithObservation, at is before the read of the view, although Next wants a reading after
// it. This is safe. A ballot that the view shows for the first time gets the age zero, so it
// does not expire in this cycle, and any other is dated as the caller saw it. The caller
// dates the ballot itself after the read. The result of this Next is not kept.
func (e *LeaderElection) newCaller(v *view, me Registration, now time.Time, opts []CycleOption) caller {
	c := caller{Identity: me.Identity, priority: me.Priority, role: me.Role, notReady: me.NotReady, now: now}
	c.apply(opts)
	if !c.observed {
		c.at = e.clock.Now()
		c.notes = notesOf(v.own, me.Identity, e.clock, c.at)
		c.seen = c.notes.seen
	}
	c.seen = c.seen.Next(v.leader, c.at)
	return c
}

// kept returns the notes for the candidate record, or nil with WithObservation.
func (c *caller) kept() *notes {
	if c.observed {
		return nil
	}
	return &c.notes
}
