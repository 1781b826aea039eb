//go:build unix

package run_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

var servingRE = regexp.MustCompile(`msg="serving metrics".* address=(\S+)`)

// servedBy returns the address at which a process serves metrics.
func servedBy(t *testing.T, p *processtest.Process) string {
	t.Helper()
	processtest.Says(t, &p.Stderr, `msg="serving metrics"`)
	var match []string
	processtest.Eventually(t, "the line is complete", func() bool {
		match = servingRE.FindStringSubmatch(p.Stderr.String())
		return match != nil
	})
	require.True(t, strings.HasPrefix(match[1], "127.0.0.1:"), match[1])
	return "http://" + match[1]
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	answer, err := http.Get(url) //nolint:gosec,noctx // of a process of this test
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

// Two candidates serve their metrics and health, and a process that only subscribes those of
// the election. When the leader stops, the other one's answers change.
func TestMetrics(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	a := processtest.Start(t, file, "a", "--metrics", "0", "--lease", "2s")
	processtest.Says(t, &a.Stderr, "role=leader")
	b := processtest.Start(t, file, "b", "--metrics", ":0")
	processtest.Says(t, &b.Stderr, "leader=a")
	watcher := processtest.ShellProcess(t, t.TempDir(), "exec fdbelect run --observe --metrics 0 --store file:"+file)
	atA, atB, outside := servedBy(t, a), servedBy(t, b), servedBy(t, watcher)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, atA+"/metrics", http.NoBody)
	require.NoError(t, err)
	r.Host = "evil.example"
	refused, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, refused.Body.Close())
	require.Equal(t, http.StatusMisdirectedRequest, refused.StatusCode, "a name that leads to this host")

	has := func(url string, lines ...string) bool {
		status, body := fetch(t, url)
		require.Equal(t, 200, status, body)
		for _, line := range lines {
			if !strings.Contains(body, line+"\n") {
				return false
			}
		}
		return true
	}
	answers := func(url string, want int) func() bool {
		return func() bool { status, _ := fetch(t, url); return status == want }
	}
	require.True(t, has(atA+"/metrics",
		`fdbelection_elector_is_leader{election="default",node="a"} 1`,
		`fdbelection_elector_term{election="default",node="a"} 1`,
		`# TYPE fdbelection_elector_renewal_duration_seconds histogram`))
	require.True(t, has(atB+"/metrics", `fdbelection_elector_is_leader{election="default",node="b"} 0`))
	processtest.Eventually(t, "the outsider sees it", func() bool {
		return has(outside+"/metrics", `fdbelection_election_has_leader{election="default"} 1`,
			`fdbelection_election_leader_info{election="default",leader="a",reason="vacancy"} 1`, `fdbelection_elections 1`)
	})
	for _, path := range []string{"/livez", "/readyz"} {
		for _, url := range []string{atA, atB, outside} {
			processtest.Eventually(t, url+path, answers(url+path, 200))
		}
	}
	require.True(t, answers(atA+"/leaderz", 200)())
	require.True(t, answers(atB+"/leaderz", 503)())
	require.True(t, answers(outside+"/leaderz", 503)())
	require.True(t, answers(atA+"/", 404)())

	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	processtest.Eventually(t, "b leads", answers(atB+"/leaderz", 200))
	_, err = http.Get(atA) //nolint:gosec,noctx,bodyclose // there is no answer
	require.Error(t, err)
	watcher.Signal(syscall.SIGTERM)
	require.Zero(t, watcher.Wait(t))
}

// An address that is in use or is not one ends run before it takes part.
func TestMetricsOnAnInvalidAddress(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	a := processtest.Start(t, file, "a", "--metrics", "0")
	taken := strings.TrimPrefix(servedBy(t, a), "http://")
	b := processtest.Start(t, file, "b", "--metrics", taken)
	require.Equal(t, 1, b.Wait(t))
	require.Contains(t, b.Stderr.String(), "--metrics: cannot serve HTTP: ")
	require.NotContains(t, b.Stderr.String(), "role=")
	c := processtest.Start(t, file, "c", "--metrics", "somewhere")
	require.Equal(t, 2, c.Wait(t))
	require.Contains(t, c.Stderr.String(), "--metrics: somewhere has no port")
}
