package demo

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
)

// rendered returns what a terminal shows after it received sent. It understands the
// escapes of lanes: move up and clear everything below.
func rendered(t *testing.T, sent string) string {
	t.Helper()
	sent = regexp.MustCompile(`\x1b\[(\?25[hl]|\d*m)`).ReplaceAllString(sent, "")
	lines := []string{""}
	up := regexp.MustCompile(`^\x1b\[(\d+)A\r\x1b\[J`)
	for sent != "" {
		if m := up.FindStringSubmatch(sent); m != nil {
			var n int
			_, err := fmt.Sscan(m[1], &n)
			require.NoError(t, err)
			require.Less(t, n, len(lines), "the cursor moves above the top")
			require.Empty(t, lines[len(lines)-1], "the cursor moves up from the beginning of a line")
			lines = append(lines[:len(lines)-1-n], "")
			sent = sent[len(m[0]):]
			continue
		}
		end := strings.IndexAny(sent, "\n\x1b")
		require.NotEqual(t, 0, strings.Index(sent, "\x1b"), "unexpected escape: %q", sent[:min(20, len(sent))])
		if end < 0 {
			end = len(sent)
		}
		lines[len(lines)-1] += sent[:end]
		sent = sent[end:]
		if strings.HasPrefix(sent, "\n") {
			lines = append(lines, "")
			sent = sent[1:]
		}
	}
	return strings.Join(lines, "\n")
}

// On a terminal the demo prints the same text, with the lanes below it, and takes no
// longer.
func TestDemoOnATerminal(t *testing.T) {
	for _, size := range [][2]int{{100, 40}, {30, 40}, {100, 8}} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			c, p := clitest.Virtual{}, terminal.Palette{On: true}
			pr := &printer{Palette: p, clock: c, start: c.Now()}
			pr.lanes = newLanes(&out, c, p, func() (int, int) { return size[0], size[1] })
			pr.out = pr.lanes
			require.NoError(t, runElections(t.Context(), pr))
			require.LessOrEqual(t, time.Since(pr.start), 16*time.Second)

			shown := rendered(t, out.String())
			text, below, _ := strings.Cut(shown, "Every step was checked")
			_, below, _ = strings.Cut(below, "\n")
			for _, line := range []string{
				"ash, birch, cedar and elm register", "renews its lease: ballot 4.", "oak accepts", "takes over.",
				"Refused with a conflict", "Refused with ErrFenced", "resigns and leaves.", "payments without a gap", "Done.",
			} {
				require.Equal(t, 1, strings.Count(text, line), "%s\n%s", line, shown)
			}
			require.Contains(t, out.String(), "\x1b[?25h", "the cursor is visible again")
			if size[1] < 10 {
				require.NotContains(t, shown, "─", "there is no room for lanes")
				return
			}
			lanes := strings.Split(strings.TrimSpace(below), "\n")
			require.Len(t, lanes, 5, shown)
			for _, lane := range lanes {
				require.Less(t, uniseg.StringWidth(lane), size[0])
			}
			if size[0] == 100 {
				require.Regexp(t, `^oak +─+█+✗ *$`, strings.TrimSpace(lanes[4]))
				require.Regexp(t, `█`, strings.Join(lanes[:4], ""))
				require.Contains(t, out.String(), "░", "part of the lease has passed")
				require.Contains(t, out.String(), "term 2, ballot")
			}
		})
	}
}
