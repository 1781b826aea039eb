package demo

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// The demo of groups runs all chapters, in virtual time.
func TestGroupsDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		start := time.Now()
		p := clitest.NewProgram(clitest.Virtual{}, &stdout, &stderr)
		err := clitest.Exec(t.Context(), p, Command(p), "demo", "groups")
		t.Logf("\n%s%s", &stdout, &stderr)
		require.NoError(t, err)
		require.Empty(t, stderr.String())
		require.InDelta(t, 15*time.Second, time.Since(start), float64(4*time.Second))
		for _, line := range []string{
			"ash, birch and cedar join", "16 moves, all to elm", "birch dies", "refused with ErrFenced", "cedar is still a member", "ash is asked to stop",
			"no lease had to expire", "without a gap", "Done.",
		} {
			require.Contains(t, stdout.String(), line)
		}
		for line := range strings.Lines(stdout.String()) {
			require.LessOrEqual(t, len([]rune(line)), 101, line)
		}
	})
}

// A failed chapter reports what it expected and what it found.
func TestFailedGroupChapter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := clitest.Virtual{}
		d := newGroupDemo(t.Context(), c, &printer{out: &out, clock: c, start: c.Now()})
		defer d.close()
		require.NoError(t, d.create())
		_, err := d.until("an even share", evenly("ash"))
		require.ErrorContains(t, err, "expected an even share within 12s; found: free 64")
	})
}
