//go:build unix

package serve_test

import (
	"bufio"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

var urlRE = regexp.MustCompile(`msg=serving url=(\S+)/ `)

// No other process can put an election into the memory of this one.
func TestServeMemory(t *testing.T) {
	t.Parallel()
	s := processtest.ShellProcess(t, t.TempDir(), "exec fdbelect serve --listen 0 --store mem:")
	processtest.Says(t, &s.Stderr, "nothing to see")
}

// A page beside two candidates is told within the lease that the leader was killed, and the
// history has it.
func TestServe(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	a := processtest.Start(t, file, "a", "--lease", "1s")
	processtest.Says(t, &a.Stderr, "role=leader")
	b := processtest.Start(t, file, "b")
	processtest.Says(t, &b.Stderr, "leader=a")
	s := processtest.ShellProcess(t, t.TempDir(), "exec fdbelect serve --listen 0 --store file:"+file)
	processtest.Says(t, &s.Stderr, "msg=serving")
	var match []string
	processtest.Eventually(t, "the line is complete", func() bool {
		match = urlRE.FindStringSubmatch(s.Stderr.String())
		return match != nil
	})
	require.True(t, strings.HasPrefix(match[1], "http://127.0.0.1:"), match[1])

	stream, err := http.Get(match[1] + "/api/v1/stream?election=default") //nolint:gosec,noctx // of a process of this test
	require.NoError(t, err)
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 1<<20)
	says := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		require.Fail(t, "the stream has ended", "it never said %s: %v", text, lines.Err())
	}
	says(`"leader":{"id":"a"`)
	a.Signal(syscall.SIGKILL)
	says(`"leader":{"id":"b"`)
	says(`"event":"began","term":2`)

	answer, err := http.Get(match[1] + "/metrics") //nolint:gosec,noctx // of a process of this test
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `fdbelection_election_leader_info{election="default",leader="b",reason="expiry"} 1`)
	s.Signal(syscall.SIGTERM)
	require.Zero(t, s.Wait(t))
}
