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

// rendered is what a terminal shows after it was sent text that goes up and
// clears what is below, as lanes do.
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
			require.Less(t, n, len(lines), "it goes up above the top")
			require.Empty(t, lines[len(lines)-1], "it goes up from the beginning of a line")
			lines = append(lines[:len(lines)-1-n], "")
			sent = sent[len(m[0]):]
			continue
		}
		end := strings.IndexAny(sent, "\n\x1b")
		require.NotEqual(t, 0, strings.Index(sent, "\x1b"), "the terminal is told something else: %q", sent[:min(20, len(sent))])
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

// On a terminal the account is the same, with the lanes at its foot, and no
// longer.
func TestDemoOnATerminal(t *testing.T) {
	for _, size := range [][2]int{{100, 40}, {30, 40}, {100, 8}} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			c, p := clitest.Virtual{}, terminal.Palette{On: true}
			n := &narrator{Palette: p, clock: c, start: c.Now()}
			n.live = newLanes(&out, c, p, func() (int, int) { return size[0], size[1] })
			n.out = n.live
			require.NoError(t, tellStory(t.Context(), n))
			require.LessOrEqual(t, time.Since(n.start), 16*time.Second)

			shown := rendered(t, out.String())
			account, foot, _ := strings.Cut(shown, "as the database has it")
			_, foot, _ = strings.Cut(foot, "\n")
			for _, line := range []string{
				"ash, birch, cedar and elm register", "renews its lease: ballot 4.", "oak accepts", "takes over.",
				"Refused as a conflict", "Refused with ErrFenced", "leaves;", "payments without a gap", "Done.",
			} {
				require.Equal(t, 1, strings.Count(account, line), "%s\n%s", line, shown)
			}
			require.Contains(t, out.String(), "\x1b[?25h", "the cursor is back")
			if size[1] < 10 {
				require.NotContains(t, shown, "─", "there is no room for lanes")
				return
			}
			lanes := strings.Split(strings.TrimSpace(foot), "\n")
			require.Len(t, lanes, 5, shown)
			for _, lane := range lanes {
				require.Less(t, uniseg.StringWidth(lane), size[0])
			}
			if size[0] == 100 {
				require.Regexp(t, `^oak +─+█+✗ *$`, strings.TrimSpace(lanes[4]))
				require.Regexp(t, `█`, strings.Join(lanes[:4], ""))
				require.Contains(t, out.String(), "░", "the lease ran down")
				require.Contains(t, out.String(), "term 2, ballot")
			}
		})
	}
}
