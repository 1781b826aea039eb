package spec

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Spec{
		"":                               {},
		"/etc/fdb.cluster":               {ClusterFile: "/etc/fdb.cluster"},
		"/etc/fdb.cluster?":              {ClusterFile: "/etc/fdb.cluster"},
		"?tag=t":                         {Tag: "t"},
		"fdb.cluster?tenant=a%20b&tag=t": {ClusterFile: "fdb.cluster", Tenant: "a b", Tag: "t"},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

// TestParseWrong: Wrong reports a wrong parameter, so the command ends with the exit code
// for wrong usage.
func TestParseWrong(t *testing.T) {
	for text, want := range map[string]string{
		"/x?tennant=a":   `fdb:/x?tennant=a: there is no "tennant"; tenant and tag are known`,
		"/x?tag=a&tag=b": `fdb:/x?tag=a&tag=b: "tag" is given twice`,
		"/x?%zz":         "invalid URL escape",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want)
		require.True(t, Wrong(fmt.Errorf("open: %w", err)), text)
	}
	require.False(t, Wrong(fmt.Errorf("the cluster does not answer")))
}

// TestNoTenant: a missing tenant counts as wrong usage.
func TestNoTenant(t *testing.T) {
	errNotFound := errors.New("tenant_not_found")
	err := fmt.Errorf("open: %w", NoTenant("/x?tenant=a", errNotFound))
	require.EqualError(t, err, "open: fdb:/x?tenant=a: the cluster has no such tenant: tenant_not_found")
	require.ErrorIs(t, err, errNotFound)
	require.True(t, Wrong(err))
}
