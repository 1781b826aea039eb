//go:build unix

package run_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

// manager is a socket at which processes report as to a service manager.
type manager struct {
	socket string
	heard  processtest.SafeBuffer // a line for each line of a message
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{socket: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buffer := make([]byte, 1<<16); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			_, _ = m.heard.Write(append(buffer[:n:n], '\n')) // a buffer takes everything
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		<-done
	})
	return m
}

// start starts fdbelect as the service manager would, which expects a ping every 600 ms.
func (m *manager) start(t *testing.T, id string, args ...string) *processtest.Process {
	t.Helper()
	cmd := exec.Command("fdbelect", args...)
	cmd.Env = append(cmd.Environ(), "NOTIFY_SOCKET="+m.socket, "WATCHDOG_USEC=600000")
	return processtest.StartCommand(t, nil, id, cmd)
}

func (m *manager) hears(t *testing.T, line string) {
	t.Helper()
	processtest.Eventually(t, "the manager hears "+line, func() bool { return strings.Contains("\n"+m.heard.String(), "\n"+line+"\n") })
}

func (m *manager) pings() int { return strings.Count(m.heard.String(), "WATCHDOG=1\n") }

// A leader and a follower tell the service manager their roles. What run starts does not see the
// service manager. A process that stands still sends no pings.
func TestServiceManager(t *testing.T) {
	file := processtest.StoreFile(t)
	first, second := newManager(t), newManager(t)
	a := first.start(t, "a", "run", "--store", "file:"+file, "--id", "a", "--lease", "1s", "--pre-stop", "3s", "--timeout", "2s",
		"--", "sh", "-c", `echo "sees <$NOTIFY_SOCKET$WATCHDOG_USEC>"; exec sleep 1000`)
	first.hears(t, "READY=1")
	first.hears(t, "STATUS=leader, term 1")
	processtest.Says(t, &a.Stdout, "sees <>\n")
	require.True(t, strings.HasPrefix(first.heard.String(), "STATUS=starting"), "%s", &first.heard)

	b := second.start(t, "b", "run", "--store", "file:"+file, "--id", "b", "--ready-command", "test -n \"$NOTIFY_SOCKET\"")
	second.hears(t, "READY=1")
	processtest.Eventually(t, "b follows, and says why it would not lead", func() bool {
		return strings.Contains(second.heard.String(), "STATUS=follower, a leads, term 1, ") && strings.Contains(second.heard.String(), "not ready")
	})

	before := first.pings()
	processtest.Eventually(t, "a pings", func() bool { return first.pings() > before+3 })
	a.Signal(syscall.SIGSTOP)
	still := 0
	for was := -1; was != still; { // until the socket is empty: b pings three times meanwhile
		was = first.pings()
		others := second.pings()
		processtest.Eventually(t, "b pings", func() bool { return second.pings() > others+3 })
		still = first.pings()
	}
	a.Signal(syscall.SIGCONT)
	processtest.Eventually(t, "a pings again", func() bool { return first.pings() > still })

	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	require.Contains(t, first.heard.String(), "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=10000000\n")
	b.Signal(syscall.SIGTERM)
	require.Zero(t, b.Wait(t))
}

// A process that only observes, and a member of a group, report as well.
func TestServiceManagerOfOthers(t *testing.T) {
	g := processtest.NewGroup(t, 1e9, "x", "y")
	observed, joined := newManager(t), newManager(t)
	processtest.Start(t, g.File, "a", "--election", "e", "--lease", "1s")
	observed.start(t, "observer", "run", "--store", "file:"+g.File, "--election", "e", "--observe")
	observed.hears(t, "READY=1")
	observed.hears(t, "STATUS=observer, a leads, term 1")

	joined.start(t, "m", "group", "run", "--store", "file:"+g.File, "--id", "m")
	joined.hears(t, "READY=1")
	joined.hears(t, "STATUS=member, leads 2 of 2 shards")
	joined.hears(t, "WATCHDOG=1")
}
