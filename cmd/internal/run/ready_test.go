//go:build unix

package run_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
)

// A leader whose ready command begins to fail stops its command, and then the other
// candidate leads. The reason is in the list of candidates.
func TestLeaderBecomesUnready(t *testing.T) {
	t.Parallel()
	file, r, dir := processtest.StoreFile(t), newRecord(t), t.TempDir()
	start := func(id string) (p *processtest.Process, healthy string) {
		healthy = filepath.Join(dir, id)
		require.NoError(t, os.WriteFile(healthy, nil, 0o600))
		return processtest.Start(t, file, id, append([]string{
			"--lease", "1s", "--ready-period", "20ms", "--ready-timeout", "10s", "--ready-failure-threshold", "2",
			"--ready-command", `[ -e ` + healthy + ` ] || { printf 'checking\n\033[31mdisk of %s is gone\n' $FDBELECT_NODE_ID; exit 3; }`,
		}, r.shell(`trap 'echo '$FDBELECT_NODE_ID'-stopped >> $0; exit' TERM
			echo $FDBELECT_NODE_ID-began >> $0; while :; do sleep 0.02; done`)...)...), healthy
	}
	a, healthy := start("a")
	processtest.Says(t, &a.Stderr, `msg="ready to lead"`)
	r.wait(t, "a-began")
	b, _ := start("b")
	processtest.Says(t, &b.Stderr, "leader=a term=1")

	require.NoError(t, os.Remove(healthy))
	const reason = `exit status 3: "\x1b[31mdisk of a is gone"`
	processtest.Says(t, &a.Stderr, `level=WARN msg="not ready to lead" election=default id=a reason=`+strconv.Quote(reason))
	r.wait(t, "a-began", "a-stopped", "b-began")
	require.Contains(t, a.Stderr.String(), `level=WARN msg="leadership lost" election=default id=a leader=a term=1`)
	require.Contains(t, a.Stderr.String(), `role=candidate reason="not ready"`)
	require.NotContains(t, a.Stderr.String(), "\x1b")
	m := processtest.WatchLeader(t, file)
	processtest.Eventually(t, "its record says why", func() bool {
		c, listed := m.Candidate("a")
		return listed && c.NotReady == reason
	})

	// It is ready again, and follows the leader that has replaced it.
	require.NoError(t, os.WriteFile(healthy, nil, 0o600))
	processtest.Eventually(t, "a is ready", func() bool {
		c, listed := m.Candidate("a")
		return listed && c.Ready()
	})
	b.Signal(syscall.SIGTERM)
	require.Zero(t, b.Wait(t))
	r.wait(t, "a-stopped", "b-began", "b-stopped", "a-began")
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
}

// A candidate that is not ready does not lead, even if there is no other one, unless a flag
// says after which time it may.
func TestUnreadyCandidate(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	var checks atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		checks.Add(1)
		if !ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "warming up\n")
		}
	}))
	t.Cleanup(server.Close)
	check := []string{"--lease", "300ms", "--ready-http", server.URL, "--ready-period", "10ms", "--ready-timeout", "10s"}

	p := processtest.Start(t, processtest.StoreFile(t), "a", append([]string{"--ready-success-threshold", "3"}, check...)...)
	processtest.Says(t, &p.Stderr, `msg="not ready to lead" election=default id=a reason="HTTP status 503 Service Unavailable: warming up"`)
	processtest.Eventually(t, "it was checked many times", func() bool { return checks.Load() > 50 })
	require.NotContains(t, p.Stderr.String(), "role=leader")
	ready.Store(true)
	processtest.Says(t, &p.Stderr, "role=leader")
	ready.Store(false)

	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	p = processtest.Start(t, file, "b", append([]string{"--lead-unready-after", "600ms"}, check...)...)
	m.Until("b leads without being ready", func(l election.LeaderRecord) bool { return l.ID == "b" })
	processtest.Says(t, &p.Stderr, "role=leader")
	require.NotContains(t, p.Stderr.String(), `msg="ready to lead"`)
}

// run ends at once although a check hangs, and leaves nothing of the check behind.
func TestRunEndsDuringACheck(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			pids := filepath.Join(t.TempDir(), "pids")
			p := processtest.Start(t, processtest.StoreFile(t), "a", "--ready-timeout", "1h", "--ready-command",
				fmt.Sprintf(`trap '' TERM INT; sleep 1000 & echo $$ $! > %[1]s.new; mv %[1]s.new %[1]s; wait`, pids))
			var text []byte
			processtest.Eventually(t, "the check runs", func() (ok bool) {
				var err error
				text, err = os.ReadFile(pids)
				return err == nil
			})
			p.Signal(s)
			require.Zero(t, p.Wait(t))
			for field := range strings.FieldsSeq(string(text)) {
				pid, err := strconv.Atoi(field)
				require.NoError(t, err)
				t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
				processtest.Eventually(t, "the check has ended", func() bool { return processtest.Gone(pid) })
			}
		})
	}
}
