package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// TestGroupSteering: what an operator wants is written once, and taken back.
func TestGroupSteering(t *testing.T) {
	inPool(t, 3, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		code, stdout, stderr := p.runs("pin --to b s0 s1")
		require.Zero(t, code, stderr)
		require.Equal(t, "pinned s0 to b\npinned s1 to b\n", stdout)
		require.Contains(t, stderr, "there is no member b now; the pin waits for it")
		before := clitest.Contents(t, p.Database)
		p.done("pin --to b s0")
		require.Equal(t, before, clitest.Contents(t, p.Database))
		require.Equal(t, "unpinned s0\n", p.done("unpin s0 s2"))
		require.Equal(t, "there was no pin\n", p.done("unpin s0"))
		require.Equal(t, "draining a\n", p.done("drain a"))
		require.Contains(t, p.done("members --quick"), "draining (by an operator)")
		require.Equal(t, "undrained a\n", p.done("undrain a"))
		require.Equal(t, "no operator drains it\n", p.done("undrain a"))

		p.Claims("a", "s0")
		require.Regexp(t, `^asked a#[0-9a-f]+ to remove s0\nremoved s2\nthe group has no shard s9\n$`, p.done("remove s0 s2 s9"))
		require.Contains(t, p.done("shards"), "remove")
		require.Equal(t, "canceled the request to the leader of s0\n", p.done("cancel s0 s1"))
		require.Equal(t, "there was no request\n", p.done("cancel s0"))

		for _, line := range []string{"pin --to a s0 nosuch", "resign nosuch"} {
			code, _, stderr = p.runs(line)
			require.Equal(t, exit.CodeFailure, code)
			require.Contains(t, stderr, `"fdbelect group shards" lists those that are`)
		}
		require.NotContains(t, p.done("shards"), "a  ", "the batch was not written")
		for _, line := range []string{"pin --to a", "pin s0", "unpin", "drain", "undrain", "cancel", "remove", "resign", "resign s0 s1", "resign --term 0 s0", "history --limit -1"} {
			code, _, stderr = p.runs(line)
			require.Equal(t, exit.CodeUsage, code, "%s: %s", line, stderr)
		}
	})
}

// TestGroupResign: resign waits until the leader has released the shard, and withdraws its request
// otherwise, but not that of another operator.
func TestGroupResign(t *testing.T) {
	inPool(t, 3, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		p.Joins("b")
		p.Claims("a", "s0", "s1")
		time.AfterFunc(time.Second, func() { p.Gives("a", "s0", "b", group.ReasonResign) })
		require.Regexp(t, `^term 1 of s0 ended after 1(\.1)?s \(resign\); b#[0-9a-f]+ leads it in term 2\n$`, p.done("resign s0"))
		require.Contains(t, p.done("resign --term 1 s0"), "term 1 of s0 had already ended; b#")
		require.Zero(t, asked[report.GroupStatus](p, "status --quick").Requests, "it is void")
		code, _, stderr := p.runs("resign s2")
		require.Equal(t, exit.CodeNotLeader, code, stderr)
		code, _, stderr = p.runs("resign --term 9 s0")
		require.Equal(t, exit.CodeNotLeader, code, stderr)

		request := func() group.Request {
			r, err := kv.ReadTransact(t.Context(), p.Database, func(tr kv.ReadTransaction) (group.Request, error) { return groups.ReadRequest(p.Group, tr, "s1") })
			require.NoError(t, err)
			return r
		}
		code, _, stderr = p.runs("resign s1 --timeout 3s")
		require.Equal(t, exit.CodeTimedOut, code)
		require.Regexp(t, `a#[0-9a-f]+ has not released s1 within 3s; the request is withdrawn`, stderr)
		require.Zero(t, request())
		code, _, stderr = p.runs("resign s1 --timeout 3s --keep")
		require.Equal(t, exit.CodeTimedOut, code)
		require.Contains(t, stderr, "the request is pending")
		require.Equal(t, group.ResignRequest, request().Kind)
		p.done("remove s1")
		code, _, _ = p.runs("resign s1 --timeout 3s")
		require.Equal(t, exit.CodeTimedOut, code)
		require.Equal(t, group.RemoveRequest, request().Kind, "it is that of another operator")
	})
}

// TestGroupRebalanceSaysWhy: every shard that an operator may expect to move is named, with the
// reason why it does not.
func TestGroupRebalanceSaysWhy(t *testing.T) {
	inPool(t, 8, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		p.Joins("b")
		p.Joins("cold", func(m *group.Member) { m.NotReady = "cache is cold" })
		p.Joins("old")
		p.Claims("a", "s0", "s1", "s2", "s3")
		p.Claims("old", "s4")
		p.Does(func(tr kv.Transaction) error { return p.Drain(tr, "old") })
		for shard, id := range map[string]string{"s0": "a", "s1": "unknown", "s2": "cold", "s3": "b", "s6": "old"} {
			p.Does(func(tr kv.Transaction) error { return p.Pin(tr, shard, id) })
		}
		p.Does(func(tr kv.Transaction) error { _, err := p.RemoveShards(tr, []string{"s1"}); return err })
		p.Spoils("shards", "s7")
		r := asked[report.Rebalance](p, "rebalance --dry-run")
		kept := make(map[string][]string)
		for _, k := range r.Kept {
			require.Len(t, k.Subjects, k.Count)
			kept[k.Reason] = k.Subjects
		}
		require.Equal(t, map[string][]string{
			"it is pinned to its leader":               {"s0"},
			"it is being removed":                      {"s1"},
			"its pin has no effect: cold is not ready": {"s2"},
			"its pin has no effect: old drains":        {"s6"},
			"its record cannot be read":                {"s7"},
		}, kept)
		moves := make(map[string]string)
		for _, m := range r.Moves {
			moves[m.Shard] = m.To.ID + " " + m.Reason
		}
		require.Equal(t, "b pin", moves["s3"])
		require.Regexp(t, "^[ab] drain$", moves["s4"])
		require.Regexp(t, "^[ab] free$", moves["s5"])
		code, _, stderr := p.runs("rebalance")
		require.Equal(t, exit.CodeUsage, code)
		require.Contains(t, stderr, "add --dry-run")

		p.done("config disable")
		_, stdout, _ := p.runs("rebalance --dry-run")
		require.Contains(t, stdout, "kept: 7 shards (the group is disabled: every shard becomes vacant)")
	})
}

// TestGroupRaiseTerm: terms are raised only while no member is alive.
func TestGroupRaiseTerm(t *testing.T) {
	inPool(t, 2, func(t *testing.T, p *poolRun) {
		p.Joins("a")
		p.Claims("a", "s0")
		stop := p.Lives("a")
		code, _, stderr := p.runs("raise-term --floor 7 --all")
		require.Equal(t, exit.CodeFailure, code)
		require.Contains(t, stderr, "is alive, or the store is slow; nothing was changed")
		stop()
		time.Sleep(4 * time.Second) //nolint:forbidigo // virtual
		begin := time.Now()
		require.Contains(t, p.done("raise-term --floor 7 --all"), "2 shards: the next tenure of each has a term above 7")
		require.Equal(t, 10*time.Second, time.Since(begin), "a lease")
		for _, s := range asked[[]report.Shard](p, "shards") {
			require.EqualValues(t, 7, s.Term)
			require.True(t, s.Free)
		}
		for _, line := range []string{"raise-term --all", "raise-term --floor 0 --all", "raise-term --floor 9", "raise-term --floor 9 --all s0"} {
			code, _, _ = p.runs(line)
			require.Equal(t, exit.CodeUsage, code, line)
		}
	})
}
