package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// View is what a machine knows, as a copy for other goroutines.
type View struct {
	State State
	// Me is the registration of the candidate, which the next heartbeat writes if it has
	// changed.
	Me election.Registration
	// Config is the config of the election, or the one from the settings before it was
	// read.
	Config fdbelection.Config
	// Leader is the leader record. Leaderless says that there is no leader, as far as this
	// process can tell.
	Leader     election.LeaderRecord
	Leaderless bool
	// LeaseEnd is when the lease of another leader expires, as far as this process can
	// tell, on the local clock.
	LeaseEnd time.Time
	// Freshness says how old the newest write of the leader record can be.
	Freshness election.Freshness
	// Record is the candidate record of the leader, if it is known.
	Record *election.Candidate
	// Members are the candidates that were listed last, and Listed is when. Unless Complete
	// is set, they are the shortlist, the leader and this process.
	Members  []Member
	Listed   time.Time
	Complete bool
	// Failures counts the tenures in a row that failed. HoldOff is the end of the
	// hold-off on the local clock. It is zero or in the past if there is none.
	Failures int
	HoldOff  time.Time
	// Delays are the rules that keep this process from claiming or preempting.
	Delays []Delay
	// StoreError is the store error at present, or empty.
	StoreError string
	// Due is when the next event comes at the latest: the wake-up that was requested, or the
	// end of the time of the operation Awaited. If it has passed for long, the caller does not
	// run the machine. It is zero if the machine has stopped.
	Due     time.Time
	Awaited Kind // zero: the wake-up
}

// View returns what the machine knew at the end of its last step.
func (m *Machine) View() View {
	leader, list := &m.leader, &m.candidates
	v := View{
		State: m.output.state, Me: m.me.Registration, Config: m.config.Config,
		Leader: leader.record, Leaderless: m.leaderless() && !m.tenure.leads(), Record: leader.candidate,
		Members: list.members, Listed: list.listed, Complete: list.complete,
		Failures: m.claim.failures, HoldOff: m.claim.holdOff, Delays: m.output.delays, StoreError: m.store.lastError,
	}
	if m.healthy() {
		v.Failures = 0
	}
	if leader.known && !leader.record.Vacant() && !leader.record.HeldBy(m.me.Identity) {
		v.LeaseEnd = leader.leaseEnd(&m.config, m.now)
	}
	v.Freshness = leader.freshness
	v.Due, v.Awaited = m.due()
	return v
}

// due returns when the next event comes at the latest, and of which operation.
func (m *Machine) due() (at time.Time, awaited Kind) {
	if m.life.phase == notStarted || m.life.phase == stopped {
		return at, 0
	}
	at = m.output.wake
	end := func(o *runningOperation) {
		if !o.busy() {
			return
		}
		if limit := o.began.Add(o.what.Limit); at.IsZero() || limit.Before(at) {
			at, awaited = limit, o.what.Kind
		}
	}
	end(&m.operations.main)
	end(&m.operations.listing)
	for _, w := range [...]*watch{&m.watches.term, &m.watches.request, &m.watches.candidates} {
		if !w.armed { // an armed watch has no limit
			end(&w.runningOperation)
		}
	}
	return at, awaited
}

// TenureDeadlines are the deadlines of the tenure of a term. Stop is zero if the process
// does not lead any more, and End if the tenure is over.
type TenureDeadlines struct {
	Term      uint64
	Stop, End time.Time
}

// Deadlines returns the deadlines of the present tenure. Term is zero if there is no
// tenure whose work has not returned.
func (m *Machine) Deadlines() TenureDeadlines {
	t := TenureDeadlines{Term: m.tenure.token.Term}
	d := m.tenure.deadlines()
	switch m.tenure.stage {
	case leading:
		t.Stop, t.End = d.Stop, d.End
	case draining:
		t.End = d.End
	case none, over:
	}
	return t
}

// Holds reports whether the process may hold leadership: the work of a tenure has not
// returned, or leadership is still to be released by a hand-over or by leaving.
func (m *Machine) Holds() bool {
	return m.tenure.exists() || m.handOver.pending() || m.life.phase == leaving && m.me.mayBeStored
}

// TimedOut reports whether no heartbeat of a candidate was seen for the candidate timeout.
func (v *View) TimedOut(c *Member) bool { return v.Listed.Sub(c.Since) >= v.Config.CandidateTimeout }

// Relist replaces the members with all candidates, from a read that began at listed and
// returned before seen. Those whose heartbeat has not changed keep their Since.
func (v *View) Relist(all []election.Candidate, listed, seen time.Time) {
	v.Members, v.Listed, v.Complete = mergeMembers(v.Members, all, seen), listed, true
}
