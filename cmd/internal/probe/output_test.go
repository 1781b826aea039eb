package probe

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The last line is reported, shortened and safe to print.
func TestLastLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		" \n\r\n\t":                             "",
		"one":                                   "one",
		"one\ntwo\n":                            "two",
		"one\r\ntwo\r\n\r\n":                    "two",
		"10 %\r20 %\r30 %":                      "30 %",
		"\x1b[2J\x1b[31mred\x1b[0m":             `"\x1b[2J\x1b[31mred\x1b[0m"`,
		"\xff\xfe":                              `"\xff\xfe"`,
		"a\x00b":                                `"a\x00b"`,
		"fine\u202eesrever":                     `"fine\u202eesrever"`,
		strings.Repeat("x", 200):                strings.Repeat("x", 200),
		strings.Repeat("x", 201):                strings.Repeat("x", 200) + "...",
		strings.Repeat("x", 199) + "é" + "more": strings.Repeat("x", 199) + "...",
	} {
		require.Equal(t, want, lastLine(text), "%q", text)
	}
}

// Only the end of an output is kept, in whatever pieces it comes.
func TestTail(t *testing.T) {
	for _, piece := range []int{1, 7, 100, maxTail - 1, maxTail, maxTail + 1, 3 * maxTail} {
		var out tail
		text := strings.Repeat("0123456789", 2*maxTail)
		for rest := text; rest != ""; {
			n := min(piece, len(rest))
			written, err := out.Write([]byte(rest[:n]))
			require.NoError(t, err)
			require.Equal(t, n, written)
			rest = rest[n:]
		}
		require.Equal(t, text[len(text)-maxTail:], string(out.kept), piece)
		require.LessOrEqual(t, cap(out.kept), 4*maxTail)
	}
}
