package groups_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/group"
)

// TestConfigWithoutAChange: a config that is written again, for example over a damaged one, has a
// revision and no differences.
func TestConfigWithoutAChange(t *testing.T) {
	teller := groups.NewTeller(nil)
	for revision, want := range []string{"revision 0", "revision 1"} {
		config := group.DefaultConfig()
		config.Revision = uint64(revision)
		e, told := teller.Tell(&group.Change{Row: group.Row{Kind: group.KindConfig, Config: &config}})
		require.True(t, told)
		require.Equal(t, want, e.Reason)
	}
}
