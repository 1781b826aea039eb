package typecheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// binding is the module whose sources are read, since it does not compile.
const binding = "github.com/apple/foundationdb/bindings/go"

// Checker checks the packages of a module that uses the binding.
type Checker struct {
	module  string // import path
	dir     string
	sources map[string]string // modules that are read from source: import path -> directory
	fset    *token.FileSet
	exports map[string]string // import path -> file of export data
	checked map[string]*types.Package
	// compiled imports from export data; one for all, so that a type is one.
	compiled types.Importer
	// overlay has the text of files that are not on disk, or are there in another
	// form, by name.
	overlay map[string][]byte
}

// New returns a checker for the module in dir. It downloads the binding if the
// module cache does not have it. The modules in also use the binding too, so they
// are read from source as well.
func New(dir string, also ...string) (*Checker, error) {
	c := &Checker{
		dir: dir, fset: token.NewFileSet(), sources: make(map[string]string),
		checked: make(map[string]*types.Package), overlay: make(map[string][]byte),
	}
	c.compiled = importer.ForCompiler(c.fset, "gc", c.open)
	var info struct{ Dir, Path string }
	if err := c.goJSON(&info, "list", "-m", "-json"); err != nil {
		return nil, err
	}
	c.module = info.Path
	c.sources[c.module] = dir
	if err := c.goJSON(&info, "mod", "download", "-json", binding); err != nil {
		return nil, fmt.Errorf("cannot get the binding's sources: %w", err)
	}
	c.sources[binding] = info.Dir
	for _, module := range also {
		if err := c.goJSON(&info, "list", "-m", "-json", module); err != nil {
			return nil, err
		}
		c.sources[module] = info.Dir
	}
	return c, nil
}

// Packages returns the import paths of the module's packages.
func (c *Checker) Packages() ([]string, error) {
	var found []string
	err := filepath.WalkDir(c.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); path != c.dir && (name == "testdata" || name[0] == '.' || name[0] == '_') {
			return filepath.SkipDir
		}
		if sources, _ := filepath.Glob(filepath.Join(path, "*.go")); len(sources) > 0 {
			rel, err := filepath.Rel(c.dir, path)
			if err != nil {
				return err
			}
			found = append(found, strings.TrimSuffix(c.module+"/"+filepath.ToSlash(rel), "/."))
		}
		return nil
	})
	return found, err
}

// Check checks a package of the module, its tests included, and returns all
// errors found.
func (c *Checker) Check(path string) error {
	files, err := c.parse(path, c.directory(path), true)
	if err != nil {
		return err
	}
	var all []error
	for _, unit := range units(files) {
		if _, err := c.check(path, unit); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// units splits the files of a directory into the package, with the tests
// inside it, and the package of the tests beside it.
func units(files []*ast.File) [][]*ast.File {
	var inside, beside []*ast.File
	for _, f := range files {
		if strings.HasSuffix(f.Name.Name, "_test") {
			beside = append(beside, f)
		} else {
			inside = append(inside, f)
		}
	}
	return slices.DeleteFunc([][]*ast.File{inside, beside}, func(unit []*ast.File) bool { return len(unit) == 0 })
}

func (c *Checker) check(path string, files []*ast.File) (*types.Package, error) {
	if err := c.export(files); err != nil {
		return nil, err
	}
	var all []error
	config := types.Config{
		FakeImportC: true,
		Importer:    c,
		Error:       func(err error) { all = append(all, err) },
	}
	pkg, _ := config.Check(path, c.fset, files, nil) // config.Error has them all
	return pkg, errors.Join(all...)
}

// Import implements types.Importer: from source what needs cgo, and from the
// compiler's export data everything else.
func (c *Checker) Import(path string) (*types.Package, error) {
	if pkg := c.checked[path]; pkg != nil {
		return pkg, nil
	}
	var pkg *types.Package
	var err error
	if dir := c.directory(path); dir != "" {
		var files []*ast.File
		if files, err = c.parse(path, dir, false); err == nil {
			pkg, err = c.check(path, files)
		}
	} else {
		pkg, err = c.compiled.Import(path)
	}
	if err != nil {
		return nil, err
	}
	c.checked[path] = pkg
	return pkg, nil
}

// directory returns the directory of a package that is read from source. It is
// empty if the package is read from export data.
func (c *Checker) directory(path string) string {
	for root, dir := range c.sources {
		if path == root {
			return dir
		}
		if rest, ok := strings.CutPrefix(path, root+"/"); ok {
			return filepath.Join(dir, filepath.FromSlash(rest))
		}
	}
	return ""
}

// parse parses the files of a package that a build with cgo would take.
func (c *Checker) parse(path, dir string, tests bool) ([]*ast.File, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for name := range c.overlay {
		if filepath.Dir(name) == dir && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	with := build.Default
	with.CgoEnabled = true
	with.OpenFile = func(name string) (io.ReadCloser, error) {
		if text, ok := c.overlay[name]; ok {
			return io.NopCloser(bytes.NewReader(text)), nil
		}
		return os.Open(name)
	}
	var files []*ast.File
	for _, name := range names {
		if !tests && strings.HasSuffix(name, "_test.go") {
			continue
		}
		if ok, err := with.MatchFile(dir, filepath.Base(name)); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		var text any
		if overlaid, ok := c.overlay[name]; ok {
			text = overlaid
		}
		file, err := parser.ParseFile(c.fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no Go files for %s in %s", path, dir)
	}
	return files, nil
}

// export asks the compiler for the export data of what files import.
func (c *Checker) export(files []*ast.File) error {
	var missing []string
	for _, file := range files {
		for _, spec := range file.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if _, have := c.exports[path]; !have && c.directory(path) == "" && path != "C" && path != "unsafe" {
				missing = append(missing, path)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	out, err := c.goCommand(append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, missing...)...)
	if err != nil {
		return err
	}
	if c.exports == nil {
		c.exports = make(map[string]string)
	}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && file != "" {
			c.exports[path] = file
		}
	}
	return nil
}

func (c *Checker) open(path string) (io.ReadCloser, error) {
	file, ok := c.exports[path]
	if !ok {
		return nil, fmt.Errorf("no export data for %s", path)
	}
	return os.Open(file)
}

// goCommand runs the go command in the module, without cgo.
func (c *Checker) goCommand(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out, nil
}

func (c *Checker) goJSON(into any, args ...string) error {
	out, err := c.goCommand(args...)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}
