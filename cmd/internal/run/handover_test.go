//go:build unix

package run_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

// restartScript is a command that stops when it is told to.
const restartScript = `trap 'echo "ended:$FDBELECT_TERM" >> $0; exit' TERM
	echo "began:$FDBELECT_NODE_ID:$FDBELECT_TERM" >> $0; while :; do sleep 0.02; done`

// A process that is asked to stop hands over to the newest process of its host, after its
// command has ended and although another candidate is first by rank. Without a newer process
// it resigns.
func TestHandOverTo(t *testing.T) {
	t.Parallel()
	file, r := processtest.StoreFile(t), newRecord(t)
	start := func(id, to string) *processtest.Process {
		return processtest.Start(t, file, id, append([]string{"--lease", "1m", "--hand-over-to", to}, r.shell(restartScript)...)...)
	}
	v1 := start("web/1", "web/*")
	r.wait(t, "began:web/1:1")
	other := start("db/1", "db/*")
	processtest.Says(t, &other.Stderr, "role=follower")
	v2 := start("web/2", "web/*")
	joined := processtest.Typed(t, "watch --tui=false --for 20s --store file:"+file, "--until", "event=(present|joined) candidate=web/2 ")
	require.Zero(t, joined.Code, "docs/operations.md waits like this")
	v1.Signal(syscall.SIGTERM)
	require.Zero(t, v1.Wait(t))
	require.Contains(t, v1.Stderr.String(), "msg=stopped election=default id=web/1 leader=web/2 term=2")
	r.wait(t, "began:web/1:1", "ended:1", "began:web/2:2")
	require.NotContains(t, processtest.Typed(t, "history", "--store", "file:"+file).Stdout, " ended ")

	v2.Signal(syscall.SIGTERM)
	require.Zero(t, v2.Wait(t), "the lack of a successor is not an error")
	processtest.Says(t, &v2.Stderr, `level=INFO msg="resigned instead of handing over" election=default id=web/2 to=web/*`)
	r.wait(t, "ended:2", "began:db/1:3")

	other.Signal(syscall.SIGTERM)
	require.Zero(t, other.Wait(t))
}

// A command that had to be killed has its exit code, with and without a successor.
func TestHandOverToAfterTheCommandWasKilled(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, file, "a", append([]string{"--pre-stop", "100ms", "--hand-over-to", "b"}, args...)...)
	pids()
	p.Signal(syscall.SIGTERM)
	require.Equal(t, 137, p.Wait(t))
	require.Contains(t, p.Stderr.String(), "resigned instead of handing over")
	require.Contains(t, processtest.Typed(t, "status", "--store", "file:"+file).Stdout, "is vacant")
}

// Successors that are not possible are usage errors.
func TestHandOverToIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ want, args []string }{
		{[]string{"--hand-over-to names this candidate itself", `--id "$(hostname)/$$"`}, []string{"--hand-over-to", "a"}},
		{[]string{"--hand-over-to", "control character"}, []string{"--hand-over-to", "a\x01"}},
	} {
		o := processtest.Typed(t, "run --store mem: --id a", c.args...)
		require.Equal(t, 2, o.Code)
		for _, want := range c.want {
			require.Contains(t, o.Stderr, want)
		}
	}
	o := processtest.Typed(t, "run --store mem: --observe --hand-over-to a")
	require.Equal(t, 2, o.Code)
	require.Contains(t, o.Stderr, "--hand-over-to is for a candidate")
}
