package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unwanted are words and turns of phrase that this project does not use in comments,
// Markdown and texts that users see. docs/glossary.md says what to write instead.
var unwanted = []struct{ pattern, instead string }{
	{`anew`, "again"},
	{`nobody`, "no process, no candidate, not ..."},
	{`somebody|someone`, "another process, another candidate"},
	{`who(m|so)?ever`, "the process that, any candidate that"},
	{`upon`, "on, after, if"},
	{`belongs? into`, "belongs in"},
	{`in the stead`, "on behalf of, instead of"},
	{`in doubt`, "unsettled, with an unknown result"},
	{`(is|are|was|were) no [a-z]+`, "is not a ..., there is no ..."},
	{`seats?|seated`, "leadership, leader record"},
	{`grumbles?|complain(s|ed)?`, "report"},
	{`hopeless`, "fatal"},
	{`unborn`, "not started"},
	{`intents?`, "request"},
	{`well again`, "available again"},
	{`tells? apart`, "distinguish"},
	{`waked`, "woken, notified"},
	{`as well where`, "also if"},
}

// mostWhere bounds how many lines of comments may use "where", in percent. It is for
// places; a condition is "if".
const mostWhere = 1.2

// allowed are texts in which an unwanted word is right: a stored name, an output name,
// or the list of words itself.
var allowed = []string{
	`"intent"`, "`intent`", "**intent**", "| intent ", "intent    none", "intent at key", "^intent ", // the stored key, and output
	"nobody is a user", "asNobody", "as nobody", "makes nobody", // the user of that name
}

// unwantedRE matches one of the unwanted words.
var unwantedRE = func() *regexp.Regexp {
	var all []string
	for _, u := range unwanted {
		all = append(all, u.pattern)
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(all, "|") + `)\b`)
}()

// thereIsNo matches what precedes and begins "there is no", which is right.
var thereIsNo = regexp.MustCompile(`(?i)\bthere\|(is|are|was|were) no `)

var whereRE = regexp.MustCompile(`(?i)\bwhere\b`)

// prose is a line of text that a reader sees.
type prose struct {
	file    string
	line    int
	text    string
	comment bool
}

func TestProse(t *testing.T) {
	lines := readProse(t, root)
	comments, where := 0, 0
	for _, l := range lines {
		if problem := judgeProse(l.text); problem != "" {
			t.Errorf("%s:%d: %s: %s", l.file, l.line, problem, strings.TrimSpace(l.text))
		}
		if l.comment {
			comments++
			if whereRE.MatchString(l.text) {
				where++
			}
		}
	}
	require.Greater(t, comments, 5000, "comments were read")
	rate := 100 * float64(where) / float64(comments)
	t.Logf("%d lines, %d of them comments; %.2f %% of these say \"where\"", len(lines), comments, rate)
	require.LessOrEqual(t, rate, mostWhere, `%d of %d lines of comments say "where": it is for places, a condition is "if"`, where, comments)
}

// TestUnwantedProseIsFound shows that the check can fail.
func TestUnwantedProseIsFound(t *testing.T) {
	for text, word := range map[string]string{
		"It begins anew.":                "anew",
		"Nobody leads.":                  "Nobody",
		"The seat is free.":              "seat",
		"This is no lock":                "is no lock",
		"Upon a commit the watch fires.": "Upon",
	} {
		require.Contains(t, judgeProse(text), strconv.Quote(word), text)
		require.NotEmpty(t, insteadOf(word), text)
	}
	for _, text := range []string{"There is no leader.", "It has the key `intent`.", "a new lease"} {
		require.Empty(t, judgeProse(text), text)
	}
}

// judgeProse says what is wrong with a line, or nothing.
func judgeProse(text string) string {
	for _, ok := range allowed {
		text = strings.ReplaceAll(text, ok, "")
	}
	for _, at := range unwantedRE.FindAllStringIndex(text, -1) {
		word := text[at[0]:at[1]]
		if thereIsNo.MatchString(strings.TrimSpace(text[:at[0]])+"|"+word) || strings.HasSuffix(word, " no longer") {
			continue
		}
		return fmt.Sprintf("do not write %q but: %s (see docs/glossary.md)", word, insteadOf(word))
	}
	return ""
}

// insteadOf returns what to write instead of an unwanted word.
func insteadOf(word string) string {
	for _, u := range unwanted {
		if regexp.MustCompile(`(?i)^(` + u.pattern + `)$`).MatchString(word) {
			return u.instead
		}
	}
	return ""
}

// readProse returns the lines of all comments, texts and pages.
func readProse(t *testing.T, top string) []prose {
	t.Helper()
	var all []prose
	require.NoError(t, filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != top && (entry.Name() == "testdata" || entry.Name() == "bin" || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case isPage(name):
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(text), "\n") {
				all = append(all, prose{filepath.ToSlash(name), i + 1, line, false})
			}
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "prose_test.go"):
			lines, err := goProse(name)
			if err != nil {
				return err
			}
			all = append(all, lines...)
		}
		return nil
	}))
	return all
}

// isPage reports whether a file is prose or has it in its comments, apart from Go files.
func isPage(name string) bool {
	switch filepath.Base(name) {
	case "Makefile", "Dockerfile":
		return true
	case "glossary.md", "CHANGELOG.md":
		return false
	}
	switch filepath.Ext(name) {
	case ".md", ".yml", ".yaml", ".mod", ".work":
		return true
	}
	return false
}

// goProse returns the comments of a Go file, and its string literals that have several words.
func goProse(name string) ([]prose, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []prose
	add := func(at token.Pos, text string, comment bool) {
		first := fset.Position(at).Line
		for i, line := range strings.Split(text, "\n") {
			all = append(all, prose{filepath.ToSlash(name), first + i, line, comment})
		}
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			add(comment.Pos(), comment.Text, true)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(text, " ") {
				add(literal.Pos(), text, false)
			}
		}
		return true
	})
	return all, nil
}
