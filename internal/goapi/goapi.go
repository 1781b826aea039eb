// Package goapi lists the exported API of packages, and compares it with a list in a golden file.
// docs/compatibility.md says how the files are used.
package goapi

import (
	"fmt"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/gosource"
)

const (
	// rewrite is the environment variable that makes Compare write the golden file.
	rewrite = "WRITE_API"

	heading = "# The exported Go API, one feature per line. A line that goes breaks callers. docs/compatibility.md has the rules.\n"
)

// CheckModule compares the public packages of the module in the working directory with testdata/api.txt. It
// leaves out internal packages, and those in without, which have no promise.
func CheckModule(t *testing.T, without ...string) {
	t.Helper()
	t.Setenv("CGO_ENABLED", "0") // as most checks have it, so that the packages are compiled already
	packages, err := gosource.List(t.Context(), "./...")
	require.NoError(t, err)
	here, err := os.Getwd()
	require.NoError(t, err)
	importer := gosource.Importer(token.NewFileSet(), packages)
	var public []*types.Package
	for path, p := range packages {
		if p.Dir != here && !strings.HasPrefix(p.Dir, here+string(filepath.Separator)) {
			continue
		}
		see(t, p)
		if slices.Contains(strings.Split(path, "/"), "internal") || slices.Contains(without, path) {
			continue
		}
		loaded, err := importer.Import(path)
		require.NoError(t, err)
		public = append(public, loaded)
	}
	require.NotEmpty(t, public)
	Compare(t, filepath.Join("testdata", "api.txt"), public...)
}

// see reads the files of a package. The compiler reads them in another process, and `go test` runs a test
// again only if files change that the test itself has read.
func see(t *testing.T, p gosource.Package) {
	t.Helper()
	_, err := os.ReadDir(p.Dir)
	require.NoError(t, err)
	for _, name := range p.GoFiles {
		_, err := os.ReadFile(filepath.Join(p.Dir, name))
		require.NoError(t, err)
	}
}

// Compare compares the exported API of packages with a golden file, or writes the file if WRITE_API is set.
func Compare(t *testing.T, file string, packages ...*types.Package) {
	t.Helper()
	var now []string
	for _, p := range packages {
		now = append(now, List(p)...)
	}
	slices.Sort(now)
	if os.Getenv(rewrite) != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(heading+strings.Join(now, "\n")+"\n"), 0o644))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	body, found := strings.CutPrefix(string(text), heading)
	require.True(t, found, "%s does not begin with its heading", file)
	if changes := diff(strings.Split(strings.TrimSuffix(body, "\n"), "\n"), now); len(changes) > 0 {
		t.Fatalf(`the exported API differs from %s:
%s
A line with - is gone or has another form now, which breaks callers. A line with + is new, which breaks none.
If you meant it, run %s=1 go test -run '^%s$' here. If a line is gone, say in CHANGELOG.md how to change a caller.`,
			file, strings.Join(changes, "\n"), rewrite, t.Name())
	}
}

// diff returns the lines of before that are not in now, and those of now that are not in before.
func diff(before, now []string) []string {
	var lines []string
	add := func(sign string, from, without []string) {
		for _, line := range from {
			if _, found := slices.BinarySearch(without, line); !found {
				lines = append(lines, sign+" "+line)
			}
		}
	}
	before, now = slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(now))
	add("-", before, now)
	add("+", now, before)
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return lines
}

// List returns the exported API of a package: a line for each constant with its value, variable, function, type,
// exported field and method. A new field or method of a type is a new line. A new method of an interface changes
// the line of the interface, because it breaks those who implement it. Names of parameters are left out.
func List(p *types.Package) []string {
	l := lister{pkg: p}
	for _, name := range p.Scope().Names() {
		if object := p.Scope().Lookup(name); object.Exported() {
			l.object(object)
		}
	}
	return l.lines
}

type lister struct {
	pkg   *types.Package
	lines []string
}

func (l *lister) add(format string, arguments ...any) {
	l.lines = append(l.lines, strings.TrimPrefix(l.pkg.Path(), "github.com/fdbelection/")+": "+fmt.Sprintf(format, arguments...))
}

// text writes a type with names such as kv.Database, and without the package if it is the listed one.
func (l *lister) text(t types.Type) string {
	return types.TypeString(nameless(t), func(p *types.Package) string {
		if p == l.pkg {
			return ""
		}
		return p.Name()
	})
}

// signature writes the parameters and results of a function, with its type parameters before them.
func (l *lister) signature(f *types.Func) string {
	return l.parameters(f.Signature().TypeParams()) + strings.TrimPrefix(l.text(f.Signature()), "func")
}

func (l *lister) parameters(list *types.TypeParamList) string {
	var texts []string
	for p := range list.TypeParams() {
		texts = append(texts, p.Obj().Name()+" "+l.text(p.Constraint()))
	}
	if len(texts) == 0 {
		return ""
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func (l *lister) object(object types.Object) {
	switch object := object.(type) {
	case *types.Const:
		l.add("const %s %s = %s", object.Name(), l.text(object.Type()), object.Val().ExactString())
	case *types.Var:
		l.add("var %s %s", object.Name(), l.text(object.Type()))
	case *types.Func:
		l.add("func %s%s", object.Name(), l.signature(object))
	case *types.TypeName:
		l.typeName(object)
	}
}

func (l *lister) typeName(object *types.TypeName) {
	name, t := object.Name(), types.Unalias(object.Type())
	if object.IsAlias() {
		l.add("type %s = %s", name, l.text(t))
	}
	var generic string
	if named, isNamed := t.(*types.Named); isNamed && !object.IsAlias() {
		generic = l.parameters(named.TypeParams())
	}
	switch under := t.Underlying().(type) {
	case *types.Interface:
		var methods []string
		for method := range under.Methods() {
			methods = append(methods, method.Name())
			if method.Exported() {
				l.add("method (%s) %s%s", name, method.Name(), l.signature(method))
			}
		}
		l.add("type %s%s interface{%s}", name, generic, strings.Join(methods, ", "))
		return
	case *types.Struct:
		suffix := "" // without an exported field, there is nothing to compare
		if types.Comparable(t) && slices.ContainsFunc(slices.Collect(under.Fields()), (*types.Var).Exported) {
			suffix = ", comparable"
		}
		l.add("type %s%s struct%s", name, generic, suffix)
		l.fields(name, under)
	default:
		l.add("type %s%s %s", name, generic, l.text(under))
	}
	l.methods(name, t)
}

func (l *lister) fields(name string, s *types.Struct) {
	for field := range s.Fields() {
		switch inner, isStruct := field.Type().Underlying().(*types.Struct); {
		case field.Exported() && field.Embedded():
			l.add("field %s.%s embedded %s", name, field.Name(), l.text(field.Type()))
		case field.Exported():
			l.add("field %s.%s %s", name, field.Name(), l.text(field.Type()))
		case field.Embedded() && isStruct:
			l.fields(name, inner) // it promotes its fields
		}
	}
}

func (l *lister) methods(name string, t types.Type) {
	values, pointers := types.NewMethodSet(t), types.NewMethodSet(types.NewPointer(t))
	for selection := range pointers.Methods() {
		method, isFunc := selection.Obj().(*types.Func)
		if !isFunc || !method.Exported() {
			continue
		}
		receiver := "*" + name
		if values.Lookup(method.Pkg(), method.Name()) != nil {
			receiver = name
		}
		l.add("method (%s) %s%s", receiver, method.Name(), l.signature(method))
	}
}

// nameless returns a type whose functions have no names of parameters and results, because a change of these
// breaks no caller.
func nameless(t types.Type) types.Type {
	switch t := t.(type) {
	case *types.Signature:
		return types.NewSignatureType(nil, nil, nil, tuple(t.Params()), tuple(t.Results()), t.Variadic())
	case *types.Pointer:
		return types.NewPointer(nameless(t.Elem()))
	case *types.Slice:
		return types.NewSlice(nameless(t.Elem()))
	case *types.Map:
		return types.NewMap(nameless(t.Key()), nameless(t.Elem()))
	case *types.Chan:
		return types.NewChan(t.Dir(), nameless(t.Elem()))
	default:
		return t
	}
}

func tuple(t *types.Tuple) *types.Tuple {
	var variables []*types.Var
	for v := range t.Variables() {
		variables = append(variables, types.NewParam(token.NoPos, v.Pkg(), "", nameless(v.Type())))
	}
	return types.NewTuple(variables...)
}
