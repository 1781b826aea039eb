package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRun: the program prints what README.md shows, apart from the time.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `a leads in term 1.
b is listed and not ready: the cache is cold.
b is ready.
a has lost its cache. b leads in term 2, X later.
a stays listed and not ready.
`, regexp.MustCompile(`[0-9.]+m?s later`).ReplaceAllString(out.String(), "X later"))
}
