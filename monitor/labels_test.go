package monitor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

// Each state, reason and delay of package elector has a label of its own.
func TestLabels(t *testing.T) {
	constants := func(file, prefix string) (n int) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
				n++
			}
			return true
		})
		return n
	}
	require.Len(t, reasons, constants("../elector/state.go", "Reason"))
	require.Len(t, slices.Compact(slices.Sorted(maps.Values(reasons))), len(reasons))
	require.Equal(t, "other", reasonLabel("a new reason"))
	require.Len(t, rules, constants("../elector/status.go", "Delay"))
	require.Len(t, states, constants("../elector/state.go", "State"))

	require.Equal(t, []transitions{{"leader", "candidate", "other", 3}}, transitionsOf(map[elector.TransitionKind]uint64{
		{From: elector.StateLeader, To: elector.StateCandidate, Reason: "new"}:   1,
		{From: elector.StateLeader, To: elector.StateCandidate, Reason: "newer"}: 2,
	}))
}

// A label is short and valid.
func TestSafeLabel(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "\xff": `"\xff"`, "a\nb": `"a\nb"`,
		strings.Repeat("a", 128): strings.Repeat("a", 128),
		strings.Repeat("a", 129): strings.Repeat("a", 125) + "...",
		strings.Repeat("é", 99):  strings.Repeat("é", 62) + "...",
	} {
		require.Equal(t, want, safeLabel(text))
		require.True(t, utf8.ValidString(safeLabel(text)))
	}
}
