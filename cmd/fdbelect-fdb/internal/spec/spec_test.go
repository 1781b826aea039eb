package spec

import (
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

// A wrong parameter is wrong usage, which the command tells by Wrong.
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
