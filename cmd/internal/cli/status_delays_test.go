package cli

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// TestStatusDelays: status says who does not lead yet and why, and until when.
func TestStatusDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		m.Claims(m.One, time.Now())
		two := m.Two
		two.Delay = election.Delay{Rule: "hold-off\x1b", Until: time.Now().Add(20 * time.Second)}
		m.Does(func(tr kv.Transaction) error { return m.RegisterCandidate(tr, two, time.Now()) })
		stdout, _, err := execOn(t.Context(), clitest.Virtual{}, m, "status")
		require.NoError(t, err)
		require.Contains(t, stdout, "delayed   two: \"hold-off\\x1b\", ends in 20s (local clock)\n")
		two.Delay.Until = time.Now()
		m.Does(func(tr kv.Transaction) error { return m.RegisterCandidate(tr, two, time.Now()) })
		stdout, _, err = execOn(t.Context(), clitest.Virtual{}, m, "status")
		require.NoError(t, err)
		require.NotContains(t, stdout, "delayed")
	})
}
