//go:build linux

package supervise_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// never is a deadline in the far future.
const never = int64(1) << 62

// guardOf starts a guard with a long-running command. The test writes its orders and reads
// its reports.
func guardOf(t *testing.T) (cmd *exec.Cmd, orders io.WriteCloser, reports *bufio.Scanner) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = read.Close() })
	cmd = exec.Command("fdbelect", "guard", "--", "sleep", "60")
	cmd.ExtraFiles = []*os.File{write}
	orders, err = cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, write.Close())
	return cmd, orders, bufio.NewScanner(read)
}

// restOf returns the reports of a guard until it ends.
func restOf(reports *bufio.Scanner) (all []string) {
	for reports.Scan() {
		all = append(all, reports.Text())
	}
	return all
}

// An order that a guard cannot parse does not come from run. The guard ends the command, as
// it does if run has ended.
func TestGuardThatCannotParseAnOrder(t *testing.T) {
	t.Parallel()
	cmd, orders, reports := guardOf(t)
	fmt.Fprintf(orders, "until s %d %d\nstart 1 s {}\n", never, never)
	require.True(t, reports.Scan())
	require.Regexp(t, "^started 1 [0-9]+$", reports.Text())
	fmt.Fprintln(orders, "until soon")
	require.Equal(t, []string{"cut 1", "signaled 1 15"}, restOf(reports))
	require.NoError(t, cmd.Wait())
}

// A guard does not start a command after the stop deadline.
func TestGuardThatIsTooLate(t *testing.T) {
	t.Parallel()
	cmd, orders, reports := guardOf(t)
	fmt.Fprintf(orders, "until s 1 %d\nstart 1 s {}\n", never)
	require.True(t, reports.Scan())
	require.Equal(t, "cut 1", reports.Text())
	require.True(t, reports.Scan())
	require.Equal(t, "exited 1 0", reports.Text())
	require.NoError(t, orders.Close())
	require.Empty(t, restOf(reports))
	require.NoError(t, cmd.Wait())
}

// A guard of many commands keeps the deadlines of each session apart: those of a new session do
// not give the commands of an earlier one more time.
func TestGuardOfTwoSessions(t *testing.T) {
	t.Parallel()
	cmd, orders, reports := guardOf(t)
	says := func(patterns ...string) {
		for _, pattern := range patterns {
			require.True(t, reports.Scan())
			require.Regexp(t, "^"+pattern+"$", reports.Text())
		}
	}
	fmt.Fprintf(orders, "until a %d %d\nstart 1 a {}\n", never, never)
	says("started 1 [0-9]+")
	fmt.Fprintf(orders, "until b %d %d\nstart 2 b {}\nstart 3 a {}\nstart 4 b {}\n", never, never)
	says("started 2 [0-9]+", "cut 3", "exited 3 0", "started 4 [0-9]+")
	fmt.Fprintln(orders, "until a 1 1")
	says("cut 1", "killed 1", "signaled 1 (15|9)")
	fmt.Fprintln(orders, "stop 2")
	says("signaled 2 15")
	fmt.Fprintln(orders, "limit 4 1")
	says("killed 4", "signaled 4 9")
	require.NoError(t, orders.Close())
	require.Empty(t, restOf(reports))
	require.NoError(t, cmd.Wait())
}
