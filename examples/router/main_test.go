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
	require.Equal(t, `GET / -> a in term 1
a has stopped
GET / -> b in term 2
b has moved
GET / -> b at its new address
`, out.String())
}
