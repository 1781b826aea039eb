package elector

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

func TestGenerateNodeID(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		id := GenerateNodeID()
		require.Regexp(t, `^[[:graph:]]+-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
		require.NoError(t, election.Identity{ID: id}.Validate())
		require.False(t, seen[id])
		seen[id] = true
	}
}

func TestHostPart(t *testing.T) {
	const limit = 20
	for host, want := range map[string]string{
		"":                      "unknown-host",
		"db-1.example":          "db-1.example",
		strings.Repeat("h", 21): strings.Repeat("h", limit),
		"höst":                  "h_st",
		"\x1b[2J\n\t x":         "_[2J___x",
		"\xff\xfe":              "__",
		"日本":                    "__",
		"\u202e":                "_",
	} {
		part := hostPart(host, limit)
		require.Equal(t, want, part, "%q", host)
		require.NoError(t, election.Identity{ID: part}.Validate())
	}
}
