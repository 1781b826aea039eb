package machine

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// TestTheElectionIsRemoved: a leader ends its tenure at once, no matter which operation
// finds out. It creates the election again only after a lease.
func TestTheElectionIsRemoved(t *testing.T) {
	gone := failing(fdbelection.ErrNotInitialized)
	for name, learn := range map[string]func(*rig){
		"by its renewal": func(r *rig) { r.pass(heartbeat).answer(ElectionCycle, gone) },
		"by a watch":     func(r *rig) { r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, gone) },
		"by its list":    func(r *rig) { r.pass(heartbeat).renew().pass(2*heartbeat-time.Second).answer(List, gone) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t).elect()
			learn(r)
			require.Contains(t, texts(r.acts), "expire 1")
			r.step(WorkReturned{1})
			lost := r.local
			for {
				if op, ok := r.find(Rejoin); ok && op.Config.LeaseDuration > 0 {
					break
				}
				for _, op := range r.running() {
					r.answer(op.Kind, gone)
				}
				r.pass(50 * time.Millisecond)
			}
			require.GreaterOrEqual(t, r.local-lost, 10*time.Second, "the election is created again only after any other leader must have stopped")
			require.Less(t, r.local-lost, 12*time.Second)
		})
	}
}

// TestTheElectionIsCreatedAgain: another process creates it. There is no claim before one lease has passed.
func TestTheElectionIsCreatedAgain(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 3))
	r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, failing(fdbelection.ErrNotInitialized))
	lost := r.local
	r.ballot = 0
	for {
		if cycle, ok := r.find(ElectionCycle); ok && !cycle.Abstain {
			break
		}
		for _, op := range r.running() {
			switch op.Kind {
			case Register, Rejoin:
				require.Zero(t, op.Config, "it registers in the existing election and does not create one")
				r.answer(op.Kind, Answer{Status: election.Status{Config: r.config}})
			case ElectionCycle:
				r.answer(ElectionCycle, r.did(election.Followed, r.vacant(0)))
			default:
				r.answer(op.Kind, r.reads(r.vacant(0)))
			}
		}
		r.pass(50 * time.Millisecond)
	}
	require.Equal(t, 10*time.Second, (r.local - lost).Truncate(time.Second))
	require.True(t, r.op(ElectionCycle).Observation.MayClaim(r.config.LeaseDuration, r.now().Local))
}

// TestTheTermRecordIsRemoved: the leader ends its tenure, because the fence refuses it. The
// next tenure writes the term record again.
func TestTheTermRecordIsRemoved(t *testing.T) {
	for name, tenure := range map[string]func(election.LeaderRecord) election.TermRecord{
		"gone": func(election.LeaderRecord) election.TermRecord {
			return election.TermRecord{Token: election.Token{Term: 1}}
		},
		"vacant": func(own election.LeaderRecord) election.TermRecord { return election.TermRecord{Token: own.Token()} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t).elect().pass(time.Second).fire(WatchTerm, nil)
			a := r.reads(r.standing(alice, 1))
			a.Status.Term = tenure(a.Status.Leader)
			r.answer(WatchTerm, a)
			require.Contains(t, texts(r.acts), "expire 1")
			r.step(WorkReturned{1})
			require.Equal(t, uint64(1), r.op(ElectionCycle).EndedTerm, "it claims a new term at once")
		})
	}
}

// Unreadable records are reported when the error changes.
func TestUnreadableRecords(t *testing.T) {
	r := newRig(t).elect()
	bad := r.reads(r.standing(alice, 1))
	bad.Status.Unreadable = &fdbelection.InvalidStateError{Record: "intent", Problem: "is odd"}
	for i := range 3 {
		r.pass(time.Second).fire(WatchRequest, nil).answer(WatchRequest, bad).state(StateLeader)
		require.Equal(t, i == 0, len(r.reports()) == 1)
	}
	r.pass(time.Second).fire(WatchRequest, nil).answer(WatchRequest, r.reads(r.standing(alice, 1)))
	r.pass(time.Second).fire(WatchRequest, nil).answer(WatchRequest, bad)
	require.Len(t, r.reports(), 1)
}

// TestTheElectionIsReplacedUnderALeader: the leader has not noticed that it was removed. Its
// renewal finds no candidate record, and no watch has fired.
func TestTheElectionIsReplacedUnderALeader(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat).answer(ElectionCycle, failing(fdbelection.ErrUnregisteredCandidate))
	r.ballot = 0
	r.answer(ReadLeader, r.reads(r.leader(bob, 1)))
	require.Contains(t, texts(r.acts), "expire 1", "it does not lead until its lease ends")
}

// TestALostRecordByClock: a lost leader record does not say when its lease ends. A
// candidate claims after it has seen the record for a whole lease.
func TestALostRecordByClock(t *testing.T) {
	r := newRig(t)
	r.config.Expiry = fdbelection.ExpiryByClock
	r.follow(r.leader(bob, 3))
	r.pass(time.Second)
	lost := r.standing(bob, 3)
	lost.Ballot += 1 << 40
	lost.AcquiredAt, lost.LeaseExpiry = time.Time{}, time.Unix(0, 1<<62)
	seen := time.Duration(0)
	for range 1000 {
		if cycle, ok := r.find(ElectionCycle); ok && !cycle.Abstain {
			require.NotZero(t, seen)
			require.GreaterOrEqual(t, r.local-seen, r.config.LeaseDuration)
			return
		}
		for _, op := range r.running() {
			switch op.Kind {
			case ElectionCycle:
				r.answer(ElectionCycle, r.did(election.Followed, lost))
				if seen == 0 {
					seen = r.local
				}
			case List:
				r.answer(List, Answer{Members: []election.Candidate{candidate(alice, 1)}})
			case WatchTerm: // it stays unanswered
			default:
				r.answer(op.Kind, failing(fdbelection.ErrInvalidState))
			}
		}
		r.pass(50 * time.Millisecond)
	}
	require.Fail(t, "no claim")
}

// TestAListReadsTheTermRecord: a renewal does not and the watch may be lost.
func TestAListReadsTheTermRecord(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat).renew().pass(2*heartbeat - time.Second)
	require.Equal(t, r.m.tenure.token, r.op(List).Token)
	gone := r.reads(r.standing(alice, 1))
	gone.Status.Term = election.TermRecord{Token: election.Token{Term: 1}}
	r.answer(List, gone)
	require.Contains(t, texts(r.acts), "expire 1")
	require.Equal(t, StateCandidate, r.m.State())
}

// After a process has seen that the election is gone, an answer shows a ballot: a list while the work
// of its last tenure has not returned, or the answer to an operation that was cancelled. If the election
// is gone again, the process waits for a lease, although it has not used that answer otherwise.
func TestABallotAfterALoss(t *testing.T) {
	gone := failing(fdbelection.ErrNotInitialized)
	for name, see := range map[string]func(*rig){
		"in a list": func(r *rig) {
			r.elect().pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, gone)
			require.Contains(t, texts(r.acts), "expire 1")
			for {
				r.pass(50 * time.Millisecond)
				for _, op := range r.running() {
					switch {
					case op.Kind == List && r.local > 20*time.Second:
						r.answer(List, r.reads(r.leader(bob, 2)))
						return
					case op.Kind != WatchTerm: // it stays unanswered
						r.answer(op.Kind, Answer{Status: election.Status{Config: r.config}})
					}
				}
			}
		},
		"in a cancelled watch": func(r *rig) {
			r.follow(r.leader(bob, 1))
			r.pass(time.Second).fire(WatchTerm, nil)
			seen := r.now().Local
			r.pass(time.Second)
			if _, ok := r.find(ReadLeader); !ok {
				r.pass(time.Second)
			}
			r.answer(ReadLeader, gone)
			require.Contains(t, texts(r.acts), "cancel "+strconv.FormatUint(r.op(WatchTerm).ID, 10))
			a := r.reads(r.leader(bob, 1))
			a.Start, a.Seen = seen, seen
			r.answer(WatchTerm, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			see(r)
			require.NotZero(t, r.m.leader.observation.Ballot)
			r.pass(time.Second)
			r.m.electionMissing(&Answer{Seen: r.now().Local})
			require.Equal(t, r.local+10*time.Second, r.m.leader.waitAfterLoss(&r.m.config).Sub(localEpoch))
		})
	}
}

// TestTheRecordsAreRemovedDuringARenewal: the renewal was committed before the removal, and
// another read sees the removal. That read may be older than the renewal, so the leader
// reads again at once.
func TestTheRecordsAreRemovedDuringARenewal(t *testing.T) {
	for _, kind := range []Kind{WatchTerm, ElectionCycle} {
		t.Run(kind.String(), func(t *testing.T) {
			r := newRig(t).elect().pass(heartbeat)
			renewed := r.did(election.Renewed, r.leader(alice, 1))
			r.fire(WatchTerm, nil)
			began := r.now().Local
			r.pass(10 * time.Millisecond)
			gone := Answer{Start: began, Seen: r.now().Local, Status: election.Status{Config: r.config}}
			if kind == WatchTerm {
				r.answer(ElectionCycle, renewed)
			} else {
				r.answer(WatchTerm, r.reads(renewed.Status.Leader))
				gone.Err = ErrLeadershipLost
			}
			r.pass(time.Millisecond).answer(kind, gone).state(StateLeader)
			require.True(t, r.started(ReadLeader), "before its next renewal")
			r.answer(ReadLeader, r.reads(election.LeaderRecord{}))
			require.Contains(t, texts(r.acts), "expire 1")
		})
	}
}
