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
	require.Equal(t, `a runs the job in term 1.
a runs the job in term 1.
a runs the job in term 1.
a has stopped.
b runs the job in term 2.
b runs the job in term 2.
`, out.String())
}
