package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestGroupCreateGoesOn: create can run again after it was interrupted, adds what is missing,
// and does not touch what exists.
func TestGroupCreateGoesOn(t *testing.T) {
	db := memkv.New(memkv.Options{})
	down := errors.New("the store is gone")
	m := &clitest.Meddled{Database: db, Before: func(n int) error {
		if n > 3 { // the config and two batches
			return down
		}
		return nil
	}}
	_, stderr, err := execOn(t.Context(), clitest.Virtual{}, m, "group", "create", "--shards", "2000", "jobs")
	require.ErrorIs(t, err, down)
	require.Contains(t, stderr, "1000 of 2000 shards exist by now: run create again to add the others")

	create := func(args ...string) string {
		t.Helper()
		stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, append([]string{"group", "create", "jobs"}, args...)...)
		require.NoError(t, err, stderr)
		return stdout
	}
	require.Regexp(t, `^group jobs .* exists already \(revision 1\)\n2000 shards, 1000 of them new\n$`, create("--shards", "2000"))
	before := clitest.Contents(t, db)
	require.Contains(t, create("--shards", "2000", "--lease", "10s"), "0 of them new")
	require.Equal(t, before, clitest.Contents(t, db))
	_, stderr, err = execOn(t.Context(), clitest.Virtual{}, db, "group", "create", "jobs", "--lease", "6s", "--max-moves", "7", "--shards", "2001")
	require.Equal(t, exit.CodeFailure, exit.Code(err))
	require.Contains(t, stderr, "lease is 10s, not 6s, max_moves is 32, not 7; nothing was changed")
	require.Equal(t, before, clitest.Contents(t, db))
	require.Contains(t, create("--shards", "12000", "-o", "json"), `"created": 10000`)
	stdout, _, err := execOn(t.Context(), clitest.Virtual{}, db, "group", "shards", "--group", "jobs")
	require.NoError(t, err)
	require.Contains(t, stdout, "\nshard-0000 ")
	require.Contains(t, stdout, "\nshard-11999 ")
	require.Equal(t, 12001, strings.Count(stdout, "\n"))
}

// TestGroupCreateConfig: the flags make the config, and faults are named by the flags.
func TestGroupCreateConfig(t *testing.T) {
	for line, want := range map[string]group.Config{
		"":                       group.DefaultConfig(),
		"--lease 6s":             group.ConfigWithLease(6 * time.Second),
		"--lease 10s --disabled": {LeaseDuration: 10 * time.Second, HeartbeatInterval: 3 * time.Second, SettleDelay: 3 * time.Second, MaxMoves: 32, Retention: 24 * time.Hour},
		"--lease 9s --heartbeat 2s --margin 500ms --settle-delay 0s --max-moves 5 --retention 1h": {
			LeaseDuration: 9 * time.Second, HeartbeatInterval: 2 * time.Second, Margin: 500 * time.Millisecond, Enabled: true, MaxMoves: 5, Retention: time.Hour,
		},
	} {
		p := &poolRun{&clitest.Pool{T: t, Database: memkv.New(memkv.Options{})}}
		p.done("create " + line)
		require.Equal(t, report.GroupConfigOf(withRevision(want, 1)), asked[report.GroupConfig](p, "config get"), line)
	}
	for line, want := range map[string]string{
		"--lease 0s":                 "invalid config: --lease is 0s",
		"--heartbeat 20s":            "--heartbeat is 20s, not shorter than the lease",
		"--max-moves 0":              "--max-moves is 0; use 1 to 500",
		"--retention 1ms":            "--retention is 1ms",
		"--shards 0":                 "--shards is 0",
		"--shards 2000000":           "--shards is 2000000; use 1 to 1000000",
		"--shards 3 --shard-names x": "either --shards or --shard-names",
		"--shard-names nosuchfile":   "nosuchfile",
		"--group a b":                "named twice",
		"members":                    "NAME members is reserved: a group stores its own records under that name",
		"config":                     "NAME config is reserved: an election stores",
		"--group config":             "--group config is reserved: an election stores",
		"a b":                        "2 names are given",
	} {
		p := &poolRun{&clitest.Pool{T: t, Database: memkv.New(memkv.Options{})}}
		code, _, stderr := p.runs("create " + line)
		require.Equal(t, exit.CodeUsage, code, "%s: %s", line, stderr)
		require.Contains(t, stderr, want)
		require.Empty(t, clitest.Contents(t, p.Database))
	}
}

func withRevision(c group.Config, revision uint64) group.Config {
	c.Revision = revision
	return c
}

// TestGroupCreateNames: the names of the shards may come from stdin. All of them are checked
// before anything is written.
func TestGroupCreateNames(t *testing.T) {
	create := func(db kv.Database, stdin string) (string, error) {
		var out, errs bytes.Buffer
		a := &app{Program: clitest.NewProgram(clitest.Virtual{}, &out, &errs, clitest.StoreOf(db))}
		a.Stdin = strings.NewReader(stdin)
		err := a.exec(t.Context(), []string{"group", "create", "--shard-names", "-", "--store", "test:"})
		return out.String() + errs.String(), err
	}
	db := memkv.New(memkv.Options{})
	text, err := create(db, "tenant 1\r\nb\n\nb\nträge\n")
	require.NoError(t, err, text)
	require.Contains(t, text, "3 shards, 3 of them new")
	before := clitest.Contents(t, db)
	for stdin, want := range map[string]string{
		"new\nx\x1b[2J\n":                  `line 2 of - "x\x1b[2J" contains a control character; nothing was changed`,
		"new\n" + strings.Repeat("x", 256): "line 2 of - has 256 bytes",
		"\n\n":                             "- has no names",
		"new\n\xff\n":                      "is not valid UTF-8",
		strings.Repeat("y", 1<<17):         "token too long",
	} {
		text, err = create(db, stdin)
		require.Equal(t, exit.CodeUsage, exit.Code(err), text)
		require.Contains(t, text, want)
		require.Equal(t, before, clitest.Contents(t, db))
	}
}

// TestGroupConfigOfTwoOperators: a change applies to the revision that is read with it.
func TestGroupConfigOfTwoOperators(t *testing.T) {
	inPool(t, 0, func(t *testing.T, p *poolRun) {
		require.Contains(t, p.done("config set lease=20s margin=1s --revision 1"), "revision 2 is written, and applies from the next heartbeat of each member")
		code, _, stderr := p.runs("config set lease=30s --revision 1")
		require.Equal(t, exit.CodeFailure, code)
		require.Contains(t, stderr, fdbelection.ErrConfigChanged.Error())
		code, _, stderr = p.runs("config set max_moves=501 retention=0s")
		require.Equal(t, exit.CodeUsage, code)
		require.Contains(t, stderr, "max_moves is 501")
		require.Contains(t, stderr, "retention is 0s")
		require.Contains(t, p.done("config set --defaults --dry-run"), "nothing was written")
		require.Regexp(t, `(?m)^heartbeat +3s -> 6.666666666s$`, p.done("config set --defaults"))
		require.Contains(t, p.done("config disable"), "true -> false")
		require.Contains(t, p.done("config disable"), "nothing to change")
		require.Contains(t, p.done("status"), "disabled: no member may lead")
	})
}
