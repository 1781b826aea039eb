package machine

import "time"

// plan starts every operation that is due, and requests a wake-up for the next one.
func (m *Machine) plan() {
	m.output.wake = time.Time{}
	if m.life.phase == notStarted || m.life.phase == stopped {
		return
	}
	m.cancelForRelease()
	m.planOperation()
	if m.life.phase == stopped {
		return
	}
	m.planListing()
	m.planWatches()
	m.planDeadlines()
	m.requestWake()
}

// planOperation starts the main operation that is due.
func (m *Machine) planOperation() {
	t, now := &m.tenure, m.now.Local
	switch {
	case m.operations.main.busy(): // planned again when it is answered
	case now.Before(m.store.retryAt):
		m.wakeAt(m.store.retryAt)
	case m.handOver.pending():
		m.planHandOver()
	case t.exists() && (!m.life.leaving() || t.stage != over || now.Before(t.limit)):
		m.planLeader()
	case m.life.leaving():
		m.planLeaving()
	case m.me.aim != SubscribeOnly && !m.me.registered: // before Settle, which needs an election
		m.planRegistration()
	case m.operations.unsettled:
		m.begin(&m.operations.main, Operation{Kind: Settle, Limit: m.config.LeaseDuration})
	case m.leader.record.HeldBy(m.me.Identity) && !m.wantsToLead() && !m.poll.readNow: // resign
		m.startHandOver(m.leader.record.Token(), drainCause{})
		m.planHandOver()
	default:
		m.planFollower()
	}
}

// planLeader is for a process with a tenure. It renews once per heartbeat while the
// process leads or drains. After that, and in a disabled election, it only sends
// heartbeats until the work has returned.
func (m *Machine) planLeader() {
	now := m.now.Local
	heartbeatsOnly := m.tenure.stage == over || m.tenure.cause.kind == drainDisabled
	switch {
	case heartbeatsOnly && !now.Before(m.me.heartbeatAt):
		m.begin(&m.operations.main, Operation{Kind: Heartbeat, Limit: m.operationLimit()})
	case heartbeatsOnly:
		m.wakeAt(m.me.heartbeatAt)
	case m.renewal.now, !now.Before(m.renewal.at):
		m.startRenewal()
	case m.poll.readNow && !m.watches.term.arming(): // it does not delay the next renewal
		limit := max(m.renewal.at.Sub(now), pollStep(m.config.HeartbeatInterval))
		m.begin(&m.operations.main, Operation{Kind: ReadLeader, Limit: min(limit, m.config.HeartbeatInterval)})
	default:
		m.wakeAt(m.renewal.at)
	}
}

// planFollower is for a process without a tenure: a candidate, a follower or an observer.
// It claims if that is due, sends heartbeats, and otherwise polls the leader record.
func (m *Machine) planFollower() {
	now := m.now.Local
	claimAt, wants := m.claimTime()
	readAt := m.nextRead()
	heartbeatAt := m.heartbeatTime(readAt)
	switch {
	case wants && !now.Before(claimAt):
		m.startClaim()
	case m.me.registered && !now.Before(heartbeatAt):
		// This is the heartbeat. The cycle abstains, since no claim is due. A candidate that may
		// preempt does not abstain, because that would withdraw its preemption request.
		m.startCycle(m.operationLimit(), !m.mayPreempt())
	case !now.Before(readAt):
		m.begin(&m.operations.main, Operation{Kind: ReadLeader, Limit: m.operationLimit()})
	default:
		m.wakeAt(readAt)
		if m.me.registered {
			m.wakeAt(heartbeatAt)
		}
		if wants {
			m.wakeAt(claimAt)
		}
	}
}

// heartbeatTime is when a follower sends its next heartbeat, if it reads the leader record at
// readAt. A cycle does both, so a regular heartbeat goes with a read that comes shortly before it is
// due, or after that while less than half of the candidate timeout has passed.
func (m *Machine) heartbeatTime(readAt time.Time) time.Time {
	due, timeout := m.me.heartbeatAt, m.config.CandidateTimeout
	regular := due.Equal(m.me.writtenAt.Add(timeout / 3))
	earliest, latest := due.Add(-pollStep(m.config.HeartbeatInterval)), m.me.writtenAt.Add(timeout/2)
	if regular && !readAt.Before(earliest) && !readAt.After(latest) {
		return readAt
	}
	return due
}

// nextRead is when a follower reads the leader record. If the watch is being armed, or is
// about to be, that reads it instead.
func (m *Machine) nextRead() time.Time {
	if !m.poll.readNow && m.leader.known {
		return m.poll.next
	}
	if w := &m.watches.term; w.arming() || !w.busy() && !m.now.Local.Before(w.due) {
		return m.now.Local.Add(m.operationLimit())
	}
	return m.now.Local
}
