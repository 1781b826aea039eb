// Package check is for the tests of the examples.
package check

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// duration is a time that differs between two runs.
var duration = regexp.MustCompile(`\b\d[0-9.]*(ns|µs|ms|s)\b`)

// Readme fails the test if README.md in the directory of the test does not show got as the
// output of its first command. Durations need not be equal.
func Readme(tb testing.TB, got string) {
	tb.Helper()
	page, err := os.ReadFile("README.md")
	require.NoError(tb, err)
	_, block, found := strings.Cut(string(page), "```console\n$ ")
	require.True(tb, found, "README.md has no block of a console that begins with a command")
	block, _, found = strings.Cut(block, "```\n")
	require.True(tb, found, "the block of README.md does not end")
	_, shown, _ := strings.Cut(block, "\n")
	require.Equal(tb, duration.ReplaceAllString(shown, "X"), duration.ReplaceAllString(got, "X"))
}
