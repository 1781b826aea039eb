//go:build unix

package filekv_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/filekv"
)

// childEnv names the role that a copy of the test binary plays.
const childEnv = "FILEKV_TEST_CHILD"

// roles are what a child process can do. It gets the path of the store and
// the test's arguments, and talks to the test in JSON values over its standard
// input and output.
var roles = map[string]func(c *childSide) error{
	"hammer": hammer,
	"write":  writeUntilKilled,
	"watch":  watchAndTell,
	"refuse": openRefused,
	"limit":  commitBeyondLimit,
	"create": createAtOnce,
}

func TestMain(m *testing.M) {
	role := os.Getenv(childEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	c := &childSide{path: os.Args[1], in: json.NewDecoder(os.Stdin), out: json.NewEncoder(os.Stdout)}
	if err := roles[role](c); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childSide is the test as a child process sees it.
type childSide struct {
	path string
	in   *json.Decoder
	out  *json.Encoder
}

// open opens the store.
func (c *childSide) open() (*filekv.DB, error) {
	return filekv.Open(c.path, filekv.Options{})
}

// ready says so to the test, and waits for its word.
func (c *childSide) ready(word any) error {
	if err := c.out.Encode("ready"); err != nil {
		return err
	}
	return c.in.Decode(word)
}

// child is a child process as the test sees it.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  *json.Encoder
	out *json.Decoder
	w   io.Closer
}

// spawn starts a copy of the test binary in a role. It is killed at the end of
// the test if it is still there.
func spawn(t *testing.T, role, path string, change ...func(*exec.Cmd)) *child {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, path)
	cmd.Env = append(os.Environ(), childEnv+"="+role, "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	for _, f := range change {
		f(cmd)
	}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &child{t: t, cmd: cmd, in: json.NewEncoder(in), out: json.NewDecoder(bufio.NewReader(out)), w: in}
}

// await waits until the child is ready.
func (c *child) await() {
	c.t.Helper()
	var word string
	c.hear(&word)
	require.Equal(c.t, "ready", word)
}

func (c *child) tell(word any) {
	c.t.Helper()
	require.NoError(c.t, c.in.Encode(word))
}

func (c *child) hear(word any) {
	c.t.Helper()
	require.NoError(c.t, c.out.Decode(word), "a word of the child")
}

// kill is SIGKILL, and waits for the end.
func (c *child) kill() {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
}
