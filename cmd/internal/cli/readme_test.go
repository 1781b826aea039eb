package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	markedExample = regexp.MustCompile("(?s)<!-- example: (\\S+)(?: (\\S+))? -->\n```go\n(.*?)```\n")
	exampleMark   = "<!-- example: "
)

// The documents show parts of tested examples, word for word: between a comment
// that begins a part and the one that ends it.
func TestDocumentsShowTheExamples(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../../../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		shown := markedExample.FindAllStringSubmatch(string(text), -1)
		require.Len(t, shown, strings.Count(string(text), exampleMark), "%s: a mark is not followed by Go code", page)
		for _, example := range shown {
			file, part, code := example[1], example[2], example[3]
			if part == "" {
				part = "README"
			}
			require.Equal(t, partOf(t, file, part), code, "%s shows another %s than %s has", page, part, file)
		}
	}
}

// partOf returns a part of an example, without its indentation.
func partOf(t *testing.T, file, part string) string {
	t.Helper()
	text, err := os.ReadFile("../../../" + file)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "// begin "+part+"\n")
	require.True(t, found, "%s does not begin %s", file, part)
	before, _, found := strings.Cut(rest, "// end "+part+"\n")
	require.True(t, found, "%s does not end %s", file, part)
	var lines strings.Builder
	for line := range strings.Lines(strings.TrimRight(before, "\t")) {
		lines.WriteString(strings.TrimPrefix(line, "\t"))
	}
	return lines.String()
}
