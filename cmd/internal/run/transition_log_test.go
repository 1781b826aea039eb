package run

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// Each change of the leader, of the state of this process, or of both is logged once. A
// process that stops leading is not logged with the role of a leader.
func TestTransitionLog(t *testing.T) {
	const (
		candidate, follower = elector.StateCandidate, elector.StateFollower
		leader, jeopardy    = elector.StateLeader, elector.StateJeopardy
		stopped             = elector.StateStopped
	)
	var (
		none       = election.LeaderRecord{}
		vacant     = election.LeaderRecord{Term: 1, Ballot: 7}
		own        = election.LeaderRecord{Identity: election.Identity{ID: "me"}, Term: 2, Ballot: 8, Accepted: true, AcquireReason: election.AcquireVacancy}
		reclaimed  = election.LeaderRecord{Identity: election.Identity{ID: "me"}, Term: 3, Ballot: 9, Accepted: true, AcquireReason: election.AcquireReclaim}
		offered    = election.LeaderRecord{Identity: election.Identity{ID: "me"}, Term: 4, Ballot: 10, AcquireReason: election.AcquireTransfer}
		other      = election.LeaderRecord{Identity: election.Identity{ID: "b"}, Term: 5, Ballot: 11, Accepted: true, AcquireReason: election.AcquireExpiry}
		challenger = election.LeaderRecord{Identity: election.Identity{ID: "c"}, Term: 6, Ballot: 12, AcquireReason: election.AcquirePreemption}
	)
	to := func(from, to elector.State, leader election.LeaderRecord, reason elector.Reason) any {
		return elector.Transition{From: from, To: to, Leader: leader, Reason: reason}
	}
	for name, test := range map[string]struct {
		state elector.State // before
		calls []any         // transitions and leader records
		want  []string
	}{
		"starts while leadership is vacant": {stopped, []any{to(stopped, candidate, none, elector.ReasonStarted), none, own, to(candidate, leader, own, elector.ReasonVacancy)}, []string{
			`level=INFO msg="leader changed" leader="" term=0 ballot=0 role=candidate reason="never held"`,
			`level=INFO msg="leadership acquired" leader=me term=2 ballot=8 role=leader reason=vacancy`,
		}},
		"starts as a follower": {stopped, []any{to(stopped, candidate, none, elector.ReasonStarted), other, to(candidate, follower, other, elector.ReasonLeaderSeen)}, []string{
			`level=INFO msg="leader changed" leader=b term=5 ballot=11 role=follower reason=expiry`,
		}},
		"another leader resigns and a third process claims": {follower, []any{vacant, to(follower, candidate, vacant, elector.ReasonNoLeader), other, to(candidate, follower, other, elector.ReasonLeaderSeen)}, []string{
			`level=INFO msg="leader changed" leader="" term=1 ballot=7 role=candidate reason=vacant`,
			`level=INFO msg="leader changed" leader=b term=5 ballot=11 role=follower reason=expiry`,
		}},
		"a third process takes over from another leader": {follower, []any{other, challenger}, []string{
			`level=INFO msg="leader changed" leader=b term=5 ballot=11 role=follower reason=expiry`,
			`level=INFO msg="leader changed" leader=c term=6 ballot=12 role=follower reason="preemption, handed over"`,
		}},
		"another leader changes its metadata": {follower, []any{other, other}, []string{
			`level=INFO msg="leader changed" leader=b term=5 ballot=11 role=follower reason=expiry`,
			`level=INFO msg="metadata of the leader changed" leader=b term=5 ballot=11 role=follower reason=expiry`,
		}},
		"the leader expires": {follower, []any{to(follower, candidate, other, elector.ReasonNoLeader)}, []string{
			`level=INFO msg="leader expired" leader="" term=5 ballot=11 role=candidate reason="no renewal by b was seen for its lease"`,
		}},
		"receives leadership in a hand-over": {follower, []any{offered, to(follower, candidate, offered, elector.ReasonNoLeader)}, []string{
			`level=INFO msg="leader changed" leader=me term=4 ballot=10 role=candidate reason="transfer, handed over"`,
		}},
		"is in jeopardy": {leader, []any{to(leader, jeopardy, own, elector.ReasonUnrenewed), to(jeopardy, leader, own, elector.ReasonRenewed)}, []string{
			`level=WARN msg="leadership in jeopardy" leader=me term=2 ballot=8 role=leader reason="a renewal is overdue"`,
			`level=INFO msg="leadership renewed" leader=me term=2 ballot=8 role=leader reason=renewed`,
		}},
		"acquires leadership in jeopardy": {candidate, []any{own, to(candidate, jeopardy, own, elector.ReasonVacancy)}, []string{
			`level=INFO msg="leadership acquired" leader=me term=2 ballot=8 role=leader reason=vacancy`,
		}},
		"cannot renew in time": {jeopardy, []any{to(jeopardy, candidate, own, elector.ReasonUnrenewed), reclaimed, to(candidate, leader, reclaimed, elector.ReasonReclaim)}, []string{
			`level=WARN msg="leadership lost" leader=me term=2 ballot=8 role=candidate reason="no renewal was acknowledged in time"`,
			`level=INFO msg="leadership acquired" leader=me term=3 ballot=9 role=leader reason=reclaim`,
		}},
		"loses leadership": {leader, []any{other, to(leader, follower, other, elector.ReasonLeadershipLost)}, []string{
			`level=WARN msg="leadership lost" leader=b term=5 ballot=11 role=follower reason="leadership was taken over or vacated"`,
		}},
		"is challenged": {leader, []any{to(leader, candidate, own, elector.ReasonChallenged), challenger, to(candidate, follower, challenger, elector.ReasonLeaderSeen)}, []string{
			`level=WARN msg="leadership lost" leader=me term=2 ballot=8 role=candidate reason="challenged by a higher priority"`,
			`level=INFO msg="leader changed" leader=c term=6 ballot=12 role=follower reason="preemption, handed over"`,
		}},
		"leaves as the leader": {leader, []any{to(leader, candidate, own, elector.ReasonStopped), vacant, to(candidate, stopped, vacant, elector.ReasonStopped)}, []string{
			`level=INFO msg=stopping leader=me term=2 ballot=8 role=candidate reason=stopped`,
			`level=INFO msg="leader changed" leader="" term=1 ballot=7 role=candidate reason=vacant`,
			`level=INFO msg=stopped leader="" term=1 ballot=7 role=stopped reason=stopped`,
		}},
		"leaves as a follower": {follower, []any{to(follower, stopped, other, elector.ReasonStopped)}, []string{
			`level=INFO msg=stopped leader=b term=5 ballot=11 role=stopped reason=stopped`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			joined := 0
			l := &transitionLog{log: textLog(&log), id: "me", state: test.state, joined: func() { joined++ }}
			callbacks := l.callbacks()
			records := 0
			for _, call := range test.calls {
				switch call := call.(type) {
				case elector.Transition:
					callbacks.OnTransition(t.Context(), call)
				case election.LeaderRecord:
					records++
					callbacks.OnLeadershipChange(t.Context(), elector.LeaderInfo{LeaderRecord: call})
				}
			}
			require.Equal(t, test.want, linesOf(&log))
			require.Equal(t, min(records, 1), joined, "joined is called once, after the first leader record")
		})
	}
}

func TestLogOfStoreErrors(t *testing.T) {
	var log bytes.Buffer
	l := &transitionLog{log: textLog(&log)}
	storeError := l.callbacks().OnStoreError
	storeError(t.Context(), errors.Join(errors.New("no answer"), errors.New("not at all")))
	storeError(t.Context(), nil)
	storeError(t.Context(), fmt.Errorf("watch: %w", fdbelection.ErrNotInitialized))
	storeError(t.Context(), nil)
	require.Equal(t, []string{
		`level=WARN msg="store unavailable, trying again" error="no answer; not at all"`,
		`level=INFO msg="store available again"`,
		`level=WARN msg="the election does not exist yet, waiting for it"`,
		`level=INFO msg="the election exists now"`,
	}, linesOf(&log))
}

// textLog returns a logger with the text format of run.
func textLog(w io.Writer) *slog.Logger {
	return slog.New((&logFlags{format: logText, level: "info"}).handler(w, clitest.Virtual{}))
}

// linesOf returns the lines of a log, without their times.
func linesOf(log *bytes.Buffer) (lines []string) {
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
		lines = append(lines, line)
	}
	return lines
}
