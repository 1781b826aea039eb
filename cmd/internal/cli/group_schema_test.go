package cli

import (
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// poolOf makes a group with three members, two of which lead shards. One shard is free, one is
// pinned, and a drain waits for a member.
func poolOf(m *clitest.Manual) *clitest.Pool {
	p := clitest.NewPoolIn(m.T, m.Database, 5)
	p.Joins("a", func(m *group.Member) { m.Tags = map[string]string{"zone": "x"} })
	p.Joins("b")
	p.Joins("c", func(m *group.Member) { m.NotReady = "cache is cold" })
	p.Claims("a", "s0", "s1", "s2")
	p.Gives("a", "s1", "b", group.ReasonBalance)
	p.Gives("a", "s2", "", group.ReasonWork)
	p.Claims("b", "s3")
	p.Does(func(tr kv.Transaction) error { return p.Pin(tr, "s0", "a") })
	p.Does(func(tr kv.Transaction) error { return p.Drain(tr, "d") })
	return p
}

// grouped makes such a group, whose members send heartbeats.
func grouped(m *clitest.Manual) { poolOf(m).Lives("a", "b", "c") }

// damagedGroup makes such a group, and damages a record.
func damagedGroup(record ...string) func(m *clitest.Manual) {
	return func(m *clitest.Manual) {
		p := poolOf(m)
		p.Lives("a", "b", "c")
		p.Spoils(record...)
	}
}

// laterInGroup makes such a group, and acts a while after the command began.
func laterInGroup(act func(p *clitest.Pool)) func(m *clitest.Manual) {
	return func(m *clitest.Manual) {
		p := poolOf(m)
		p.Lives("a", "b", "c")
		time.AfterFunc(100*time.Millisecond, func() { act(p) })
	}
}

// groupScenes returns runs of every command below "group" that has --output.
func groupScenes() map[string][]scene {
	none := func(m *clitest.Manual) { clitest.NewPoolIn(m.T, m.Database, 0) }
	lonely := func(m *clitest.Manual) { clitest.NewPoolIn(m.T, m.Database, 3) }
	silent := func(m *clitest.Manual) { poolOf(m) }
	releases := laterInGroup(func(p *clitest.Pool) { p.Gives("a", "s0", "b", group.ReasonResign) })
	return map[string][]scene{
		"group create": {
			{func(*clitest.Manual) {}, []string{"--shards", "3"}, exit.CodeDone},
			{lonely, []string{"--shards", "501", "default"}, exit.CodeDone},
		},
		"group config get":     {{does: none}},
		"group config set":     {{none, []string{"lease=20s"}, exit.CodeDone}, {damagedGroup("group"), []string{"--defaults"}, exit.CodeDone}},
		"group config enable":  {{does: none}},
		"group config disable": {{does: grouped}, {grouped, []string{"--dry-run"}, exit.CodeDone}},
		"group status": {
			{does: none},
			{does: lonely},
			{does: grouped},
			{does: silent},
			{grouped, []string{"--quick"}, exit.CodeDone},
			{damagedGroup("group"), nil, exit.CodeFailure},
			{damagedGroup("members", "b"), nil, exit.CodeFailure},
			{damagedGroup("beats", "b"), nil, exit.CodeFailure},
		},
		"group members": {{does: none}, {does: grouped}, {silent, []string{"--quick"}, exit.CodeDone}, {damagedGroup("members", "a"), nil, exit.CodeFailure}},
		"group shards": {
			{does: none},
			{does: grouped},
			{grouped, []string{"--free"}, exit.CodeDone},
			{grouped, []string{"--leader", "a"}, exit.CodeDone},
			{damagedGroup("shards", "s1"), nil, exit.CodeFailure},
			{damagedGroup("pins", "s1"), nil, exit.CodeFailure},
		},
		"group history": {{does: none}, {does: grouped}, {grouped, []string{"--shard", "s1", "--limit", "1"}, exit.CodeDone}},
		"group watch": {
			{grouped, []string{"--for", "1s"}, exit.CodeDone},
			{silent, []string{"--for", "20s"}, exit.CodeDone},
			{damagedGroup("shards", "s1"), []string{"--for", "1s"}, exit.CodeDone},
			{releases, []string{"--for", "1s"}, exit.CodeDone},
		},
		"group pin":     {{grouped, []string{"--to", "b", "s1", "s2"}, exit.CodeDone}},
		"group unpin":   {{grouped, []string{"s0", "s1"}, exit.CodeDone}, {damagedGroup("pins", "s1"), []string{"s1"}, exit.CodeDone}},
		"group drain":   {{grouped, []string{"a"}, exit.CodeDone}},
		"group undrain": {{grouped, []string{"d"}, exit.CodeDone}, {grouped, []string{"a"}, exit.CodeDone}},
		"group cancel":  {{damagedGroup("requests", "s1"), []string{"s1"}, exit.CodeDone}},
		"group resign":  {{releases, []string{"s0"}, exit.CodeDone}, {grouped, []string{"--term", "1", "s1"}, exit.CodeDone}},
		"group remove":  {{grouped, []string{"s0", "s2", "s9"}, exit.CodeDone}, {damagedGroup("shards", "s1"), []string{"s1"}, exit.CodeFailure}},
		"group raise-term": {
			{damagedGroup("shards", "s1"), []string{"--floor", "9", "--force", "s1"}, exit.CodeDone},
			{silent, []string{"--floor", "9", "--all"}, exit.CodeDone},
		},
		"group rebalance": {{grouped, []string{"--dry-run"}, exit.CodeDone}, {lonely, []string{"--dry-run"}, exit.CodeDone}, {damagedGroup("shards", "s1"), []string{"--dry-run"}, exit.CodeFailure}},
	}
}
