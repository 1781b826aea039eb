package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestGroupWithDamagedRecords: a record that cannot be read costs what it describes and nothing
// else, and nothing is changed.
func TestGroupWithDamagedRecords(t *testing.T) {
	for _, record := range [][]string{{"group"}, {"members", "a"}, {"beats", "a"}, {"shards", "s1"}, {"pins", "s1"}, {"requests", "s1"}} {
		t.Run(strings.Join(record, " "), func(t *testing.T) {
			inPool(t, 4, func(t *testing.T, p *poolRun) {
				p.Joins("a")
				p.Joins("b")
				p.Claims("a", "s0", "s1")
				p.Claims("b", "s2")
				stop := p.Lives("b")
				defer stop()
				p.Spoils(record...)
				kind := strings.TrimSuffix(record[0], "s")
				for _, line := range []string{"status", "members", "shards", "rebalance --dry-run"} {
					before := p.withoutBeats(t)
					code, stdout, stderr := p.runs(line + " -o json")
					require.Equal(t, exit.CodeFailure, code, "%s: %s", line, stdout)
					require.Contains(t, stderr, kind+" at key", line)
					require.True(t, json.Valid([]byte(stdout)), line)
					require.Equal(t, before, p.withoutBeats(t))
				}
				s := asked[report.GroupStatus](p, "status --quick")
				require.Equal(t, 2, s.Members)
				require.Equal(t, 4, s.Shards)
				require.Len(t, s.Unreadable, 1)
				shards := asked[[]report.Shard](p, "shards --leader b")
				require.Len(t, shards, 1)
				_, stderr, err := execOn(t.Context(), clitest.Virtual{}, p.Database, "list")
				if record[0] == "group" {
					require.Equal(t, exit.CodeFailure, exit.Code(err))
					require.Contains(t, stderr, `"fdbelect group config set --defaults"`)
					p.done("config set --defaults")
				} else {
					require.NoError(t, err)
				}
			})
		})
	}
}

// withoutBeats returns everything that is stored, except the heartbeats of members, which go on.
func (p *poolRun) withoutBeats(t *testing.T) []kv.KeyValue {
	return slices.DeleteFunc(clitest.Contents(t, p.Database), func(row kv.KeyValue) bool {
		return bytes.Contains(row.Key, []byte("beats"))
	})
}

// TestGroupTrimMarkDamaged: a mark of the log that cannot be read does not keep the commands
// from working.
func TestGroupTrimMarkDamaged(t *testing.T) {
	inPool(t, 12_000, func(t *testing.T, p *poolRun) { // more than one page
		p.Spoils("trimmed")
		require.Equal(t, 12_000, asked[report.GroupStatus](p, "status").Shards)
		require.NotEmpty(t, asked[[]report.GroupEvent](p, "history"))
	})
}

// TestGroupUntrustedText: nothing that is stored controls a terminal, and JSON has it unchanged.
func TestGroupUntrustedText(t *testing.T) {
	const name = "x\u200b\u202e\U000e0041" // allowed as a name
	const text = "y\x1b[2J\x07"
	inPool(t, 2, func(t *testing.T, p *poolRun) {
		p.Does(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, []string{name}, time.Now()); return err })
		p.Joins(name, func(m *group.Member) { m.Tags, m.NotReady = map[string]string{"tag": "tag"}, "tag" })
		p.Joins("b")
		p.Claims("b", name, "s0")
		p.Does(func(tr kv.Transaction) error { return p.Pin(tr, name, name) })
		p.Does(func(tr kv.Transaction) error { return p.Pin(tr, "s0", "tag") })
		p.Does(func(tr kv.Transaction) error { return p.Drain(tr, name) })
		p.Does(func(tr kv.Transaction) error { return p.RequestResign(tr, name, 1, p.ID()) })
		p.Does(func(tr kv.Transaction) error { // what no member would write
			rows, err := tr.GetRange(p.Subspace().Bytes(), append(p.Subspace().Bytes(), 0xff), kv.RangeOptions{}).Get()
			for _, row := range rows {
				tr.Set(row.Key, bytes.ReplaceAll(row.Value, []byte("\x02tag\x00"), []byte("\x02"+text+"\x00")))
			}
			return err
		})
		p.Does(func(tr kv.Transaction) error { return p.Leave(tr, p.Members["b"].Identity) })
		for _, line := range []string{
			"status", "members", "shards", "history", "rebalance --dry-run", "watch --for 15s", "pin --to b " + name, "unpin " + name,
			"drain " + name, "undrain " + name, "cancel " + name, "remove " + name,
		} {
			_, stdout, stderr := p.runs(line)
			for _, r := range stdout + stderr {
				require.True(t, r == '\n' || unicode.IsPrint(r), "%s prints %U", line, r)
			}
			require.Contains(t, stdout+stderr, `\u202e`, line)
		}
		require.Equal(t, text, asked[[]report.GroupMember](p, "members --quick")[0].NotReady)
		stdout, _, _ := execOn(t.Context(), clitest.Virtual{}, p.Database, "doctor", "--group", "default")
		for _, r := range stdout {
			require.True(t, r == '\n' || unicode.IsPrint(r), "doctor prints %U", r)
		}
	})
}

// TestGroupDoesNotExist: every command says so, and creates nothing.
func TestGroupDoesNotExist(t *testing.T) {
	p := &poolRun{&clitest.Pool{T: t, Database: memkv.New(memkv.Options{})}}
	for name, args := range unreachableArguments {
		line, ofGroup := strings.CutPrefix(name, "group ")
		if !ofGroup || line == "create" || line == "watch" || line == "run" { // the last two wait for it
			continue
		}
		code, _, stderr := p.runs(line, args...)
		require.Equal(t, exit.CodeFailure, code, "%s: %s", line, stderr)
		require.Contains(t, stderr, `there is no group default below fdbelection in store test:; check --group and --root ("fdbelect list" shows what is there), or create one with "fdbelect group create"`, line)
	}
	require.Empty(t, clitest.Contents(t, p.Database))
}

// TestListBelowAGroup: list skips the records of a group whose path is the root, even if they
// look like an election or a group. An election and a group may have one name.
func TestListBelowAGroup(t *testing.T) {
	inPool(t, 1, func(t *testing.T, p *poolRun) {
		p.Joins("config")
		p.Joins("group")
		list := func(args ...string) string {
			stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, p.Database, append([]string{"list"}, args...)...)
			require.NoError(t, err, stderr)
			return stdout
		}
		require.Equal(t, "[]\n", list("--root", "fdbelection/default", "-o", "json"))
		_, _, err := execOn(t.Context(), clitest.Virtual{}, p.Database, "init")
		require.NoError(t, err)
		require.Regexp(t, `(?m)^default +election .*\ndefault +group +- +- +2 members +enabled$`, list())
	})
}

// TestCompletionInGroups: groups, shards and members are completed.
func TestCompletionInGroups(t *testing.T) {
	inPool(t, 3, func(t *testing.T, p *poolRun) {
		p.Joins("ash")
		p.Does(func(tr kv.Transaction) error {
			_, err := p.CreateShards(tr, []string{"evil\u202e", "other"}, time.Now())
			return err
		})
		p.Does(func(tr kv.Transaction) error { return p.Drain(tr, "old") })
		complete := func(args ...string) []string {
			a := &app{Program: &session.Program{Stdout: &strings.Builder{}, Stderr: &strings.Builder{}, Clock: clitest.Virtual{}, Stores: []session.Store{clitest.StoreOf(p.Database)}}}
			require.NoError(t, a.exec(t.Context(), append([]string{"__complete"}, args...)))
			lines := strings.Split(strings.TrimSpace(a.Stdout.(*strings.Builder).String()), "\n")
			return lines[:len(lines)-1] // the last one is a directive
		}
		require.Equal(t, []string{"default"}, complete("group", "status", "--store", "test:", "--group", ""))
		require.Equal(t, []string{"default"}, complete("doctor", "--store", "test:", "--group", ""))
		require.Empty(t, complete("status", "--store", "test:", "--election", ""))
		require.Equal(t, []string{"other", "s0", "s1", "s2"}, complete("group", "pin", "--store", "test:", ""))
		require.Equal(t, []string{"s0", "s1", "s2"}, complete("group", "history", "--store", "test:", "--shard", "s"))
		require.Equal(t, []string{"ash"}, complete("group", "pin", "--store", "test:", "--to", "a"))
		require.Equal(t, []string{"ash"}, complete("group", "shards", "--store", "test:", "--leader", ""))
		require.Equal(t, []string{"ash"}, complete("group", "drain", "--store", "test:", ""))
		require.Equal(t, []string{"old"}, complete("group", "undrain", "--store", "test:", ""))
	})
}
