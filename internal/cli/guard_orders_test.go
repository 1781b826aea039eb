//go:build linux

package cli_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Orders that a guard cannot read do not come from run. It ends the command, as if run had
// gone.
func TestGuardThatCannotReadItsOrders(t *testing.T) {
	reports, theirs, err := os.Pipe()
	require.NoError(t, err)
	defer reports.Close()
	cmd := exec.Command("fdbelect", "guard", "--", "sleep", "60")
	cmd.ExtraFiles = []*os.File{theirs}
	orders, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, theirs.Close())
	fmt.Fprintf(orders, "until %d %d\n", int64(1)<<62, int64(1)<<62)
	told := bufio.NewScanner(reports)
	require.True(t, told.Scan())
	require.Regexp(t, "^started [0-9]+$", told.Text())
	fmt.Fprintln(orders, "until soon")
	var rest []string
	for told.Scan() {
		rest = append(rest, told.Text())
	}
	require.Equal(t, []string{"cut", "signaled 15"}, rest)
	require.NoError(t, cmd.Wait())
}
