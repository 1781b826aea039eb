package interop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// errRefused is returned if a step is not possible now. The implementation has written nothing.
var errRefused = errors.New("refused")

// python is a process that runs the program again and again.
type python struct {
	in  io.Writer
	out *json.Decoder
}

// needPython fails the test if python3 is missing or too old. A skipped test would hide that.
func needPython(t testing.TB) {
	t.Helper()
	problem, err := exec.Command("python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))").CombinedOutput()
	require.NoError(t, err, "these tests need python3 in version 3.11 or later; on Debian: apt-get install python3\n%s", problem)
}

// newPython starts a process that runs the program in a folder.
func newPython(t testing.TB, folder string) *python {
	t.Helper()
	needPython(t)
	command := exec.Command("python3", "-B", filepath.Join("testdata", "driver.py"), folder)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, in.Close())
		require.NoError(t, command.Wait())
	})
	return &python{in, json.NewDecoder(bufio.NewReader(out))}
}

// run returns what the program prints. If it says that the step is not possible, the error is errRefused.
func (p *python) run(dump []byte, args ...string) ([]byte, error) {
	request := struct {
		Args []string `json:"args"`
		Dump string   `json:"dump"`
	}{args, string(dump)}
	var answer struct {
		Exit         int
		Out, Problem string
	}
	if err := errors.Join(json.NewEncoder(p.in).Encode(request), p.out.Decode(&answer)); err != nil {
		return nil, err
	}
	switch answer.Exit {
	case 0:
		return []byte(answer.Out), nil
	case 1:
		return nil, fmt.Errorf("%w: %s", errRefused, strings.TrimSpace(answer.Problem))
	default:
		return nil, fmt.Errorf("python %s: exit %d\n%s", strings.Join(args, " "), answer.Exit, answer.Problem)
	}
}
