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

// childEnv is the variable with the role of a child process.
const childEnv = "FILEKV_TEST_CHILD"

// roles holds the functions of child processes. A child gets the path of the store as
// its argument and exchanges JSON values with the test over standard input and output.
var roles = map[string]func(c *childSide) error{
	"load":   runLoad,
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

// childSide is the child's connection to the test.
type childSide struct {
	path string
	in   *json.Decoder
	out  *json.Encoder
}

// open opens the store.
func (c *childSide) open() (*filekv.DB, error) {
	return filekv.Open(c.path, filekv.Options{})
}

// ready reports that the child is ready, and receives a message from the test.
func (c *childSide) ready(word any) error {
	if err := c.out.Encode("ready"); err != nil {
		return err
	}
	return c.in.Decode(word)
}

// child is the test's connection to a child process.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  *json.Encoder
	out *json.Decoder
	w   io.Closer
}

// spawn starts a copy of the test binary in a role. If it is still running at the end
// of the test, it is killed.
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
	c.receive(&word)
	require.Equal(c.t, "ready", word)
}

func (c *child) send(word any) {
	c.t.Helper()
	require.NoError(c.t, c.in.Encode(word))
}

func (c *child) receive(word any) {
	c.t.Helper()
	require.NoError(c.t, c.out.Decode(word), "a message of the child")
}

// kill sends SIGKILL and waits until the child has ended.
func (c *child) kill() {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
}
