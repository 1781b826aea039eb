package funcname_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/funcname"
)

func rule05ALeaderRenewsItsLease() {}
func stampsAreOrderedByID()        {}

func TestSentence(t *testing.T) {
	require.Equal(t, "Rule05_a_leader_renews_its_lease", funcname.Sentence(rule05ALeaderRenewsItsLease))
	require.Equal(t, "Stamps_are_ordered_by_id", funcname.Sentence(stampsAreOrderedByID))
	require.Panics(t, func() { funcname.Sentence("rule05") })
}
