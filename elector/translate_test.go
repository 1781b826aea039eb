package elector

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// TestTranslation checks that this package has each state and each reason of the state
// machine under the same name, and each reason with the same text.
func TestTranslation(t *testing.T) {
	require.Equal(t, constants(t, "../internal/machine", "State"), constants(t, ".", "State"))
	require.Len(t, stateNames, len(constants(t, ".", "State")))
	for s := machine.StateStopped; int(s) < len(stateNames); s++ {
		require.Equal(t, s.String(), stateOf(s).String())
		require.Equal(t, s.Leads(), stateOf(s).Leads(), s)
	}

	require.Equal(t, constants(t, "../internal/machine", "Reason"), constants(t, ".", "Reason"))
}

// constants returns the constants in a directory whose names begin with a prefix, with
// their texts.
func constants(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	names := make(map[string]string)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			consts, ok := decl.(*ast.GenDecl)
			if !ok || consts.Tok != token.CONST {
				continue
			}
			for _, spec := range consts.Specs {
				value := spec.(*ast.ValueSpec)
				for i, name := range value.Names {
					if !strings.HasPrefix(name.Name, prefix) {
						continue
					}
					names[name.Name] = ""
					if i < len(value.Values) {
						if text, ok := value.Values[i].(*ast.BasicLit); ok {
							names[name.Name] = text.Value
						}
					}
				}
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}

// TestResultOfLeaving checks that a LeaveError is translated wherever it stands.
func TestResultOfLeaving(t *testing.T) {
	why, last := errors.New("why it stopped"), errors.New("the last attempt")
	for _, result := range []error{
		&machine.LeaveError{Err: last},
		errors.Join(nil, &machine.LeaveError{Err: last}),
		errors.Join(why, &machine.LeaveError{Err: last}),
	} {
		got := resultOf(result)
		leave, ok := errors.AsType[*LeaveError](got)
		require.True(t, ok)
		require.Equal(t, last, leave.Err)
		require.Equal(t, errors.Is(result, why), errors.Is(got, why))
		_, internal := errors.AsType[*machine.LeaveError](got)
		require.False(t, internal)
	}
	refused := resultOf(errors.Join(why, &machine.LeaveError{Err: last}, &machine.HandOverError{To: "b", Err: last}))
	handOver, ok := errors.AsType[*HandOverError](refused)
	require.True(t, ok)
	require.Equal(t, &HandOverError{To: "b", Err: last}, handOver)
	require.ErrorIs(t, refused, why)
	_, internal := errors.AsType[*machine.HandOverError](refused)
	require.False(t, internal)
	require.Equal(t, &HandOverError{To: "b", Err: last}, resultOf(&machine.HandOverError{To: "b", Err: last}))
	require.Equal(t, why, resultOf(why))
	require.NoError(t, resultOf(nil))
}
