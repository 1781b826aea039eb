// Package release checks, on every change, what a release needs and what the workflows say.
// make release-snapshot builds and verifies a complete one.
package release

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/require"
)

// untagged says why a module has no tag of its own.
var untagged = map[string]string{
	"bench":               "it measures",
	"bench/fdb":           "it measures",
	"cmd/browsertest":     "it has tests only",
	"cmd/fdbelect-fdb":    "it is built from a clone, since it has replace directives and needs cgo",
	"deploy/check":        "it has tests only",
	"deploy/rehearsal":    "it has tests only",
	"examples":            "they are read and copied",
	"integrations/gocron": "it has tests only",
	"interop":             "it has tests only",
	"nemesis":             "it tests",
	"release":             "it has tests only",
	"tools":               "it pins tools",
}

// Every module has a tag (release/tag), or a reason not to have one.
func TestModulesHaveTagsOrReasons(t *testing.T) {
	script, err := os.ReadFile("tag")
	require.NoError(t, err)
	list := regexp.MustCompile(`(?m)^modules=\((.*)\)$`).FindSubmatch(script)
	require.NotNil(t, list)
	want := strings.Fields(string(list[1]))
	for module := range untagged {
		want = append(want, module)
	}
	var modules []string
	require.NoError(t, filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist", "testdata"}, entry.Name()):
			return fs.SkipDir
		case entry.Name() == "go.mod":
			module, err := filepath.Rel("..", filepath.Dir(name))
			modules = append(modules, filepath.ToSlash(module))
			return err
		default:
			return nil
		}
	}))
	require.ElementsMatch(t, want, modules)
}

// CHANGELOG.md has the form of Keep a Changelog, from which release/prepare and release/notes take the entries.
func TestChangelogHasItsForm(t *testing.T) {
	text, err := os.ReadFile("../CHANGELOG.md")
	require.NoError(t, err)
	headings := regexp.MustCompile(`(?m)^##+ .*$`).FindAllString(string(text), -1)
	require.Equal(t, "## [Unreleased]", headings[0])
	version := regexp.MustCompile(`^## \[([0-9]+\.[0-9]+\.[0-9]+[^]]*)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	for _, h := range headings[1:] {
		if strings.HasPrefix(h, "### ") {
			require.Contains(t, []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, h[4:])
			continue
		}
		found := version.FindStringSubmatch(h)
		require.NotNil(t, found, h)
		require.Contains(t, string(text), "\n["+found[1]+"]: https://")
	}
	require.Contains(t, string(text), "\n[Unreleased]: https://")
}

// The workflows are valid, pin their actions and give every job a limit. Their token may only read, except that of
// the one that publishes.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	require.Len(t, files, 2)
	linter, err := actionlint.NewLinter(os.Stderr, &actionlint.LinterOptions{})
	require.NoError(t, err)
	faults, err := linter.LintFiles(files, nil)
	require.NoError(t, err)
	require.Empty(t, faults)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		workflow, faults := actionlint.Parse(text)
		require.Empty(t, faults)
		require.Equal(t, "read", workflow.Permissions.Scopes["contents"].Value.Value, file)
		for name, job := range workflow.Jobs {
			require.NotNil(t, job.TimeoutMinutes, "%s: %s", file, name)
			require.Equal(t, name == "publish", job.Permissions != nil, "%s: %s", file, name)
			for _, step := range job.Steps {
				if action, uses := step.Exec.(*actionlint.ExecAction); uses {
					require.Regexp(t, `@v[0-9]+`, action.Uses.Value, file)
				}
			}
		}
		for _, script := range regexp.MustCompile(`(\.ci|release)/[a-z]+ `).FindAllString(string(text), -1) {
			require.FileExists(t, filepath.Join("..", strings.TrimSpace(script)), file)
		}
	}
}
