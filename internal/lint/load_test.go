package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/gosource"
)

// load parses and type-checks a package of this module. The types of its imports
// come from the build cache.
func load(t *testing.T, fset *token.FileSet, path string) ([]*ast.File, *types.Info) {
	t.Helper()
	packages, err := gosource.List(t.Context(), path)
	require.NoError(t, err)
	require.Contains(t, packages, path)
	// `go list` reads the directory in another process, which `go test` does not see.
	// Reading it here too makes `go test` run again if a file is added.
	_, err = os.ReadDir(packages[path].Dir)
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
func check(t *testing.T, fset *token.FileSet, packages map[string]gosource.Package, files []*ast.File) *types.Info {
	t.Helper()
	config := types.Config{Importer: gosource.Importer(fset, packages)}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	_, err := config.Check(files[0].Name.Name, fset, files, info)
	require.NoError(t, err)
	return info
}

// marker returns the finding that a comment of the fixture expects on its line.
func marker(comment string) (string, bool) {
	return strings.CutPrefix(strings.TrimSpace(comment), "want: ")
}
