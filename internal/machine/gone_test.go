package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// TestALeaderWhoseElectionIsGone ends its tenure at once, in whatever way it learns
// of it.
func TestALeaderWhoseElectionIsGone(t *testing.T) {
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
				for _, op := range r.underWay() {
					r.answer(op.Kind, gone)
				}
				r.pass(50 * time.Millisecond)
			}
			require.GreaterOrEqual(t, r.local-lost, 10*time.Second, "the election is made again only after another leader's belief must have ended")
			require.Less(t, r.local-lost, 12*time.Second)
		})
	}
}

// TestAnElectionThatSomeoneElseMadeAgain is not claimed in before one lease has
// passed.
func TestAnElectionThatSomeoneElseMadeAgain(t *testing.T) {
	r := newRig(t)
	r.follow(r.leader(bob, 3))
	r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, failing(fdbelection.ErrNotInitialized))
	lost := r.local
	r.ballot = 0
	for {
		if cycle, ok := r.find(ElectionCycle); ok && !cycle.Abstain {
			break
		}
		for _, op := range r.underWay() {
			switch op.Kind {
			case Register, Rejoin:
				require.Zero(t, op.Config, "it joins an election that is there, and makes none")
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

// TestATermRecordThatIsGone ends the tenure: the fence refuses it, and a new one
// writes the record again.
func TestATermRecordThatIsGone(t *testing.T) {
	for name, tenure := range map[string]func(election.LeaderRecord) election.TermRecord{
		"gone": func(election.LeaderRecord) election.TermRecord {
			return election.TermRecord{Token: election.Token{Term: 1}}
		},
		"vacant": func(own election.LeaderRecord) election.TermRecord { return election.TermRecord{Token: own.Token()} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t).elect().pass(time.Second).fire(WatchTerm, nil)
			state := r.reads(r.standing(alice, 1))
			state.Status.Term = tenure(state.Status.Leader)
			r.answer(WatchTerm, state)
			require.Contains(t, texts(r.acts), "expire 1")
			r.step(WorkReturned{1})
			require.Equal(t, uint64(1), r.op(ElectionCycle).EndedTerm, "it claims a new term at once")
		})
	}
}

// TestRecordsThatWerePassedOver are reported once per change.
func TestRecordsThatWerePassedOver(t *testing.T) {
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

// TestALeaderWhoseElectionWasMadeAgain before it has noticed that it was gone: its
// renewal finds no record of its own, and the watch has not told.
func TestALeaderWhoseElectionWasMadeAgain(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat).answer(ElectionCycle, failing(fdbelection.ErrUnregisteredCandidate))
	r.ballot = 0
	r.answer(ReadLeader, r.reads(r.leader(bob, 1)))
	require.Contains(t, texts(r.acts), "expire 1", "it does not believe until its lease ends")
}

// TestALostRecordByClock names no end of a lease: a candidate claims once it has seen
// it for a whole lease.
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
		for _, op := range r.underWay() {
			switch op.Kind {
			case ElectionCycle:
				r.answer(ElectionCycle, r.did(election.Followed, lost))
				if seen == 0 {
					seen = r.local
				}
			case List:
				r.answer(List, Answer{Members: []election.Candidate{candidate(alice, 1)}})
			case WatchTerm: // it stands
			default:
				r.answer(op.Kind, failing(fdbelection.ErrInvalidState))
			}
		}
		r.pass(50 * time.Millisecond)
	}
	require.Fail(t, "nothing claims")
}

// TestALeaderWhoseWatchIsLost reads the term record with the list of the candidates
// all the same: its renewals do not read it.
func TestALeaderWhoseWatchIsLost(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat).renew().pass(2*heartbeat - time.Second)
	require.Equal(t, r.m.tenure.token, r.op(List).Token)
	gone := r.reads(r.standing(alice, 1))
	gone.Status.Term = election.TermRecord{Token: election.Token{Term: 1}}
	r.answer(List, gone)
	require.Contains(t, texts(r.acts), "expire 1")
	require.Equal(t, StateCandidate, r.m.State())
}

// TestALeaderWhoseRecordsAreGone ends its tenure at once if it reads so beside a renewal
// that was committed before they were removed and is answered later: what it has read
// may be older than that, so it looks again.
func TestALeaderWhoseRecordsAreGone(t *testing.T) {
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
			require.True(t, r.started(ReadLeader), "it does not wait for its next renewal")
			r.answer(ReadLeader, r.reads(election.LeaderRecord{}))
			require.Contains(t, texts(r.acts), "expire 1")
		})
	}
}
