package groups_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

// TestTimeline: what the log tells, second by second, and also what it does not tell.
func TestTimeline(t *testing.T) {
	p := clitest.NewPool(t, 4)
	p.Joins("a")
	p.Joins("b")
	p.Claims("a", "s0", "s1", "s2")
	p.Claims("b", "s3")
	st := load(t, p)
	from := st.Version

	p.Gives("a", "s0", "b", group.ReasonBalance)
	p.Gives("a", "s1", "", group.ReasonWork)
	p.Does(func(tr kv.Transaction) error { return p.Leave(tr, p.Members["a"].Identity) })
	p.Claims("b", "s1", "s2")
	changes, err := kv.ReadTransact(t.Context(), p.Database, func(tr kv.ReadTransaction) (group.Changes, error) { return p.ReadLog(tr, from, 0) })
	require.NoError(t, err)

	begin := time.Unix(1000, 0)
	tell := func(known *groupview.State) (tl groups.Timeline) {
		teller := groups.NewTeller(known)
		if known != nil {
			tl.Know(known)
		}
		for i := range changes.Changes {
			if e, told := teller.Tell(&changes.Changes[i]); told {
				tl.Add(&e, begin.Add(time.Duration(i)*time.Second))
			}
		}
		return tl
	}
	require.Equal(t, []groups.Second{
		{At: 1000, Loads: map[string]int{"a": -1, "b": 1}, Moves: map[string]int{"balance": 1}},
		{At: 1001, Loads: map[string]int{"a": -1}, Free: 1, Moves: map[string]int{}},
		{At: 1002, Loads: map[string]int{"a": -1}, Free: 1, Moves: map[string]int{}},
		{At: 1003, Loads: map[string]int{"b": 1}, Free: -1, Moves: map[string]int{"vacancy": 1}},
		{At: 1004, Loads: map[string]int{"b": 1}, Free: -1, Moves: map[string]int{"expiry": 1}},
	}, tell(st).Seconds[:5])

	// From the log alone it is not known whose shards they were.
	require.Equal(t, []groups.Second{
		{At: 1000, Loads: map[string]int{"b": 1}, Unknown: -1, Moves: map[string]int{"balance": 1}},
		{At: 1001, Loads: map[string]int{}, Free: 1, Unknown: -1, Moves: map[string]int{}},
		{At: 1003, Loads: map[string]int{"b": 1}, Free: -1, Moves: map[string]int{"vacancy": 1}},
		{At: 1004, Loads: map[string]int{"b": 1}, Unknown: -1, Moves: map[string]int{"expiry": 1}},
	}, tell(nil).Seconds[:4])

	// A member that is started again under its id has lost its shards.
	tl := tell(nil)
	tl.Know(load(t, p))
	tl.Add(&groups.Event{Kind: groups.EventJoined, Member: election.Identity{ID: "b"}}, begin.Add(time.Hour))
	last := tl.Seconds[len(tl.Seconds)-1]
	require.Equal(t, groups.Second{At: 4600, Loads: map[string]int{"b": -4}, Free: 4, Moves: map[string]int{}}, last)
	tl.Trim(begin.Add(time.Minute))
	require.Equal(t, []groups.Second{last}, tl.Seconds)
}

// load returns what is known of a group after one read.
func load(t *testing.T, p *clitest.Pool) *groupview.State {
	t.Helper()
	st, err := groups.Load(t.Context(), open(p))
	require.NoError(t, err)
	return st
}
