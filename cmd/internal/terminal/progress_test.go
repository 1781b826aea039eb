package terminal_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// TestProgress: the bar is one line that changes ten times a second at most and leaves
// nothing behind.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &terminal.Progress{Out: &out, Clock: clitest.Virtual{}}
		p.Done()
		require.Empty(t, out.String())
		p.Show("one", 0, 10)
		p.Show("too soon", 1, 10)
		require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, 100*time.Millisecond))
		p.Show("two", 5, 10)
		p.Show("three", 6, 10)
		p.Done()
		p.Done()
		drawn := out.String()
		require.Contains(t, drawn, "one   0% |")
		require.Contains(t, drawn, "two  50% |")
		require.NotContains(t, drawn, "too soon")
		require.NotContains(t, drawn, "three")
		require.NotContains(t, drawn, "\n")
		last := drawn[strings.LastIndex(strings.TrimSuffix(drawn, "\r"), "\r")+1:]
		require.Empty(t, strings.Trim(last, " \r"), "it is removed")

		out.Reset()
		none := terminal.NewProgress(&out, clitest.Virtual{})
		none.Show("one", 1, 10)
		none.Done()
		require.Empty(t, out.String(), "this output is not a terminal")
	})
}
