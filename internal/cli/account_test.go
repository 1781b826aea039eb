package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/elector/machine"
)

// Each change is told once, whether it is one of the seat, of the own state, or
// of both, and a process that stops leading is never told of as the leader.
func TestAccount(t *testing.T) {
	const (
		candidate, follower = elector.StateCandidate, elector.StateFollower
		leader, jeopardy    = elector.StateLeader, elector.StateJeopardy
		stopped             = elector.StateStopped
	)
	var (
		none       = election.Leader{}
		vacant     = election.Leader{Term: 1, Ballot: 7}
		own        = election.Leader{Identity: election.Identity{ID: "me"}, Term: 2, Ballot: 8, Accepted: true, Origin: election.OriginVacancy}
		reclaimed  = election.Leader{Identity: election.Identity{ID: "me"}, Term: 3, Ballot: 9, Accepted: true, Origin: election.OriginReclaim}
		offered    = election.Leader{Identity: election.Identity{ID: "me"}, Term: 4, Ballot: 10, Origin: election.OriginTransfer}
		other      = election.Leader{Identity: election.Identity{ID: "b"}, Term: 5, Ballot: 11, Accepted: true, Origin: election.OriginExpiry}
		challenger = election.Leader{Identity: election.Identity{ID: "c"}, Term: 6, Ballot: 12, Origin: election.OriginPreemption}
	)
	to := func(from, to elector.State, seat election.Leader, reason elector.Reason) any {
		return elector.Transition{From: from, To: to, Leader: seat, Reason: reason}
	}
	for name, test := range map[string]struct {
		state elector.State // before
		told  []any         // transitions and seats
		want  []string
	}{
		"starts at an empty seat": {stopped, []any{to(stopped, candidate, none, machine.ReasonStarted), none, own, to(candidate, leader, own, machine.ReasonVacancy)}, []string{
			`leader=- term=0 ballot=0 role=candidate note="never held"`,
			`leader=me term=2 ballot=8 role=leader note=vacancy`,
		}},
		"starts below a leader": {stopped, []any{to(stopped, candidate, none, machine.ReasonStarted), other, to(candidate, follower, other, machine.ReasonLeaderSeen)}, []string{
			`leader=b term=5 ballot=11 role=follower note=expiry`,
		}},
		"the seat of another is vacated and taken": {follower, []any{vacant, to(follower, candidate, vacant, machine.ReasonNoLeader), other, to(candidate, follower, other, machine.ReasonLeaderSeen)}, []string{
			`leader=- term=1 ballot=7 role=candidate note=vacant`,
			`leader=b term=5 ballot=11 role=follower note=expiry`,
		}},
		"another follows another": {follower, []any{other, challenger}, []string{
			`leader=b term=5 ballot=11 role=follower note=expiry`,
			`leader=c term=6 ballot=12 role=follower note="preemption, handed over"`,
		}},
		"the leader dies": {follower, []any{to(follower, candidate, other, machine.ReasonNoLeader)}, []string{
			`leader=- term=5 ballot=11 role=candidate note="b was not seen to renew for its lease"`,
		}},
		"is handed the seat": {follower, []any{offered, to(follower, candidate, offered, machine.ReasonNoLeader)}, []string{
			`leader=me term=4 ballot=10 role=candidate note="transfer, handed over"`,
		}},
		"is in jeopardy": {leader, []any{to(leader, jeopardy, own, machine.ReasonUnrenewed), to(jeopardy, leader, own, machine.ReasonRenewed)}, []string{
			`leader=me term=2 ballot=8 role=leader note="in jeopardy: a renewal is overdue"`,
			`leader=me term=2 ballot=8 role=leader note=renewed`,
		}},
		"gets the seat late": {candidate, []any{own, to(candidate, jeopardy, own, machine.ReasonVacancy)}, []string{
			`leader=me term=2 ballot=8 role=leader note=vacancy`,
		}},
		"is cut off": {jeopardy, []any{to(jeopardy, candidate, own, machine.ReasonUnrenewed), reclaimed, to(candidate, leader, reclaimed, machine.ReasonReclaim)}, []string{
			`leader=me term=2 ballot=8 role=candidate note="stopping: no renewal was acknowledged in time"`,
			`leader=me term=3 ballot=9 role=leader note=reclaim`,
		}},
		"loses the seat": {leader, []any{other, to(leader, follower, other, machine.ReasonSeatLost)}, []string{
			`leader=b term=5 ballot=11 role=follower note="stopping: the seat is lost"`,
		}},
		"is challenged": {leader, []any{to(leader, candidate, own, machine.ReasonChallenged), challenger, to(candidate, follower, challenger, machine.ReasonLeaderSeen)}, []string{
			`leader=me term=2 ballot=8 role=candidate note="stopping: challenged by a higher priority"`,
			`leader=c term=6 ballot=12 role=follower note="preemption, handed over"`,
		}},
		"leaves as the leader": {leader, []any{to(leader, candidate, own, machine.ReasonStopped), vacant, to(candidate, stopped, vacant, machine.ReasonStopped)}, []string{
			`leader=me term=2 ballot=8 role=candidate note="stopping: leaving"`,
			`leader=- term=1 ballot=7 role=candidate note=vacant`,
			`leader=- term=1 ballot=7 role=stopped note=stopped`,
		}},
		"leaves as a follower": {follower, []any{to(follower, stopped, other, machine.ReasonStopped)}, []string{
			`leader=b term=5 ballot=11 role=stopped note=stopped`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			joined := 0
			a := &account{journal: newJournal(&stdout, &stderr, false), clock: Virtual{}, id: "me", state: test.state, joined: func() { joined++ }}
			callbacks := a.callbacks()
			seats := 0
			for _, told := range test.told {
				switch told := told.(type) {
				case elector.Transition:
					callbacks.OnTransition(t.Context(), told)
				case election.Leader:
					seats++
					callbacks.OnSeatChange(t.Context(), elector.Leader{Leader: told})
				}
			}
			a.close(Virtual{})
			var lines []string
			for line := range strings.Lines(stdout.String()) {
				_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
				lines = append(lines, line)
			}
			require.Equal(t, test.want, lines)
			require.Equal(t, min(seats, 1), joined, "said once, when the seat has been seen")
			require.Empty(t, stderr.String())
		})
	}
}

func TestAccountOfTrouble(t *testing.T) {
	var stdout, stderr bytes.Buffer
	a := &account{journal: newJournal(&stdout, &stderr, false)}
	tell := a.callbacks().OnTrouble
	tell(t.Context(), errors.New("no answer"))
	tell(t.Context(), nil)
	a.close(Virtual{})
	require.Equal(t, "fdbelect: no answer (trying again)\nfdbelect: all is well again\n", stderr.String())
	require.Empty(t, stdout.String())
}
