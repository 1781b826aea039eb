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

// listed is the output of `go list` for one package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Export     string // the file with its compiled types
}

// load parses and type-checks a package of this module. The types of its imports
// come from the build cache.
func load(t *testing.T, fset *token.FileSet, path string) ([]*ast.File, *types.Info) {
	t.Helper()
	packages := list(t, path)
	require.Contains(t, packages, path)
	// `go list` reads the directory in another process, which `go test` does not see.
	// Reading it here too makes `go test` run again if a file is added.
	_, err := os.ReadDir(packages[path].Dir)
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range packages[path].GoFiles {
		files = append(files, parse(t, fset, filepath.Join(packages[path].Dir, name)))
	}
	return files, check(t, fset, packages, files)
}

func parse(t *testing.T, fset *token.FileSet, name string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
	require.NoError(t, err)
	return file
}

// check type-checks files, whose imports must all be in packages.
func check(t *testing.T, fset *token.FileSet, packages map[string]listed, files []*ast.File) *types.Info {
	t.Helper()
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(packages[path].Export) }
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	_, err := config.Check(files[0].Name.Name, fset, files, info)
	require.NoError(t, err)
	return info
}

// list compiles packages and returns them with all of their dependencies.
func list(t *testing.T, paths ...string) map[string]listed {
	t.Helper()
	arguments := append([]string{"list", "-deps", "-export", "-json=ImportPath,Dir,GoFiles,Export"}, paths...)
	command := exec.CommandContext(t.Context(), "go", arguments...)
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

// marker returns the finding that a comment of the fixture expects on its line.
func marker(comment string) (string, bool) {
	return strings.CutPrefix(strings.TrimSpace(comment), "want: ")
}
