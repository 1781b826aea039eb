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
func guardOf(t *testing.T) (cmd *exec.Cmd, orders io.Writer, reports *bufio.Scanner) {
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
	fmt.Fprintf(orders, "until %d %d\n", never, never)
	require.True(t, reports.Scan())
	require.Regexp(t, "^started [0-9]+$", reports.Text())
	fmt.Fprintln(orders, "until soon")
	require.Equal(t, []string{"cut", "signaled 15"}, restOf(reports))
	require.NoError(t, cmd.Wait())
}

// A guard does not start a command after the stop deadline.
func TestGuardThatIsTooLate(t *testing.T) {
	t.Parallel()
	cmd, orders, reports := guardOf(t)
	fmt.Fprintf(orders, "until 1 %d\n", never)
	require.Equal(t, []string{"cut", "exited 0"}, restOf(reports))
	require.NoError(t, cmd.Wait())
}
