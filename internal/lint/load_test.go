package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Export     string // the file that holds its compiled types
}

// load parses a package of this module and determines its types; those of its
// imports come from the build cache.
func load(t *testing.T, fset *token.FileSet, path string) ([]*ast.File, *types.Info) {
	t.Helper()
	packages := list(t, path)
	require.Contains(t, packages, path)
	// `go list` has read the folder, but in a process of its own. Reading it here
	// as well keeps `go test` from answering with an old result for a new file.
	_, err := os.ReadDir(packages[path].Dir)
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range packages[path].GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(packages[path].Dir, name), nil, 0)
		require.NoError(t, err)
		files = append(files, file)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(packages[path].Export) }
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	_, err = config.Check(path, fset, files, info)
	require.NoError(t, err)
	return files, info
}

// list returns a package and all that it imports, compiled.
func list(t *testing.T, path string) map[string]listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-json=ImportPath,Dir,GoFiles,Export", path)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, "go list: %s", stderr.String())

	packages := map[string]listed{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages[p.ImportPath] = p
	}
}

// marker returns what a comment of the fixture expects on its line.
func marker(comment string) (string, bool) {
	return strings.CutPrefix(strings.TrimSpace(comment), "want: ")
}
