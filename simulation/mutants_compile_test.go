package simulation

import (
	"encoding/json"
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

// TestMutantsCompile checks the types of every mutant. A mutant that does not compile
// finds nothing, and only `make mutants` builds all of them.
func TestMutantsCompile(t *testing.T) {
	c := mutantCompiler{fset: token.NewFileSet(), packages: listed(t)}
	c.imports = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(c.packages[path].Export)
	})
	for _, m := range mutants(t) {
		if err := c.check(t, &m); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

// listedPackage is a package as `go list` describes it.
type listedPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// listed returns the packages that this package imports, directly or not.
func listed(t *testing.T) map[string]listedPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", ".").Output()
	require.NoError(t, err)
	all := map[string]listedPackage{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listedPackage
		require.NoError(t, d.Decode(&p))
		all[p.ImportPath] = p
	}
	return all
}

type mutantCompiler struct {
	fset     *token.FileSet
	packages map[string]listedPackage
	imports  types.Importer
}

// check checks the types of the package of a mutant.
func (c *mutantCompiler) check(t *testing.T, m *mutant) error {
	t.Helper()
	changed := map[string]string{}
	for _, e := range []*edit{&m.edit, m.Also} {
		if e != nil {
			e.change(t, changed)
		}
	}
	var files []*ast.File
	var path string
	for _, p := range c.packages {
		if name, _ := filepath.Abs(filepath.Join("..", filepath.Dir(m.File))); p.Dir != name {
			continue
		}
		path = p.ImportPath
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
	}
	_, err := (&types.Config{Importer: c.imports}).Check(path, c.fset, files, nil)
	return err
}
