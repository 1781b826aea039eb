package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRun: the program prints what README.md shows.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `a leads in term 1.
a has ended: the connection to the bank is closed
b leads in term 2.
b has ended: <nil>
`, out.String())
}
