//go:build unix

package run_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

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

// has reports whether the metrics of a process have all of these lines.
func has(t *testing.T, url string, lines ...string) bool {
	t.Helper()
	status, body := fetch(t, url+"/metrics")
	require.Equal(t, 200, status, body)
	return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(body, line+"\n") })
}

// answers returns a function that reports whether a URL answers with a status.
func answers(t *testing.T, url string, want int) func() bool {
	return func() bool { status, _ := fetch(t, url); return status == want }
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

	require.True(t, has(t, atA,
		`fdbelection_elector_is_leader{election="default",node="a"} 1`,
		`fdbelection_elector_term{election="default",node="a"} 1`,
		`# TYPE fdbelection_elector_renewal_duration_seconds histogram`))
	require.True(t, has(t, atB, `fdbelection_elector_is_leader{election="default",node="b"} 0`))
	processtest.Eventually(t, "the outsider sees it", func() bool {
		return has(t, outside, `fdbelection_election_has_leader{election="default"} 1`,
			`fdbelection_election_leader_info{election="default",leader="a",reason="vacancy"} 1`, `fdbelection_elections 1`)
	})
	for _, path := range []string{"/livez", "/readyz"} {
		for _, url := range []string{atA, atB, outside} {
			processtest.Eventually(t, url+path, answers(t, url+path, 200))
		}
	}
	require.True(t, answers(t, atA+"/leaderz", 200)())
	require.True(t, answers(t, atB+"/leaderz", 503)())
	require.True(t, answers(t, outside+"/leaderz", 503)())
	require.True(t, answers(t, atA+"/", 404)())

	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	processtest.Eventually(t, "b leads", answers(t, atB+"/leaderz", 200))
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

// Two members serve their metrics and health. A member is alive without being ready, and /readyz
// says why it is not. When one stops, the answers of the other change.
func TestGroupMetrics(t *testing.T) {
	t.Parallel()
	m, r := newMembers(t, 3*time.Second, "w", "x", "y", "z"), newRecord(t)
	leads := func(url, id string, shards int) func() bool {
		return func() bool {
			return has(t, url, fmt.Sprintf(`fdbelection_member_leading_shards{group="default",member=%q} %d`, id, shards))
		}
	}
	a := m.start("a", "--metrics", "0")
	atA := servedBy(t, a)
	processtest.Eventually(t, "a leads all", leads(atA, "a", 4))
	require.True(t, answers(t, atA+"/readyz", 200)())
	b := m.start("b", "--metrics", ":0", "--ready-period", "10ms", "--ready-command", "echo cold; test -e "+string(r)+".ready")
	atB := servedBy(t, b)
	processtest.Eventually(t, "the reason", func() bool {
		status, body := fetch(t, atB+"/readyz")
		require.Equal(t, 503, status, body)
		return strings.Contains(body, "b: not ready to lead: ") && strings.Contains(body, "cold")
	})
	require.True(t, answers(t, atB+"/livez", 200)())
	require.True(t, has(t, atB, `fdbelection_member_leading_shards{group="default",member="b"} 0`,
		`# TYPE fdbelection_member_heartbeat_duration_seconds histogram`))
	require.NoError(t, os.WriteFile(string(r)+".ready", nil, 0o600))
	processtest.Eventually(t, "b is ready", answers(t, atB+"/readyz", 200))
	processtest.Eventually(t, "a leads half", leads(atA, "a", 2))
	processtest.Eventually(t, "b leads half", leads(atB, "b", 2))
	require.True(t, answers(t, atA+"/leaderz", 404)(), "many processes lead")

	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
	processtest.Eventually(t, "b leads all", leads(atB, "b", 4))
	_, err := http.Get(atA) //nolint:gosec,noctx,bodyclose // there is no answer
	require.Error(t, err)
}

// A member of a group that does not exist is alive and not ready. A member that leaves is not
// ready either, until its command has ended.
func TestGroupReadyzAtBothEnds(t *testing.T) {
	t.Parallel()
	m := newMembers(t, time.Minute, "x")
	waiting := m.start("w", "--metrics", "0", "other")
	at := servedBy(t, waiting)
	status, body := fetch(t, at+"/readyz")
	require.Equal(t, 503, status)
	require.Equal(t, "w: not ready to lead: it has not joined the group, or could not renew its session in time\n", body)
	require.True(t, answers(t, at+"/livez", 200)())

	args, pids := processtest.Worker(t, true)
	a := m.start("a", append([]string{"--metrics", "0", "--pre-stop", "1m"}, args...)...)
	at = servedBy(t, a)
	pids()
	require.True(t, answers(t, at+"/readyz", 200)())
	a.Signal(syscall.SIGTERM)
	processtest.Eventually(t, "it leaves", answers(t, at+"/readyz", 503))
	_, body = fetch(t, at+"/readyz")
	require.Equal(t, "a: not ready to lead: it leaves the group\n", body)
	require.True(t, has(t, at, `fdbelection_member_ending_shards{group="default",member="a"} 1`))
	require.Equal(t, 137, a.Insist(t))
}

// An address that is in use or is not one ends "group run" before it joins.
func TestGroupMetricsOnAnInvalidAddress(t *testing.T) {
	t.Parallel()
	m := newMembers(t, time.Minute, "x")
	taken := strings.TrimPrefix(servedBy(t, m.start("a", "--metrics", "0")), "http://")
	b := m.start("b", "--metrics", taken)
	require.Equal(t, 1, b.Wait(t))
	require.Contains(t, b.Stderr.String(), "--metrics: cannot serve HTTP: ")
	require.NotContains(t, b.Stderr.String(), "joining")
	c := m.start("c", "--metrics", "somewhere")
	require.Equal(t, 2, c.Wait(t))
	require.Contains(t, c.Stderr.String(), "--metrics: somewhere has no port")
}
