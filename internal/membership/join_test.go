package membership_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
)

// A read of the log that ran beside the join may not have seen it, although the clock is the same
// at its start and at the answer to the join. Only a later read shows that the member record is
// gone.
func TestAReadBesideTheJoin(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	m := membership.New(membership.Settings{ID: "a", Weight: 1, NewNonce: uuid.New})
	running := map[membership.Kind]membership.Operation{}
	var ended []membership.Report
	step := func(e membership.Event) {
		for _, action := range m.Step(e, membership.Now{Local: now, Wall: now}) {
			switch a := action.(type) {
			case membership.StartOperation:
				running[a.Kind] = a.Operation
			case membership.Report:
				ended = append(ended, a)
			}
		}
	}
	answer := func(kind membership.Kind, a membership.Answer) {
		a.Start, a.Seen = now, now
		step(membership.Answered{Op: running[kind].ID, Answer: a})
	}
	step(membership.Begin{})
	answer(membership.Scan, membership.Answer{Page: group.Page{Version: 7}})
	read := running[membership.Follow]

	me := election.Identity{ID: "a", Incarnation: uuid.New()}
	join := running[membership.Join].ID
	step(membership.AttemptStarting{Op: join, Attempt: 1, Start: now, Incarnation: me.Incarnation, Lease: 10 * time.Second, Config: testConfig()})
	step(membership.AttemptDone{Op: join, Attempt: 1, Outcome: kv.Committed})
	answer(membership.Join, membership.Answer{Version: 8, Beat: group.Beat{Identity: me, Counter: 1, Lease: 10 * time.Second}})
	answer(read.Kind, membership.Answer{Log: group.Changes{Version: 7}})
	require.Empty(t, ended)
	require.Equal(t, me, m.Session())

	for i := 0; running[membership.Follow].ID == read.ID && i < 100; i++ {
		now = now.Add(50 * time.Millisecond)
		step(membership.Tick{})
	}
	answer(membership.Follow, membership.Answer{Log: group.Changes{Version: 9}})
	require.Len(t, ended, 1)
	require.ErrorIs(t, ended[0].Err, group.ErrSessionEnded)
}
