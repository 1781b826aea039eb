package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRun: the program prints what README.md shows.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, serve(&out))
	require.Equal(t, `The work begins in term 1.
GET / -> host-1 leads
The work has returned.
All have ended: the request was answered
The elector is stopped.
`, out.String())
}
