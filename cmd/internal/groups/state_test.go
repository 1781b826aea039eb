package groups_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

// open returns a session on a group.
func open(p *clitest.Pool) *session.Session {
	return &session.Session{
		Database: session.Database{Database: p.Database}, Group: p.Group,
		Access:  &session.Access{Timeout: time.Second, Place: session.Place{OfGroup: true, Name: "default", Root: "fdbelection"}},
		Program: &session.Program{Clock: clitest.Virtual{}},
	}
}

// TestLoadWhileTheGroupChanges: changes between two pages of the scan are not lost.
func TestLoadWhileTheGroupChanges(t *testing.T) {
	p := clitest.NewPool(t, 11_000)
	p.Joins("a")
	st := groupview.New(p.Group)
	for n, up := 0, false; !up; n++ {
		require.Less(t, n, 20)
		r, err := kv.ReadTransact(t.Context(), p.Database, st.Read)
		require.NoError(t, err)
		up = st.Add(&r, func(*group.Change) { t.Error("nothing is told before the first scan is complete") })
		p.Claims("a", fmt.Sprintf("s%d", n)) // names come in this order: s0, s1, s10, ...
		p.Does(func(tr kv.Transaction) error {
			_, err := p.RemoveShards(tr, []string{fmt.Sprintf("s%d", 9000+n)})
			return err
		})
	}
	s := open(p)
	require.NoError(t, groups.Update(t.Context(), s, st))
	fresh, err := groups.Load(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, fresh.Count(), st.Count())
	require.Equal(t, fresh.Mirror.Len(), st.Mirror.Len())
	for _, one := range fresh.Mirror.Shards() {
		require.Equal(t, one.Shard, st.Mirror.Shard(one.Name).Shard)
	}
}

// TestPlanIsConfluent: after any part of the moves, the plan is the rest of them.
func TestPlanIsConfluent(t *testing.T) {
	p := clitest.NewPool(t, 20)
	p.Joins("a")
	p.Joins("b")
	p.Joins("c", func(m *group.Member) { m.Weight = 2 })
	for i := range 15 {
		p.Claims("a", fmt.Sprintf("s%d", i))
	}
	p.Does(func(tr kv.Transaction) error { return p.Pin(tr, "s3", "b") })
	s := open(p)
	load := func() (*groupview.State, *groupview.Plan) {
		st, err := groups.Load(t.Context(), s)
		require.NoError(t, err)
		plan, err := st.Plan()
		require.NoError(t, err)
		return st, plan
	}
	st, plan := load()
	for left := len(plan.Moves); left > 0; left-- {
		require.Len(t, plan.Moves, left)
		m := plan.Moves[left/2]
		if m.From.ID == "" {
			p.Claims(m.To.ID, m.Shard.Name)
		} else {
			p.Gives(m.From.ID, m.Shard.Name, m.To.ID, group.ReasonBalance)
		}
		st, plan = load()
	}
	require.Empty(t, plan.Moves)
	led := st.Count().Led
	require.Equal(t, []int{5, 5, 10}, []int{led[p.Members["a"].Identity], led[p.Members["b"].Identity], led[p.Members["c"].Identity]})
	p.Joins("new", func(m *group.Member) { m.Balance = group.BalanceVersion + 1 })
	load() // the others know the lower version only
}

// TestHeartbeats: a member is alive once a second heartbeat was seen, and from the start if it
// joined later.
func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 0)
		p.Joins("a")
		p.Joins("b")
		s := open(p)
		st, err := groups.Load(t.Context(), s)
		require.NoError(t, err)
		stop := p.Lives("a")
		time.AfterFunc(2*time.Second, func() { p.Joins("c") })
		o, err := groups.Observe(t.Context(), s, st, st.HeartbeatWindow())
		require.NoError(t, err)
		stop()
		require.Equal(t, 4500*time.Millisecond, o.Took)
		require.Equal(t, []bool{false, true, false}, []bool{*o.Silent("a"), *o.Silent("b"), *o.Silent("c")})
		require.Equal(t, 4500*time.Millisecond, *o.Age("b"))
		require.Less(t, *o.Age("a"), time.Second)
		require.Len(t, st.Beats, 3, "the state is up to date")

		o, err = groups.Observe(t.Context(), s, st, 0)
		require.NoError(t, err)
		require.Nil(t, o.Silent("a"))
		require.Nil(t, o.Age("a"))
	})
}

// TestNewerBalance: if all members use a newer rule, there is no plan.
func TestNewerBalance(t *testing.T) {
	p := clitest.NewPool(t, 1)
	p.Joins("new", func(m *group.Member) { m.Balance = group.BalanceVersion + 1 })
	st, err := groups.Load(t.Context(), open(p))
	require.NoError(t, err)
	_, err = st.Plan()
	require.ErrorContains(t, err, "use fdbelect of their version")
}
