//go:build linux

package rehearsal

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	electionName = "orders"
	lease        = 3 * time.Second
	// limit is how long the rehearsal waits for anything. It is far more than what it takes.
	limit = time.Minute
)

// world is a store, the processes that use it, and the Prometheus that scrapes them.
type world struct {
	t       *testing.T
	folder  string
	command string // path of fdbelect
	store   string // path of the file
	backup  string // path of its copy, from the first term
	began   time.Time

	candidates map[string]*process
	watcher    *process
	pool       *pool
	prometheus prometheus.API
	url        string
}

// process is one fdbelect run, or Prometheus. It is killed at the end of the test.
type process struct {
	t       *testing.T
	path    string
	args    []string
	folder  string // in which it runs; empty means that of the test
	log     string // path
	address string
	running *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

// await waits until a condition holds, and fails the test after the limit.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-end.C:
			require.FailNow(t, "it did not happen within "+limit.String(), what)
		case <-again.C:
		}
	}
}

// start starts the process and waits until its log names the address that it serves.
func (p *process) start(address *regexp.Regexp) {
	p.t.Helper()
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(p.t, err)
	defer file.Close()
	before, err := os.ReadFile(p.log)
	require.NoError(p.t, err)
	p.running = exec.Command(p.path, p.args...)
	p.running.Stderr, p.running.Dir = file, p.folder
	p.running.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // even if the test is killed
	require.NoError(p.t, p.running.Start())
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		_ = p.running.Wait() // its exit code tells
	}()
	await(p.t, "an address in "+p.log, func() bool {
		text, err := os.ReadFile(p.log)
		require.NoError(p.t, err)
		found := address.FindSubmatch(text[len(before):])
		if found != nil {
			p.address = string(found[1])
		}
		return found != nil
	})
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.running.Process.Signal(s))
}

// kill kills the process and waits for its end.
func (p *process) kill() {
	if p.running != nil {
		_ = p.running.Process.Kill() // it may have ended
		<-p.ended
	}
}

// hasEnded reports whether the process has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop asks the process to leave and waits for its end.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	await(p.t, "it ends: "+p.log, p.hasEnded)
	require.Zero(p.t, p.running.ProcessState.ExitCode(), p.log)
}

var (
	metricsAddress    = regexp.MustCompile(`msg="serving metrics".* address=(\S+)`)
	prometheusAddress = regexp.MustCompile(`(?s)msg="Listening on" address=(\S+).* msg="Server is ready`)
)

// run starts or restarts fdbelect run. It serves metrics on the port that it had before.
func (w *world) run(p *process, store string, flags ...string) {
	w.t.Helper()
	port := p.address
	if port == "" {
		port = "0"
	}
	p.args = append([]string{"run", "--store", "file:" + store, "--election", electionName, "--metrics", port}, flags...)
	p.start(metricsAddress)
}

// join starts or restarts a candidate.
func (w *world) join(id, store string) {
	w.t.Helper()
	w.run(w.candidates[id], store, "--id", id, "--lease", lease.String())
}

func (w *world) watch() {
	w.t.Helper()
	w.run(w.watcher, w.store, "--observe")
}

func (w *world) newProcess(name, path string) *process {
	p := &process{t: w.t, path: path, log: filepath.Join(w.folder, name+".log")}
	w.t.Cleanup(p.kill)
	return p
}

// newWorld builds the command, and starts three candidates, a process that watches from outside,
// and Prometheus.
func newWorld(t *testing.T, rules []byte) *world {
	t.Helper()
	folder := t.TempDir()
	w := &world{
		t: t, folder: folder, command: filepath.Join(folder, "fdbelect"), store: filepath.Join(folder, "election.db"),
		candidates: map[string]*process{},
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", w.command, "./cmd/fdbelect")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "GOWORK=") // that of the repository
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	t.Cleanup(func() {
		if t.Failed() {
			w.logs()
		}
	})
	for _, id := range []string{"a", "b", "c"} {
		w.candidates[id] = w.newProcess(id, w.command)
		w.join(id, w.store)
	}
	w.leader()
	w.backup = filepath.Join(folder, "backup.db")
	copyStore(t, w.store, w.backup)
	code, text := w.fdbelect("resign") // the second term begins
	require.Zero(t, code, text)
	w.leader()
	w.watcher = w.newProcess("watcher", w.command)
	w.watch()
	w.pool = newPool(t)
	w.startPrometheus(rules)
	return w
}

// startPrometheus starts Prometheus with the rules, and waits until it has scraped all processes.
func (w *world) startPrometheus(rules []byte) {
	w.t.Helper()
	path, err := exec.LookPath("prometheus")
	require.NoError(w.t, err, "install the Debian package prometheus: .ci/rehearsal does")
	var config strings.Builder
	config.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [alerts.yml]\n")
	config.WriteString("scrape_configs:\n  - job_name: fdbelection\n    static_configs:\n")
	for name, p := range w.all() {
		fmt.Fprintf(&config, "      - {targets: ['%s'], labels: {cluster: rehearsal, namespace: shop, instance: %s}}\n", p.address, name)
	}
	fmt.Fprintf(&config, "      - {targets: ['%s'], labels: {cluster: rehearsal, namespace: shop, instance: pool}}\n", w.pool.address())
	require.NoError(w.t, os.WriteFile(filepath.Join(w.folder, "prometheus.yml"), []byte(config.String()), 0o600))
	require.NoError(w.t, os.WriteFile(filepath.Join(w.folder, "alerts.yml"), rules, 0o600))

	p := w.newProcess("prometheus", path)
	p.args = []string{
		"--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address=127.0.0.1:0", "--query.lookback-delta=5s",
	}
	p.folder = w.folder
	w.began = time.Now()
	p.start(prometheusAddress)
	w.url = "http://" + p.address
	client, err := api.NewClient(api.Config{Address: w.url})
	require.NoError(w.t, err)
	w.prometheus = prometheus.NewAPI(client)
	await(w.t, "Prometheus scrapes all processes", func() bool { return w.value("sum(up)") == 5 })
}

// all returns all processes that are scraped.
func (w *world) all() map[string]*process {
	all := maps.Clone(w.candidates)
	all["watcher"] = w.watcher
	return all
}

// logs prints the logs of all processes.
func (w *world) logs() {
	files, _ := filepath.Glob(filepath.Join(w.folder, "*.log"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		w.t.Logf("%s\n%s", filepath.Base(file), text)
	}
}

// fdbelect runs a subcommand on the store and returns its exit code and its output.
func (w *world) fdbelect(args ...string) (int, string) {
	w.t.Helper()
	command := exec.CommandContext(w.t.Context(), w.command, append(args, "--store", "file:"+w.store, "--election", electionName)...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	_ = command.Run() // its exit code tells
	return command.ProcessState.ExitCode(), output.String()
}

// leader waits for a process that leads and returns its id.
func (w *world) leader() string {
	w.t.Helper()
	return w.leaderBeside("")
}

// leaderBeside waits for a leader other than one process and returns its id.
func (w *world) leaderBeside(not string) (leader string) {
	w.t.Helper()
	client := &http.Client{Timeout: lease / 10} // a frozen process does not answer
	await(w.t, "a process leads", func() bool {
		for id, p := range w.candidates {
			request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+p.address+"/leaderz", http.NoBody)
			require.NoError(w.t, err)
			answer, err := client.Do(request)
			if err != nil {
				continue // it is killed, frozen or slow
			}
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK && id != not {
				leader = id
			}
		}
		return leader != ""
	})
	return leader
}

// follower returns the id of a process that does not lead.
func (w *world) follower() string {
	w.t.Helper()
	return map[string]string{"a": "b", "b": "c", "c": "a"}[w.leader()]
}

// value returns the only value of a query, or -1 if there is none.
func (w *world) value(query string) float64 {
	w.t.Helper()
	result, _, _, err := w.prometheus.Query(w.t.Context(), query, time.Now())
	require.NoError(w.t, err, query)
	vector := result.(model.Vector)
	if len(vector) == 0 {
		return -1
	}
	require.Len(w.t, vector, 1, query)
	return float64(vector[0].Value)
}

// copyStore copies the file of the store as docs/filestore.md says: under a shared lock.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	file, err := os.Open(from)
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, unix.Flock(int(file.Fd()), unix.LOCK_SH))
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o600))
}

// holdStore locks the file of the store as another program does, until release is called.
func holdStore(t *testing.T, path string) (release func()) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	require.NoError(t, unix.Flock(int(file.Fd()), unix.LOCK_EX))
	return func() { require.NoError(t, file.Close()) }
}

// firing returns the names of the alerts that fire.
func (w *world) firing(ctx context.Context) map[string]bool {
	w.t.Helper()
	alerts, err := w.prometheus.Alerts(ctx)
	require.NoError(w.t, err)
	names := map[string]bool{}
	for _, alert := range alerts.Alerts {
		if alert.State == prometheus.AlertStateFiring {
			names[string(alert.Labels["alertname"])] = true
		}
	}
	return names
}
