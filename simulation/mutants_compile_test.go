package simulation

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/gosource"
)

// module is the path of this module, as it begins an import path.
const module = "github.com/fdbelection/fdbelection/"

// TestMutantsCompile checks the types of every mutant. A mutant that does not compile
// finds nothing, and only `make mutants` builds all of them.
func TestMutantsCompile(t *testing.T) {
	packages, err := gosource.List(t.Context(), ".")
	require.NoError(t, err)
	fset := token.NewFileSet()
	c := mutantCompiler{fset, packages, gosource.Importer(fset, packages)}
	for _, m := range mutants(t) {
		if err := c.check(t, &m); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

type mutantCompiler struct {
	fset     *token.FileSet
	packages map[string]gosource.Package
	imports  types.Importer
}

// check checks the types of the packages that a mutant changes.
func (c *mutantCompiler) check(t *testing.T, m *mutant) error {
	t.Helper()
	changed, folders := map[string]string{}, map[string]bool{}
	for _, e := range []*edit{&m.edit, m.Also} {
		if e != nil {
			e.change(t, changed)
			folders[path.Dir(e.File)] = true
		}
	}
	var all []error
	for folder := range folders {
		all = append(all, c.checkPackage(t, module+folder, changed))
	}
	return errors.Join(all...)
}

// checkPackage checks the types of a package, with the changed texts of its files.
func (c *mutantCompiler) checkPackage(t *testing.T, importPath string, changed map[string]string) error {
	t.Helper()
	p, listed := c.packages[importPath]
	require.True(t, listed, "the simulation does not import %s", importPath)
	var files []*ast.File
	for _, name := range p.GoFiles {
		name = filepath.Join(p.Dir, name)
		var source any
		if text, ok := changed[name]; ok {
			source = text
		}
		file, err := parser.ParseFile(c.fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	_, err := (&types.Config{Importer: c.imports}).Check(importPath, c.fset, files, nil)
	return err
}
