package records

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// TestReadyText: a reason is shortened, and nothing in it controls a terminal.
func TestReadyText(t *testing.T) {
	for reason, want := range map[string]string{
		"":                      "yes",
		"cache is cold":         "no: cache is cold",
		"\x1b[2J":               `no: "\x1b[2J"`,
		strings.Repeat("é", 99): "no: " + strings.Repeat("é", 37) + "...",
	} {
		require.Equal(t, want, ReadyText(&election.Candidate{Registration: election.Registration{NotReady: reason}}))
	}
}
