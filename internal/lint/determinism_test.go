package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/gosource"
)

// simulated lists the packages that a simulation runs. From one seed, they must do
// the same things in the same order every time. .golangci.yml checks that their
// clocks and random numbers are injected. This test checks the order.
var simulated = []string{
	"github.com/fdbelection/fdbelection/election",
	"github.com/fdbelection/fdbelection/internal/balance",
	"github.com/fdbelection/fdbelection/internal/machine",
	"github.com/fdbelection/fdbelection/internal/executor",
}

func TestSimulatedCodeHasOneOrder(t *testing.T) {
	for _, path := range simulated {
		t.Run(filepath.Base(path), func(t *testing.T) {
			fset := token.NewFileSet()
			files, info := load(t, fset, path)
			for _, f := range unordered(files, info) {
				t.Errorf("%s: %s", fset.Position(f.at), f.problem)
			}
		})
	}
}

// TestUnorderedCodeIsFound shows that the check can fail. It reports each marked
// line of the fixture and no other line.
func TestUnorderedCodeIsFound(t *testing.T) {
	fset := token.NewFileSet()
	file := parse(t, fset, filepath.Join("testdata", "unordered.go"))
	files := []*ast.File{file}
	packages, err := gosource.List(t.Context(), "maps", "slices")
	require.NoError(t, err)
	info := check(t, fset, packages, files)

	want := map[int]string{}
	for _, group := range file.Comments {
		if text, found := marker(group.Text()); found {
			want[fset.Position(group.Pos()).Line] = text
		}
	}
	got := map[int]string{}
	for _, f := range unordered(files, info) {
		got[fset.Position(f.at).Line] = f.problem
	}
	require.NotEmpty(t, want)
	require.Equal(t, want, got)
}

// finding is a place where the runtime chooses the order of events.
type finding struct {
	at      token.Pos
	problem string
}

const (
	goroutine   = "a goroutine: the scheduler decides when it runs"
	selection   = "a select: it chooses at random among the ready cases"
	channelUse  = "a channel: the scheduler decides which goroutine wakes first"
	mapOrder    = "a range over a map: sort the keys first, unless the body only adds up integers"
	mapIterator = "an iterator over a map: pass it directly to slices.Sorted"
)

// unordered returns the places in the files where the runtime chooses the order.
func unordered(files []*ast.File, info *types.Info) []finding {
	var found []finding
	sorted := map[ast.Node]bool{} // calls whose result is sorted directly
	report := func(n ast.Node, problem string) { found = append(found, finding{n.Pos(), problem}) }
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				report(n, goroutine)
			case *ast.SelectStmt:
				report(n, selection)
				return false // do not report its channels again
			case *ast.SendStmt:
				report(n, channelUse)
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					report(n, channelUse)
				}
			case *ast.RangeStmt:
				switch info.TypeOf(n.X).Underlying().(type) {
				case *types.Map:
					if !sums(n.Body, info) {
						report(n, mapOrder)
					}
				case *types.Chan:
					report(n, channelUse)
				}
			case *ast.CallExpr:
				switch callee(n, info) {
				case "slices.Sorted", "slices.SortedFunc", "slices.SortedStableFunc":
					sorted[ast.Unparen(n.Args[0])] = true
				case "maps.All", "maps.Keys", "maps.Values":
					if !sorted[n] {
						report(n, mapIterator)
					}
				}
			}
			return true
		})
	}
	return found
}

// sums reports whether a body only adds up integers. The order does not matter then.
func sums(body *ast.BlockStmt, info *types.Info) bool {
	for _, statement := range body.List {
		assign, isAssign := statement.(*ast.AssignStmt)
		if !isAssign || assign.Tok != token.ADD_ASSIGN {
			return false
		}
		basic, isBasic := info.TypeOf(assign.Lhs[0]).Underlying().(*types.Basic)
		if !isBasic || basic.Info()&types.IsInteger == 0 {
			return false
		}
	}
	return true
}

// callee returns the called function as package.name, or "" if it is not a function
// of a package.
func callee(call *ast.CallExpr, info *types.Info) string {
	selector, isSelector := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !isSelector {
		return ""
	}
	function, isFunction := info.Uses[selector.Sel].(*types.Func)
	if !isFunction || function.Pkg() == nil {
		return ""
	}
	return fmt.Sprintf("%s.%s", function.Pkg().Path(), function.Name())
}
