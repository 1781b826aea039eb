package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/session"
)

// namedCommand is a command as errors, help and documents name it: in quotes or
// backquotes, with its subcommand. Flags and arguments may follow.
var namedCommand = regexp.MustCompile("[\"`]fdbelect((?: [a-z][a-z-]*)+)[^\"`\\n]*[\"`]")

// TestNamedCommandsExist: an error or a document that tells the reader to run a command
// names one that exists.
func TestNamedCommandsExist(t *testing.T) {
	root := (&app{Program: &session.Program{}}).rootCommand()
	found := 0
	check := func(file string) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range namedCommand.FindAllStringSubmatch(string(text), -1) {
			found++
			command, _, err := root.Find(strings.Fields(match[1]))
			require.NoError(t, err, "%s names %s", file, match[0])
			require.NotSame(t, root, command, "%s names %s", file, match[0])
			if command.HasSubCommands() {
				require.Equal(t, command.Name(), strings.TrimSpace(match[1]), "%s names %s", file, match[0])
			}
		}
	}
	require.NoError(t, filepath.WalkDir("../../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"), strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			check(path)
		}
		return nil
	}))
	require.Greater(t, found, 50)
}
