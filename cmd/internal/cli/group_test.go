package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

// inPool runs a test on a group, in virtual time.
func inPool(t *testing.T, shards int, test func(t *testing.T, p *poolRun)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, &poolRun{clitest.NewPool(t, shards)}) })
}

// poolRun runs commands on a group.
type poolRun struct{ *clitest.Pool }

// runs runs "group" with a command line. Words are separated by spaces.
func (p *poolRun) runs(line string, more ...string) (code int, stdout, stderr string) {
	p.T.Helper()
	args := append(append([]string{"group"}, strings.Fields(line)...), more...)
	stdout, stderr, err := execOn(p.T.Context(), clitest.Virtual{}, p.Database, args...)
	return exit.Code(err), stdout, stderr
}

// done runs a command that must succeed, and returns its output.
func (p *poolRun) done(line string, more ...string) string {
	p.T.Helper()
	code, stdout, stderr := p.runs(line, more...)
	require.Zero(p.T, code, "%s: %s%s", line, stdout, stderr)
	return stdout
}

// asked runs a command with JSON output.
func asked[T any](p *poolRun, line string) (value T) {
	p.T.Helper()
	_, stdout, stderr := p.runs(line + " -o json")
	require.NoError(p.T, json.Unmarshal([]byte(stdout), &value), "%s%s", stdout, stderr)
	return value
}

// TestGroupWithoutMembers: every command works on a group without members or without shards.
func TestGroupWithoutMembers(t *testing.T) {
	for shards, want := range map[int][]string{0: {"shards   0: 0 led, 0 free"}, 3: {"shards   3: 0 led, 3 free"}} {
		inPool(t, shards, func(t *testing.T, p *poolRun) {
			begin := time.Now()
			for _, text := range append(want, "members  none: no shard is led", "moving   0", "wanted   0 pins, 0 requests, 0 drains") {
				require.Contains(t, p.done("status"), text)
			}
			require.Equal(t, begin, time.Now(), "there is no member to wait for")
			require.Equal(t, 1, strings.Count(p.done("members"), "\n"))
			require.Equal(t, 1+shards, strings.Count(p.done("shards"), "\n"))
			require.Contains(t, p.done("rebalance --dry-run"), "no shard moves")
			require.Equal(t, 1+1+shards, strings.Count(p.done("history"), "\n"))
			require.Contains(t, p.done("watch --for 1s"), fmt.Sprintf("event=start reason=\"%d shards, %d of them free\"", shards, shards))
		})
	}
}

// TestGroupStatusJudgesByItself: members are alive if a heartbeat was seen, whatever their clocks
// say. The command waits no longer than it has to.
func TestGroupStatusJudgesByItself(t *testing.T) {
	inPool(t, 10, func(t *testing.T, p *poolRun) {
		p.Joins("a", func(m *group.Member) { m.JoinedAt = m.JoinedAt.Add(-1000 * time.Hour) })
		p.Joins("b")
		p.Joins("c", func(m *group.Member) { m.NotReady = "cache is cold" })
		p.Claims("a", "s0", "s1", "s2", "s3", "s4", "s5")
		p.Claims("b", "s6", "s7")
		p.Does(func(tr kv.Transaction) error { return p.Drain(tr, "b") })
		stop := p.Lives("a", "c")
		begin := time.Now()
		text := p.done("status")
		require.Equal(t, 4500*time.Millisecond, time.Since(begin), "one and a half heartbeats")
		require.Regexp(t, `(?m)^shards +10: 8 led, 2 free$`, text)
		require.Regexp(t, `(?m)^members +3: 1 ready, 1 not ready, 1 silent; oldest beat 4.5s ago; mirrors lag up to `, text)
		require.Regexp(t, `(?m)^a +6 +[0-9.]+m?s ago +ready$`, text)
		require.Regexp(t, `(?m)^b +2 +none for 4.5s +silent, drained by an operator$`, text)
		require.Regexp(t, `(?m)^c +0 +[0-9.]+m?s ago +not ready: cache is cold$`, text)
		require.Regexp(t, `(?m)^wanted +0 pins, 0 requests, 1 drain$`, text)
		require.Contains(t, p.done("status --quick"), "3: 1 ready, 1 not ready, 1 draining; mirrors lag")
		stop()

		stop = p.Lives("a", "b", "c")
		begin = time.Now()
		members := asked[[]report.GroupMember](p, "members")
		require.Less(t, time.Since(begin), 2*time.Second, "all were seen after a second")
		require.Equal(t, []string{groupview.StateReady, groupview.StateDraining, groupview.StateNotReady}, []string{members[0].State, members[1].State, members[2].State})
		require.Equal(t, []int{6, 2, 0}, []int{members[0].Shards, members[1].Shards, members[2].Shards})
		require.False(t, *members[1].Silent)
		stop()
	})
}

// TestGroupOnASlowStore: a slow store is not taken for silent members.
func TestGroupOnASlowStore(t *testing.T) {
	inPool(t, 2, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		p.Database = clitest.Slow(p.Database, 2*time.Second)
		code, stdout, stderr := p.runs("members")
		require.Zero(t, code, stderr)
		require.Contains(t, stderr, "no member is judged as silent")
		require.NotContains(t, stdout, "silent")
	})
}

// TestGroupShards: shards that cannot be read come first, then free ones, then by leader.
func TestGroupShards(t *testing.T) {
	inPool(t, 7, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		p.Joins("b")
		p.Joins("gone")
		p.Claims("b", "s1", "s4")
		p.Claims("a", "s5", "s2")
		p.Claims("gone", "s6")
		p.Does(func(tr kv.Transaction) error { return p.Leave(tr, p.Members["gone"].Identity) })
		p.Does(func(tr kv.Transaction) error { return p.Pin(tr, "s2", "b") })
		p.Does(func(tr kv.Transaction) error { return p.RequestResign(tr, "s4", 1, p.ID()) })
		p.Spoils("shards", "s3")
		order := func(line string) (names []string) {
			for _, s := range asked[[]report.Shard](p, line) {
				names = append(names, s.Shard)
			}
			return names
		}
		require.Equal(t, []string{"s3", "s0", "s6", "s2", "s5", "s1", "s4"}, order("shards"))
		require.Equal(t, []string{"s0", "s6"}, order("shards --free"))
		require.Equal(t, []string{"s1", "s4"}, order("shards --leader b"))
		require.Empty(t, order("shards --leader unknown"))
		code, text, stderr := p.runs("shards")
		require.Equal(t, exit.CodeFailure, code)
		require.Contains(t, stderr, `"fdbelect group raise-term --force" replaces it`)
		require.Regexp(t, `(?m)^s3 +damaged +- +- +- +- +-$`, text)
		require.Regexp(t, `(?m)^s6 +free: the session of gone#[0-9a-f]+ has ended +1 `, text)
		require.Regexp(t, `(?m)^s2 +a#[0-9a-f]+ +1 +[-0-9T:.Z]+ +vacancy +b +-$`, text)
		require.Regexp(t, `(?m)^s4 +b#[0-9a-f]+ +1 +[-0-9T:.Z]+ +vacancy +- +resign$`, text)
		code, _, _ = p.runs("shards --leader a --free")
		require.Equal(t, exit.CodeUsage, code)

		p.done("raise-term --floor 5 --force s3")
		require.Contains(t, p.done("shards --free"), "raised")
		p.done("shards")
	})
}

// TestGroupOfManyShards: the commands work on 10 000 shards.
func TestGroupOfManyShards(t *testing.T) {
	inPool(t, 10_000, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		p.Joins("b")
		var all []string
		for i := range 10_000 {
			all = append(all, fmt.Sprintf("s%d", i))
		}
		p.Claims("a", all[:9_000]...)
		stop := p.Lives("a", "b")
		defer stop()
		s := asked[report.GroupStatus](p, "status")
		require.Equal(t, []int{10_000, 1_000, 5_000}, []int{s.Shards, s.Free, *s.Moving})
		r := asked[report.Rebalance](p, "rebalance --dry-run")
		counts := make(map[string]int)
		for _, m := range r.Moves {
			require.Equal(t, "b", m.To.ID)
			counts[m.Reason]++
		}
		require.Equal(t, map[string]int{"free": 1_000, "balance": 4_000}, counts)
		require.Len(t, asked[[]report.Shard](p, "shards --leader a"), 9_000)
		require.Len(t, asked[[]report.GroupEvent](p, "history --limit 0"), 19_003)
		p.done("unpin", all...)
		p.done("pin --to a", all...)
		require.Equal(t, 10_000, asked[report.GroupStatus](p, "status").Pins)
	})
}

// TestGroupHistory: the log tells what has changed, from whom to whom, and why.
func TestGroupHistory(t *testing.T) {
	inPool(t, 2, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		p.Joins("b")
		p.Claims("a", "s0")
		p.Gives("a", "s0", "b", group.ReasonBalance)
		p.Gives("b", "s0", "", group.ReasonWork)
		p.done("pin --to a s1")
		p.done("drain b")
		p.done("config set lease=20s")
		p.Does(func(tr kv.Transaction) error { return p.Leave(tr, p.Members["b"].Identity) })
		p.done("remove s1 s0")
		time.Sleep(time.Minute) //nolint:forbidigo // virtual
		var got []string
		for _, e := range asked[[]report.GroupEvent](p, "history --limit 0") {
			text := e.Event + " " + e.Shard
			if e.Member != nil {
				text += e.Member.ID
			}
			if e.From != nil {
				text += " from " + e.From.ID
			}
			if e.To != nil {
				text += " to " + e.To.ID
			}
			got = append(got, text+": "+e.Reason)
			require.WithinDuration(t, time.Now().Add(-time.Minute), e.Time, time.Second)
		}
		require.Equal(t, []string{
			"unpinned s1a: from a", "removed s1: removed", "removed s0: removed", "left b: ", "config : revision 2: lease 10s -> 20s", "drained b: ", "pinned s1a: to a",
			"vacant s0 from b: work", "handed_over s0 from a to b: balance", "claimed s0 to a: vacancy", "joined b: weight 1", "joined a: weight 1",
			"created s1: created", "created s0: created", "config : revision 1",
		}, got)
		require.Len(t, asked[[]report.GroupEvent](p, "history --limit 2 --shard s0"), 2)
		require.Len(t, asked[[]report.GroupEvent](p, "history --limit 0 --shard s0"), 5, "it had no pin and no request")
		require.Len(t, asked[[]report.GroupEvent](p, "history --member b --limit 0"), 5)

		// Without the beginning of the log, the leader before is not known.
		version, err := kv.ReadTransact(t.Context(), p.Database, func(tr kv.ReadTransaction) (int64, error) { return tr.GetReadVersion().Get() })
		require.NoError(t, err)
		p.Does(func(tr kv.Transaction) error { return p.Trim(tr, version) })
		require.Empty(t, asked[[]report.GroupEvent](p, "history"))
		p.Does(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, []string{"s2"}, time.Now()); return err })
		p.Claims("a", "s2")
		p.Members["a"].Weight = 2
		p.Does(func(tr kv.Transaction) error { return p.UpdateMember(tr, *p.Members["a"]) })
		e := asked[[]report.GroupEvent](p, "history")
		require.Equal(t, []string{groups.EventChanged, groups.EventClaimed, groups.EventCreated}, []string{e[0].Event, e[1].Event, e[2].Event})
		require.Nil(t, e[1].From)
		require.Equal(t, "a", e[1].To.ID)
	})
}
