//go:build unix

package run_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// notify returns the arguments of a command that records the lines on its stdin. It also records
// when it starts, gets SIGTERM and sees the end of its stdin. $1 is what it does after that record.
func (r record) notify(each string, more ...string) []string {
	const script = `echo began >> $0; trap 'echo TERM >> $0' TERM
		while read -r line; do echo "$line" >> $0; EACH; done; echo end >> $0`
	args := r.shell(strings.Replace(script, "EACH", each, 1))
	return append(append([]string{"--notify"}, more...), args...)
}

// answering answers each release.
const answering = `case $line in *'"release"'*) echo "$line" | sed 's/.*"shard":\("[^"]*"\),"term":\([0-9]*\).*/{"released":\1,"term":\2}/';; esac`

// One command is told of all shards. It gives them up one by one: to another member, and at the
// end.
func TestGroupNotify(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, 5*time.Second, "x", "y"), newRecord(t)
	a := m.start("a", r.notify(answering)...)
	processtest.Eventually(t, "the command is told of both", func() bool { return len(r.lines(t)) == 3 })
	lines := r.lines(t)
	require.Equal(t, "began", lines[0])
	for _, line := range lines[1:] {
		require.Regexp(t, `^\{"event":"acquire","shard":"[xy]","term":1,"token":"1:[^"]*"\}$`, line)
		_, text, _ := strings.Cut(strings.TrimSuffix(line, `"}`), `"token":"`)
		token, err := election.ParseToken(text)
		require.NoError(t, err)
		_, name, _ := strings.Cut(line, `"shard":"`)
		s := m.Shard(t, name[:1])
		require.Equal(t, s.Token().Token, token)
	}

	b := m.start("b") // half of the shards go to it
	processtest.Eventually(t, "the command gives one up", func() bool { return len(r.lines(t)) == 4 })
	require.Regexp(t, `^\{"event":"release","shard":"[xy]","term":1,"reason":"balance"\}$`, r.lines(t)[3])
	processtest.Eventually(t, "b leads one", func() bool {
		x, y := m.Shard(t, "x"), m.Shard(t, "y")
		return x.Leader.ID == "b" && y.Leader.ID == "a" || x.Leader.ID == "a" && y.Leader.ID == "b"
	})

	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t), "it gives the other one up and ends with its stdin")
	require.Regexp(t, `^\{"event":"release","shard":"[xy]","term":1,"reason":"stop"\}$`, r.lines(t)[4])
	require.Contains(t, r.lines(t)[5:], "end")
	m.led("x", "b")
	m.led("y", "b")
	b.Signal(syscall.SIGTERM)
	require.Zero(t, b.Wait(t))
}

// A command that does not answer a release is killed as a whole, and only then does another member
// lead the shard.
func TestGroupNotifyWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, time.Minute, "x", "y"), newRecord(t)
	a := m.start("a", r.notify("echo $$ > $0.pid", "--pre-stop", "200ms")...)
	processtest.Eventually(t, "the command is told of both", func() bool { return len(r.lines(t)) == 3 })
	m.do(func(tr kv.Transaction) error { return m.RequestResign(tr, "x", 1, [16]byte{1}) })
	processtest.Says(t, &a.Stderr, `status="signal: killed" cause="it did not give up shard x in time"`)
	processtest.Eventually(t, "the command is started again", func() bool { return len(r.lines(t)) == 6 })
	require.Equal(t, "began", r.lines(t)[4])
	require.Contains(t, r.lines(t)[5], `{"event":"acquire","shard":"x","term":2,`)
	require.Equal(t, group.ReasonWork, m.led("y", "").Reason, "it could not be worked on either")
	a.Signal(syscall.SIGTERM)
	require.Equal(t, 137, a.Wait(t))
	m.led("x", "")
}

// A command that writes rubbish is killed, and the log says what was wrong.
func TestGroupNotifyRefusesRubbish(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ line, says string }{
		"text":          {`hello`, `hello: invalid character`},
		"escapes":       {`\033[2J`, `\"\\x1b[2J\": invalid character`},
		"unknown field": {`{"released":"x","term":1,"more":1}`, `unknown field`},
		"no term":       {`{"released":"x"}`, `a field is missing`},
		"two values":    {`{"released":"x","term":1}{}`, `more text follows`},
		"long":          {`%5000s`, `a line has more than 4096 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, r := newMembers(t, time.Minute, "x"), newRecord(t)
			a := m.start("a", r.notify(`printf '`+c.line+`\n'`)...)
			processtest.Says(t, &a.Stderr, `cause="it wrote something else than {\"released\":\"SHARD\",\"term\":N} to stdout; let it write its log to stderr`)
			require.Contains(t, a.Stderr.String(), c.says)
			require.Equal(t, group.ReasonWork, m.led("x", "").Reason)
			a.Signal(syscall.SIGTERM)
			require.Zero(t, a.Wait(t), "nothing had to be killed at the end")
		})
	}
}

// A command may give a shard up by itself. What it says of a shard that it does not have is
// ignored. If it ends, its shards are released. The lease is long enough that a slow machine
// renews it in time.
func TestGroupNotifyGivesUpByItself(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, 2*time.Second, "x"), newRecord(t)
	a := m.start("a", r.notify(`case $line in
		*'"acquire","shard":"x","term":1,'*) echo '{"released":"x","term":7}'; echo '{"released":"x","term":1}';;
		*'"acquire","shard":"x","term":2,'*) exit 7;;
		*'"release"'*) echo '{"released":"x","term":3}';;
	esac`)...)
	processtest.Eventually(t, "it is told a third time", func() bool { return len(r.lines(t)) == 5 })
	m.led("x", "a")
	log := a.Stderr.String()
	require.Contains(t, log, `msg="the command gives up a shard that it does not have" group=default id=a shard=x term=7`)
	require.Contains(t, log, `exit_code=7 status="exit status 7" cause="it ended by itself"`)
	require.Equal(t, []string{"began", "began"}, []string{r.lines(t)[0], r.lines(t)[3]})
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	m.led("x", "")
}

// If group run is killed, its command ends.
func TestGroupNotifyEndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, time.Minute, "x"), newRecord(t)
	a := m.start("a", r.notify("echo $$ > $0.pid.new; mv $0.pid.new $0.pid")...)
	processtest.Eventually(t, "the command runs", func() bool { _, err := os.Stat(string(r) + ".pid"); return err == nil })
	a.Signal(syscall.SIGKILL)
	<-a.Exited
	r.wait(t, "end")
	processtest.Says(t, &a.Stderr, `cause="the guard ended it, because run ended without stopping it"`)
}

// --notify needs a command.
func TestGroupNotifyNeedsACommand(t *testing.T) {
	t.Parallel()
	o := processtest.Typed(t, "group run --store mem: --id a --notify")
	require.Equal(t, 2, o.Code)
	require.Contains(t, o.Stderr, "--notify needs a command, after --")
}

// do changes the group.
func (m members) do(fn func(tr kv.Transaction) error) {
	m.t.Helper()
	require.NoError(m.t, m.DB.Transact(m.t.Context(), fn))
}
