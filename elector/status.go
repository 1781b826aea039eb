package elector

import (
	"context"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// status is what the methods of an elector read, without I/O and without waiting.
type status struct {
	machine.View
	lead    *Leadership
	session *session    // nil: it has not started, or it has stopped
	at      machine.Now // of the last step
	// storeError is the error of the last failed operation, until one succeeds. fault is why
	// the elector has stopped by itself.
	storeError, fault error
}

// publish makes the status of a session the status of the elector. The caller holds
// s.mu.
func (e *Elector) publish(s *session) {
	e.status.Store(&status{View: s.machine.View(), lead: s.lead, session: s, at: s.now(), storeError: s.storeError, fault: s.fault})
	e.published.wake()
}

// leads returns the tenure in which the process leads, by the clock at the call, or nil.
func (st *status) leads() *Leadership {
	if st.lead != nil && st.State.Leads() && st.lead.Leads() {
		return st.lead
	}
	return nil
}

// Leading reports whether this process leads at the instant of the call. It does no I/O.
// It compares the process clock with the stop deadline, which passes before the lease
// expires, whatever the store answers.
//
// It is true in jeopardy: a renewal is overdue, and the lease still holds. It is false
// while the work drains, although the lease may still be renewed then.
//
// Leadership may end right after the call. Use Leadership.Transact or Leadership.Fence for
// writes that another leader must not overlap.
func (e *Elector) Leading() bool { return e.status.Load().leads() != nil }

// IsLeader returns nil if Leading is true and fdbelection.ErrNotLeader otherwise. It has
// the signature of gocron's Elector. ctx is not used.
func (e *Elector) IsLeader(context.Context) error {
	if !e.Leading() {
		return fdbelection.ErrNotLeader
	}
	return nil
}

// NodeID returns the id of this candidate.
func (e *Elector) NodeID() string { return e.options.NodeID }

// State returns the state of this process.
func (e *Elector) State() State {
	st := e.status.Load()
	if st.State.Leads() && st.leads() == nil {
		return StateCandidate // the stop deadline has passed, and the loop is about to notice
	}
	return stateOf(st.State)
}

// Term returns the newest term that this process knows, or zero if it knows none. Do not
// use it as a fencing token, because it may become the term of another process between two
// calls. Use Leadership.Term.
func (e *Elector) Term() uint64 { return e.status.Load().Leader.Term }

// LeaderID returns the id of the leader as far as this process knows, or "" if there is
// none. It may be this process.
func (e *Elector) LeaderID() string {
	leader, _ := e.Leader()
	return leader.ID
}

// LeaderInfo is the leader record with the metadata of the leader.
type LeaderInfo struct {
	election.LeaderRecord
	// Metadata is from the leader's candidate record. It is nil if that is not known.
	Metadata map[string]string
}

// Leader returns the leader as far as this process knows. It returns false if there is
// none: leadership is vacant, its lease has expired on this process's clock, or the
// successor has not accepted yet.
func (e *Elector) Leader() (LeaderInfo, bool) {
	st := e.status.Load()
	if st.State == machine.StateStopped || st.Leaderless || st.Leader.Vacant() || !st.Leader.Accepted {
		return LeaderInfo{}, false
	}
	if end := st.LeaseEnd; !end.IsZero() && !e.options.Clock.Now().Before(end) {
		return LeaderInfo{}, false // the loop is about to notice
	}
	if st.State.Leads() && st.leads() == nil {
		return LeaderInfo{}, false
	}
	return withMetadata(&st.View, st.Leader), true
}

// withMetadata returns a leader record with the metadata of the leader if it is known.
func withMetadata(v *machine.View, leader election.LeaderRecord) LeaderInfo {
	l := LeaderInfo{LeaderRecord: leader}
	switch {
	case leader.Vacant():
	case leader.HeldBy(v.Me.Identity):
		l.Metadata = maps.Clone(v.Me.Metadata)
	case v.Record != nil && v.Record.Identity == leader.Identity:
		l.Metadata = maps.Clone(v.Record.Metadata)
	}
	return l
}

// Member is a candidate, as this process has seen it.
type Member struct {
	election.Candidate
	// Alive reports whether a heartbeat was seen within the candidate timeout on this
	// process's clock.
	Alive bool
}

// DelayRule is a rule that keeps a process from claiming or preempting for a while. Its text
// is for people. Compare it with the constants.
type DelayRule string

const (
	// DelayHoldOff means that its last tenure failed, or that an operator asked it to
	// resign.
	DelayHoldOff DelayRule = "hold-off"
	// DelayPreempt means that it was not registered for long enough to preempt
	// (Config.PreemptDelay).
	DelayPreempt DelayRule = "preempt delay"
	// DelayMinimumTenure means that the tenure of the leader is too young to be preempted
	// (Config.MinimumTenure).
	DelayMinimumTenure DelayRule = "minimum tenure"
	// DelayHeadStart means that the store did not answer for longer than a lease, and that
	// the last leader claims first (Options.HeadStart).
	DelayHeadStart DelayRule = "head start"
	// DelayLostRecords means that a leader record was lost, and its leader may still lead.
	DelayLostRecords DelayRule = "lost records"
)

// Delay is a rule that keeps a process from claiming or preempting, and until when on
// Clock.Now. Others see it in the candidate record (election.Registration.Delay).
type Delay struct {
	Rule  DelayRule
	Until time.Time
}

// ClusterState is an election as one process knows it.
type ClusterState struct {
	// Leader is the leader. Its ID is empty if there is none.
	Leader LeaderInfo
	// Voters and Observers are the listed candidates in the order of their rank. If
	// Complete is true, they are all candidates. That is so in the process that evicts
	// candidates: the leader, or the first live voter if there is no leader. Other
	// processes list the first 8 voters by rank, the leader and themselves, so that their
	// cost does not grow with the number of candidates, unless they have
	// Callbacks.OnCandidatesChange. ReadClusterState reads all.
	Voters, Observers []Member
	Complete          bool
	// Config is the stored config.
	Config fdbelection.Config
	// NotReady says why this process is not ready to lead (Options.Ready). It is empty if
	// the process is ready.
	NotReady string
	// Failures counts the tenures of this process in a row that failed: the work failed, or
	// the process was not ready any more. Work that returns without an error resets it, and
	// so does a tenure of 32 leases.
	Failures int
	// Delays are the rules that keep this process from claiming or preempting, although it
	// is ready and would like to lead.
	Delays []Delay
	// AsOf is when the candidates were listed, on Clock.Now. They are listed once per
	// candidate timeout, and three times as often by the process that evicts candidates.
	// It is zero if they were never listed.
	AsOf time.Time
}

// ClusterState returns the election as this process knows it, without I/O.
func (e *Elector) ClusterState() ClusterState { return e.clusterState(e.status.Load()) }

// ReadClusterState is ClusterState with all candidates, which it reads from the store in
// one transaction. Its cost grows with the number of candidates. A candidate that this
// process has not watched for a candidate timeout counts as alive.
//
// If records cannot be read, it returns the other ones and fdbelection.ErrInvalidState,
// which names them. It also returns the errors of the store.
func (e *Elector) ReadClusterState(ctx context.Context) (ClusterState, error) {
	var listed time.Time
	candidates, err := kv.ReadTransact(ctx, e.db, func(tr kv.ReadTransaction) ([]election.Candidate, error) {
		listed = e.options.Clock.Now()
		return e.election.ListCandidates(tr)
	})
	if candidates == nil {
		return ClusterState{}, err
	}
	st := *e.status.Load()
	st.View.Relist(candidates, listed, e.options.Clock.Now())
	return e.clusterState(&st), err
}

func (e *Elector) clusterState(st *status) ClusterState {
	state := ClusterState{Config: st.Config, NotReady: st.Me.NotReady, Failures: st.Failures, Complete: st.Complete, AsOf: st.Listed}
	for _, d := range st.Delays {
		if e.options.Clock.Now().Before(d.Until) {
			state.Delays = append(state.Delays, Delay{Rule: DelayRule(d.Rule), Until: d.Until})
		}
	}
	state.Leader, _ = e.Leader()
	for i := range st.Members {
		m := &st.Members[i]
		member := Member{Candidate: m.Candidate, Alive: !st.TimedOut(m)}
		member.Metadata = maps.Clone(m.Metadata)
		if m.Role == election.Observer {
			state.Observers = append(state.Observers, member)
		} else {
			state.Voters = append(state.Voters, member)
		}
	}
	return state
}
