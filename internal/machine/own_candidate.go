package machine

import (
	"maps"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// ownCandidate is the candidate of this process: what it registers, what it wants, and
// what is known of its candidate record.
type ownCandidate struct {
	election.Registration
	nextRole election.Role // differs from Role only in a tenure, and replaces it after that
	aim      Aim

	registered    bool
	registeredAt  time.Time // when the present registration was acknowledged
	wasRegistered bool      // the next registration is a Rejoin
	// mayBeStored says that a registration may have been committed, so that leaving
	// has to unregister.
	mayBeStored bool
	// written are the metadata of the last acknowledged write, and writtenAt is when it was
	// acknowledged.
	written   map[string]string
	writtenAt time.Time
	// heartbeatAt is when the next heartbeat is due, in a cycle or alone.
	heartbeatAt time.Time
	// indexed says that the last acknowledged write of the candidate record has left an
	// entry in the rank index.
	indexed bool
}

// ready reports whether the candidate is ready to lead.
func (c *ownCandidate) ready() bool { return c.NotReady == "" }

// ranked reports whether the process is registered as a voter and ready, so that it has a
// rank among the others.
func (c *ownCandidate) ranked() bool { return c.registered && c.Role == election.Voter && c.ready() }

// mayPreemptAt is when the candidate will have been registered for the preempt delay.
// Before that it neither challenges nor preempts.
func (c *ownCandidate) mayPreemptAt(config *knownConfig) time.Time {
	return c.registeredAt.Add(config.PreemptDelay)
}

// planRegistration registers the candidate. It creates the election if that does not
// exist and the settings allow it.
func (m *Machine) planRegistration() {
	op := Operation{Kind: Register, Limit: m.config.LeaseDuration}
	if m.me.wasRegistered { // it was evicted
		op.Kind = Rejoin
	} else if m.planTakeOver(&op) {
		return
	}
	if !m.settings.MustExist && !m.now.Local.Before(m.leader.waitAfterLoss(&m.config)) {
		op.Config = m.settings.Config
	}
	m.begin(&m.operations.main, op)
}

func (m *Machine) answeredRegistration(op *Operation, a *Answer) {
	if a.Existing != nil {
		m.foundExisting(a)
		return
	}
	m.me.mayBeStored = m.me.mayBeStored || a.Err == nil || a.MayHaveWritten
	if a.Err != nil {
		m.operationFailed(op.Kind, a.Err)
		return
	}
	m.operationSucceeded()
	m.adoptConfig(a)
	m.me.registered, m.me.wasRegistered, m.poll.readNow = true, true, true
	m.me.registeredAt = m.now.Local
	m.existing = existingCandidate{}
	m.candidateWritten(&op.Me)
	m.candidates.due = m.now.Local
}

// candidateWritten schedules the next heartbeat after the candidate record was written
// with a registration: three per candidate timeout, or at once if the registration has
// changed since.
func (m *Machine) candidateWritten(with *election.Registration) {
	m.me.written, m.me.writtenAt = with.Metadata, m.now.Local
	m.me.heartbeatAt = m.now.Local.Add(m.config.CandidateTimeout / 3)
	if indexed := with.Role == election.Voter && with.NotReady == ""; indexed != m.me.indexed {
		m.me.indexed, m.candidates.due = indexed, m.now.Local // its rank has changed
	}
	readiness := (with.NotReady == "") != m.me.ready() || with.NotReady == NotChecked && m.me.NotReady != NotChecked
	if with.Priority != m.me.Priority || with.Role != m.me.Role || readiness || !maps.Equal(with.Metadata, m.me.Metadata) {
		m.me.heartbeatAt = m.now.Local
	}
}
