//go:build unix

package run_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
)

// members runs "group run" in a test.
type members struct {
	*processtest.Group
	t *testing.T
}

func newMembers(t *testing.T, lease time.Duration, shards ...string) members {
	t.Helper()
	return members{processtest.NewGroup(t, lease, shards...), t}
}

func (m members) start(id string, args ...string) *processtest.Process {
	m.t.Helper()
	return processtest.StartArgs(m.t, nil, id, append([]string{"group", "run", "--store", "file:" + m.File, "--id", id}, args...)...)
}

// led waits until a shard has a leader of an id, or none if the id is empty, and returns it.
func (m members) led(shard, id string) group.Shard {
	m.t.Helper()
	var s group.Shard
	processtest.Eventually(m.t, shard+" is led by "+id, func() bool {
		s = m.Shard(m.t, shard)
		return s.Leader.ID == id
	})
	return s
}

// A command has the name of its shard, its term and its token. When group run is asked to stop,
// the commands end and the shards are vacant.
func TestGroupRun(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, time.Minute, "x", "y'z"), newRecord(t)
	a := m.start("a", r.shell(`echo "$1|$FDBELECT_SHARD|$FDBELECT_TERM|$FDBELECT_GROUP|$FDBELECT_NODE_ID|$FDBELECT_TOKEN" >> $0
		trap 'echo "ended" >> $0; exit' TERM; while :; do sleep 0.02; done`, "<{}>")...)
	processtest.Eventually(t, "both commands run", func() bool { return len(r.lines(t)) == 2 })
	for _, line := range r.lines(t) {
		fields := strings.Split(line, "|")
		require.Len(t, fields, 6)
		require.Equal(t, "<"+fields[1]+">", fields[0])
		s := m.led(fields[1], "a")
		require.Equal(t, []string{fmt.Sprint(s.Term), "default", "a"}, fields[2:5])
		token, err := election.ParseToken(fields[5])
		require.NoError(t, err)
		require.Equal(t, group.Token{Shard: fields[1], Token: token}, s.Token())
	}
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	require.Equal(t, []string{"ended", "ended"}, r.lines(t)[2:])
	for _, name := range []string{"x", "y'z"} {
		require.Equal(t, group.ReasonStop, m.led(name, "").Reason)
	}
	require.Contains(t, a.Stderr.String(), `msg="command ended" group=default id=a shard=x term=1 reason=stop pid=`)
}

// A command that ends by itself costs this member the shard for a while. Its exit code decides how
// long, and group run goes on.
func TestGroupCommandEndsByItself(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, 300*time.Millisecond, "x"), newRecord(t)
	a := m.start("a", r.shell(`echo $FDBELECT_TERM >> $0; exit $(($FDBELECT_TERM % 2 * 7))`)...)
	processtest.Eventually(t, "the shard is led in four terms", func() bool { return len(r.lines(t)) >= 4 })
	require.Equal(t, []string{"1", "2", "3", "4"}, r.lines(t)[:4])
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	log := a.Stderr.String()
	require.Regexp(t, `level=WARN msg="command ended" group=default id=a shard=x term=1 (reason=work )?pid=[0-9]+ exit_code=7 status="exit status 7" cause="it ended by itself"`, log)
	require.Regexp(t, `level=INFO msg="command ended" group=default id=a shard=x term=2 (reason=work )?pid=[0-9]+ exit_code=0`, log)
	require.Contains(t, log, `msg="holding off after failed work" group=default id=a shard=x failures=1 duration=100ms`)
	require.NotContains(t, log, "failures=2", "a success ends the row")
}

// A command that cannot be started counts as a failure, and the log says why.
func TestGroupCommandDoesNotStart(t *testing.T) {
	t.Parallel()
	m := newMembers(t, time.Minute, "x")
	a := m.start("a", "--", "./no-such-program-of-{}")
	processtest.Says(t, &a.Stderr, `level=WARN msg="command did not start" group=default id=a shard=x term=1 status="`)
	processtest.Says(t, &a.Stderr, "no-such-program-of-x: no such file or directory")
	require.Equal(t, group.ReasonWork, m.led("x", "").Reason)
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
}

// A command that ignores SIGTERM is killed after --pre-stop, and only then is its shard handed
// over.
func TestGroupCommandIsKilled(t *testing.T) {
	t.Parallel()
	m := newMembers(t, time.Minute, "x")
	args, pids := processtest.Worker(t, true)
	a := m.start("a", append([]string{"--pre-stop", "100ms"}, args...)...)
	ids := pids()
	a.Signal(syscall.SIGTERM)
	require.Equal(t, 137, a.Wait(t))
	for _, id := range ids {
		require.True(t, processtest.Gone(id))
	}
	require.Contains(t, a.Stderr.String(), `cause="it was killed, because it did not stop in time"`)
	m.led("x", "")
}

// A second interrupt kills the commands, and the member still leaves.
func TestGroupSecondInterrupt(t *testing.T) {
	t.Parallel()
	m := newMembers(t, time.Minute, "x")
	args, pids := processtest.Worker(t, true)
	a := m.start("a", append([]string{"--pre-stop", "1m"}, args...)...)
	ids := pids()
	require.Equal(t, 137, a.Insist(t))
	for _, id := range ids {
		require.True(t, processtest.Gone(id))
	}
	m.led("x", "")
}

// Signals for the commands are passed on to all of them.
func TestGroupSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, time.Minute, "x", "y"), newRecord(t)
	a := m.start("a", r.shell(`trap 'echo "got-$FDBELECT_SHARD" >> $0' USR1; echo began >> $0; trap exit TERM; while :; do sleep 0.02; done`)...)
	processtest.Eventually(t, "both run", func() bool { return len(r.lines(t)) == 2 })
	a.Signal(syscall.SIGUSR1)
	processtest.Eventually(t, "both got the signal", func() bool { return len(r.lines(t)) == 4 })
	require.ElementsMatch(t, []string{"got-x", "got-y"}, r.lines(t)[2:])
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
}

// Without a command group run only leads. It waits for a group that does not exist, and refuses a
// second process under its id.
func TestGroupRunWithoutACommand(t *testing.T) {
	t.Parallel()
	m := newMembers(t, 300*time.Millisecond, "x")
	waiting := m.start("a", "other")
	processtest.Says(t, &waiting.Stderr, `level=WARN msg="the group does not exist yet, waiting for it" group=other`)
	waiting.Signal(syscall.SIGTERM)
	require.Zero(t, waiting.Wait(t))
	a := m.start("a", "default")
	m.led("x", "a")
	second := m.start("a")
	require.Equal(t, 79, second.Wait(t))
	require.Contains(t, second.Stderr.String(), "(--id); do not start this one again with the same id")
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	m.led("x", "")
}

// A member that is not ready leads nothing.
func TestGroupRunReadiness(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, time.Minute, "x"), newRecord(t)
	a := m.start("a", "--ready-period", "10ms", "--ready-failure-threshold", "1", "--ready-command", "test -e "+string(r)+".ready")
	processtest.Says(t, &a.Stderr, "not ready to lead")
	require.True(t, func() bool { s := m.Shard(t, "x"); return s.Vacant() }())
	require.NoError(t, os.WriteFile(string(r)+".ready", nil, 0o600))
	m.led("x", "a")
	require.NoError(t, os.Remove(string(r)+".ready"))
	require.Equal(t, group.ReasonNotReady, m.led("x", "").Reason)
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
}

// The examples in the help of group run work as printed, apart from the path of the store.
func TestGroupRunExamples(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("fdbelect", "group", "run", "--help").Output()
	require.NoError(t, err)
	examples := 0
	for scanner := bufio.NewScanner(strings.NewReader(string(out))); scanner.Scan(); {
		command := strings.TrimSpace(scanner.Text())
		if !strings.HasPrefix(command, "fdbelect group run ") || !strings.Contains(command, "file:/tmp/demo.db") {
			continue
		}
		examples++
		t.Run(fmt.Sprint(examples), func(t *testing.T) {
			t.Parallel()
			t.Log(command)
			m, dir := newMembers(t, time.Minute, "x"), t.TempDir()
			script := "#!/bin/sh\ntrap exit TERM\necho \"worker $*\"\nwhile :; do sleep 0.02; done\n"
			if strings.Contains(command, "--notify") {
				script = "#!/bin/sh\nread line\necho worker >&2\nread line\necho '{\"released\":\"x\",\"term\":1}'\nread line\n"
			}
			for _, name := range []string{"/worker", "/worker-of-many"} {
				require.NoError(t, os.WriteFile(dir+name, []byte(script), 0o700))
			}
			p := processtest.ShellProcess(t, dir, "exec "+strings.NewReplacer("/tmp/demo.db", m.File, "9100", "0").Replace(command))
			m.led("x", string(command[strings.Index(command, "--id ")+5]))
			processtest.Eventually(t, "the worker runs", func() bool { return strings.Contains(p.Stdout.String()+p.Stderr.String(), "worker") })
			p.Signal(syscall.SIGTERM)
			require.Zero(t, p.Wait(t))
		})
	}
	require.GreaterOrEqual(t, examples, 5)
}
