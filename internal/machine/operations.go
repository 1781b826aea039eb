package machine

import (
	"context"
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// operations are the running operations. main is the one that registers, reads the
// leader, sends heartbeats, runs cycles, settles, hands over or leaves. listing is the
// one that lists or evicts.
type operations struct {
	main, listing runningOperation
	lastID        uint64
	// unsettled says that an attempt to write the leader record may still arrive. Only
	// Settle, or a cycle that writes the record, ends the doubt.
	unsettled bool
}

// runningOperation is room for one operation at a time.
type runningOperation struct {
	id      uint64     // zero: none
	what    *Operation // nil: none
	began   time.Time
	aborted bool // it was cancelled, and its answer has not come
}

func (o *runningOperation) busy() bool { return o.id != 0 }

// begin starts an operation.
func (m *Machine) begin(o *runningOperation, op Operation) {
	m.operations.lastID++
	op.ID, op.Me = m.operations.lastID, m.me.Registration
	op.Me.Delay = m.storedDelay()
	op.Observation, op.LeaderKnown = m.leader.observation, m.leader.known
	op.Known = m.leader.knownTenure(m.me.Identity)
	if op.Kind == WatchTerm { // the watch before it may have fired for the metadata of the leader
		op.Known = election.Token{Term: op.Known.Term}
	}
	op.Limit = max(op.Limit, time.Millisecond)
	if o == &m.operations.main {
		m.poll.readNow = false // it reads the leader record, or calls for a read when it ends
		m.awaitAnswer()
	}
	*o = runningOperation{id: op.ID, what: &op, began: m.now.Local}
	m.do(StartOperation{&op})
}

// answered handles the answer of an operation or of a watch. It ignores answers to
// operations that do not run.
func (m *Machine) answered(id uint64, a *Answer) {
	m.leader.sawBallot(a)
	switch id {
	case 0:
	case m.operations.main.id:
		done := m.operations.main
		m.operations.main = runningOperation{}
		m.store.answered(a.Err, m.now.Local.Sub(done.began), m.operationLimit())
		if done.aborted && a.Err != nil {
			m.answeredAborted(done.what, a)
			return
		}
		m.noticeMissing(a)
		m.answeredMain(done.what, a)
	case m.operations.listing.id:
		what := m.operations.listing.what
		m.operations.listing = runningOperation{}
		m.noticeMissing(a)
		if what.Kind == Evict {
			m.answeredEviction(a)
		} else {
			m.answeredList(what, a)
		}
	case m.watches.term.id:
		m.answeredWatch(&m.watches.term, a)
	case m.watches.request.id:
		m.answeredWatch(&m.watches.request, a)
	case m.watches.candidates.id:
		m.answeredWatch(&m.watches.candidates, a)
	}
}

// noticeMissing handles an error that says that the election does not exist.
func (m *Machine) noticeMissing(a *Answer) {
	if errors.Is(a.Err, fdbelection.ErrNotInitialized) {
		m.electionMissing(a)
	}
}

// answeredAborted handles the error of an operation that was cancelled.
func (m *Machine) answeredAborted(op *Operation, a *Answer) {
	if op.Kind == Register || op.Kind == Rejoin {
		m.me.mayBeStored = m.me.mayBeStored || a.MayHaveWritten
	}
}

func (m *Machine) answeredMain(op *Operation, a *Answer) {
	switch op.Kind {
	case Register, Rejoin:
		m.answeredRegistration(op, a)
	case ReadLeader, Settle:
		m.answeredRead(op, a)
	case Heartbeat:
		if m.answeredHeartbeat(op, a) {
			m.reportMetadata()
		}
	case ElectionCycle:
		m.answeredCycle(op, a)
	case Resign, HandOver:
		m.answeredHandOver(op.Kind, a)
	case Unregister:
		m.answeredUnregister(a)
	case List, Evict, WatchTerm, WatchRequest, WatchCandidates: // these do not run as main
	}
}

func (m *Machine) answeredRead(op *Operation, a *Answer) {
	if a.Err != nil {
		m.operationFailed(op.Kind, a.Err)
		return
	}
	m.operationSucceeded()
	if op.Kind == Settle {
		m.operations.unsettled = false
	}
	m.sawStatus(op, a)
}

// answeredHeartbeat handles the answer to a heartbeat or to a cycle, which includes one.
// It reports whether the heartbeat was written.
func (m *Machine) answeredHeartbeat(op *Operation, a *Answer) bool {
	err := a.Err
	if errors.Is(err, fdbelection.ErrUnregisteredCandidate) {
		// It was evicted, and registers again: at once, or after its tenure. A cycle would
		// have registered the holder of leadership again, so a leader reads whether it is one.
		m.me.registered, err = false, nil
		m.renewal.at = m.now.Local.Add(m.config.HeartbeatInterval)
		m.poll.readNow = m.poll.readNow || m.tenure.exists()
	}
	if err != nil {
		m.operationFailed(op.Kind, err)
		return false
	}
	m.operationSucceeded()
	m.candidateWritten(&op.Me)
	return a.Err == nil
}

func leadershipLost(err error) bool { return errors.Is(err, ErrLeadershipLost) }

func timedOutError(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
