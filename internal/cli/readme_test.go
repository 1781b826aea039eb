package cli_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README shows the body of a tested example, word for word.
func TestReadmeShowsTheExample(t *testing.T) {
	between := func(file, begin, end string) string {
		text, err := os.ReadFile("../../" + file)
		require.NoError(t, err)
		_, text2, found := strings.Cut(string(text), begin)
		require.True(t, found, "%s has no line %q", file, begin)
		text3, _, found := strings.Cut(text2, end)
		require.True(t, found, "%s has no line %q", file, end)
		return text3
	}
	var want strings.Builder
	for line := range strings.Lines(between("election/example_test.go", "\t// begin README\n", "\t// end README\n")) {
		want.WriteString(strings.TrimPrefix(line, "\t"))
	}
	shown := between("README.md", "<!-- example: election/example_test.go -->\n```go\n", "```\n")
	require.Equal(t, strings.TrimSpace(want.String()), strings.TrimSpace(shown))
}
