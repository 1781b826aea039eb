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

// status is what others read of an elector without I/O and without waiting.
type status struct {
	machine.View
	lead *Leadership
}

// publish makes the status of a session that of the elector. The session is
// locked.
func (e *Elector) publish(s *session) {
	e.status.Store(&status{View: s.machine.View(), lead: s.lead})
}

// leads returns the tenure in which the process leads, by the clock at the call.
func (st *status) leads() *Leadership {
	if st.lead != nil && st.State.Leads() && st.lead.Leads() {
		return st.lead
	}
	return nil
}

// IsLeader returns nil while this process leads, and fdbelection.ErrNotLeader
// while it does not. It reads the clock and nothing else: belief ends before the
// lease does, whatever the database answers. ctx is not used.
func (e *Elector) IsLeader(context.Context) error {
	if e.status.Load().leads() == nil {
		return fdbelection.ErrNotLeader
	}
	return nil
}

// NodeID returns the id of this candidate.
func (e *Elector) NodeID() string { return e.options.NodeID }

// State returns the part that this process plays.
func (e *Elector) State() State {
	st := e.status.Load()
	if st.State.Leads() && st.leads() == nil {
		return StateCandidate // its time has come, and the loop is about to find out
	}
	return stateOf(st.State)
}

// Term returns the newest term that this process knows of, its own where it
// leads: the epoch of leadership. Zero: none yet. As a fencing token use
// Leadership.Term: between two calls this one may become that of another process.
func (e *Elector) Term() uint64 { return e.status.Load().Leader.Term }

// LeaderID returns the id of the leader as far as this process knows, itself
// included, and "" where nobody leads.
func (e *Elector) LeaderID() string {
	leader, _ := e.Leader()
	return leader.ID
}

// LeaderInfo is who leads: the record of the seat, with the tags of the candidate.
type LeaderInfo struct {
	election.LeaderRecord
	// Metadata are the tags of the leader's candidate record, where it is known.
	Metadata map[string]string
}

// Leader returns who leads as far as this process knows, and false where nobody
// does: the seat is vacant, its lease is over by this process's own clock, or it
// was handed over and has not been taken yet.
func (e *Elector) Leader() (LeaderInfo, bool) {
	st := e.status.Load()
	if st.State == machine.StateStopped || st.Leaderless || st.Leader.Vacant() || !st.Leader.Accepted {
		return LeaderInfo{}, false
	}
	if end := st.LeaseEnd; !end.IsZero() && !e.options.Clock.Now().Before(end) {
		return LeaderInfo{}, false // the loop is about to find out
	}
	if st.State.Leads() && st.leads() == nil {
		return LeaderInfo{}, false
	}
	return withMetadata(&st.View, st.Leader), true
}

// withMetadata adds what is known of the candidate to a leader record.
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
	// Alive is whether its heartbeat was seen to move within the candidate
	// timeout, on this process's clock.
	Alive bool
}

// ClusterState is who takes part in an election.
type ClusterState struct {
	// Leader is who leads; its ID is empty where nobody does.
	Leader LeaderInfo
	// Voters and Observers are the candidates that were listed, in the order of their
	// rank. They are all candidates if Complete is true, as it is in the process that
	// evicts dead candidates: the leader, or without one the first live voter. The other
	// processes list the first 8 voters by rank, dead or alive, the leader and
	// themselves, so that their cost does not grow with the number of candidates.
	// ReadClusterState reads all.
	Voters, Observers []Member
	Complete          bool
	// Config is the config that stands.
	Config fdbelection.Config
	// Failures counts the tenures of this process in a row whose work failed. It is zero
	// again after work that returned without an error, and after a tenure of 32 leases.
	Failures int
	// HoldOff is until when, by Clock.Now, this process claims and challenges nothing,
	// because its work failed or an operator asked it to resign. Zero: it does not hold
	// off.
	HoldOff time.Time
	// AsOf is when the candidates were listed, by Clock.Now: they are listed once
	// per candidate timeout, three times as often by the process that evicts dead
	// candidates. Zero: not yet.
	AsOf time.Time
}

// Metadata returns the metadata of the candidates that were listed, by id.
func (c *ClusterState) Metadata() map[string]map[string]string {
	tags := make(map[string]map[string]string, len(c.Voters)+len(c.Observers))
	for _, members := range [][]Member{c.Voters, c.Observers} {
		for i := range members {
			tags[members[i].ID] = members[i].Metadata
		}
	}
	return tags
}

// ClusterState returns who takes part, as this process knows it, without I/O. Unless
// the state is Complete, it covers the candidates that this process watches.
func (e *Elector) ClusterState() ClusterState { return e.clusterState(e.status.Load()) }

// ReadClusterState is ClusterState with all candidates, which it reads from the
// database in one transaction. Its cost grows with the number of candidates. A
// candidate that this process has not watched for a candidate timeout counts as alive.
// Errors: those of the database, and fdbelection.ErrInvalidState, which names the
// records that cannot be read; the state is that of all others then.
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
	state := ClusterState{Config: st.Config, Failures: st.Failures, Complete: st.Complete, AsOf: st.Listed}
	if e.options.Clock.Now().Before(st.HoldOff) {
		state.HoldOff = st.HoldOff
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

// keptErrors is how many errors wait for a reader.
const keptErrors = 64

// Errors tells of what goes wrong, once per change: failures of the store, late
// or panicking callbacks, work that failed or did not end, and why the elector
// stopped of itself or could not leave. Nothing waits for its reader: if there is
// none, the oldest errors are dropped. It is never closed.
func (e *Elector) Errors() <-chan error { return e.errs }

func (e *Elector) report(err error) {
	for {
		select {
		case e.errs <- err:
			return
		default:
		}
		select {
		case oldest := <-e.errs:
			_ = oldest // nobody has read it in time
		default:
		}
	}
}
