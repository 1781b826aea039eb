package fdbelection_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

var (
	markedExample = regexp.MustCompile("(?s)<!-- example: (\\S+)(?: (\\S+))? -->\n```go\n(.*?)```\n")
	exampleMark   = "<!-- example: "
)

// The documents show parts of tested examples, word for word: between a comment
// that begins a part and the one that ends it.
func TestDocumentsShowTheExamples(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	adapters, err := filepath.Glob("integrations/*/README.md")
	require.NoError(t, err)
	require.NotEmpty(t, adapters)
	for _, page := range append(append(pages, adapters...), "README.md") {
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
	text, err := os.ReadFile(file)
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

// The page about stored bytes says what each golden record contains.
func TestFormatDescribesEveryGoldenRecord(t *testing.T) {
	page, err := os.ReadFile("docs/format.md")
	require.NoError(t, err)
	for folder, heading := range map[string]string{"election": "\n## The golden records\n", "group": "\n## The golden records of a group\n"} {
		_, list, found := strings.Cut(string(page), heading)
		require.True(t, found)
		list, _, _ = strings.Cut(list, "\n# ")
		records, err := os.ReadFile(filepath.Join(folder, "testdata", "format.txt"))
		require.NoError(t, err)
		names := 0
		for line := range strings.Lines(string(records)) {
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "\t") {
				continue
			}
			name, _, _ := strings.Cut(strings.TrimSpace(line), ",")
			require.Regexp(t, `\*\*`+name+`\b`, list, "of %s", folder)
			names++
		}
		require.Greater(t, names, 10)
	}
}

// The page about compatibility names every public package of the library, so that a new one gets a promise.
func TestCompatibilityNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile("docs/compatibility.md")
	require.NoError(t, err)
	packages := 0
	require.NoError(t, filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || name == "." {
			return err
		}
		_, err = os.Stat(filepath.Join(name, "go.mod"))
		if err == nil || entry.Name() == "internal" || entry.Name() == "testdata" || strings.HasPrefix(name, ".") {
			return fs.SkipDir
		}
		if files, _ := filepath.Glob(filepath.Join(name, "*.go")); len(files) > 0 {
			require.Contains(t, string(page), "`"+filepath.ToSlash(name)+"`")
			packages++
		}
		return nil
	}))
	require.Greater(t, packages, 9)
}

var (
	relativeLink = regexp.MustCompile(`\]\(([^)#:\s]*)(#[^)\s]*)?\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.*)$`)
	namedInFile  = regexp.MustCompile("`([A-Za-z.]+)`(?:\\*\\*)? (?:in|\\()\\s*\\[[^\\]]+\\]\\(([^)]+\\.go)\\)")
)

// Links of the documents lead to files and headings that exist. If a document says that a
// function is in a file, the file has it.
func TestDocumentsLinkToExistingPlaces(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	examples, err := filepath.Glob("examples/*/README.md")
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	for _, page := range append(append(pages, examples...), "examples/README.md", "README.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range relativeLink.FindAllStringSubmatch(string(text), -1) {
			target := page
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(page), link[1])
			}
			_, err := os.Stat(target)
			require.NoError(t, err, "%s links to %s", page, link[1])
			if link[2] != "" {
				require.Contains(t, anchors(t, target), link[2], "%s links to %s", page, link[0])
			}
		}
		for _, named := range namedInFile.FindAllStringSubmatch(string(text), -1) {
			source, err := os.ReadFile(filepath.Join(filepath.Dir(page), named[2]))
			require.NoError(t, err)
			name := named[1][strings.LastIndex(named[1], ".")+1:]
			require.Regexp(t, `(?m)^(func (\([^)]*\) )?`+name+`\(|\t?`+name+` struct)`, string(source),
				"%s says that %s is in %s", page, named[1], named[2])
		}
	}
}

// anchors returns the anchors that GitHub gives to the headings of a page.
func anchors(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var anchors []string
	for _, found := range heading.FindAllStringSubmatch(string(text), -1) {
		kept := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, found[1])
		anchors = append(anchors, "#"+kept)
	}
	return anchors
}
