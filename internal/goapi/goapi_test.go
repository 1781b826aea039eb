package goapi

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"testing"

	"github.com/stretchr/testify/require"
)

// list lists the API of a package with this source.
func list(t *testing.T, source string) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", "package p\n"+source, 0)
	require.NoError(t, err)
	config := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	p, err := config.Check("p", fset, []*ast.File{file}, nil)
	require.NoError(t, err)
	return List(p)
}

func TestList(t *testing.T) {
	require.ElementsMatch(t, []string{
		"p: const Limit untyped int = 3",
		"p: const Up Direction = 1",
		"p: func Do[T any](Future[T], ...func(int) error) (T, error)",
		"p: type Direction int",
		"p: type Future[T any] interface{Get, ready}",
		"p: method (Future) Get() T",
		"p: field Base.ID string",
		"p: type Base struct, comparable",
		"p: field Set.Base embedded Base",
		"p: field Set.Names map[string][]int",
		"p: field Set.Depth int",
		"p: method (Set) Len() int",
		"p: method (*Set) Add(string) bool",
		"p: type Set struct",
		"p: type Handle struct",
		"p: type Alias = Handle",
		"p: type Alias struct",
		"p: var ErrGone error",
	}, list(t, `
		const Limit = 3
		type Direction int
		const (down Direction = iota; Up)
		func Do[T any](f Future[T], each ...func(i int) error) (result T, err error) { return }
		type Future[T any] interface { Get() T; ready() }
		type Base struct { ID string }
		type inner struct { Depth int; hidden int }
		type Set struct { Base; inner; Names map[string][]int; count int }
		func (s Set) Len() int { return s.count }
		func (s *Set) Add(name string) (added bool) { return }
		func (s *Set) grow() {}
		type Handle struct { fd int }
		type Alias = Handle
		var ErrGone error`))
}

func TestDiff(t *testing.T) {
	for name, test := range map[string]struct {
		before, now string
		want        []string
	}{
		"other names of parameters":   {"func F(a int) (b int) { return }", "func F(x int) (y int) { return }", nil},
		"another order":               {"var A, B int", "var B, A int", nil},
		"an unexported function":      {"", "func f() {}", nil},
		"a new function":              {"", "func F() {}", []string{"+ p: func F()"}},
		"a function that is gone":     {"func F() {}", "", []string{"- p: func F()"}},
		"another parameter":           {"func F() {}", "func F(int) {}", []string{"- p: func F()", "+ p: func F(int)"}},
		"another value of a constant": {"const C = 1", "const C = 2", []string{"- p: const C untyped int = 1", "+ p: const C untyped int = 2"}},
		"a new field":                 {"type T struct{ A int }", "type T struct{ A int; B int }", []string{"+ p: field T.B int"}},
		"no longer comparable":        {"type T struct{ A int }", "type T struct{ A int; b []int }", []string{"+ p: type T struct", "- p: type T struct, comparable"}},
		"another receiver": {
			"type T int; func (T) M() {}", "type T int; func (*T) M() {}",
			[]string{"+ p: method (*T) M()", "- p: method (T) M()"},
		},
		"a new method of an interface": {
			"type I interface{ A() }", "type I interface{ A(); B() }",
			[]string{"+ p: method (I) B()", "+ p: type I interface{A, B}", "- p: type I interface{A}"},
		},
		"a method that an interface gets from another": {
			"type b interface{ B() }; type I interface{ b }", "type b interface{ B(); C() }; type I interface{ b }",
			[]string{"+ p: method (I) C()", "+ p: type I interface{B, C}", "- p: type I interface{B}"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, diff(list(t, test.before), list(t, test.now)))
		})
	}
}
