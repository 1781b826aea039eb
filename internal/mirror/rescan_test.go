package mirror_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// A record that was added after a scan had begun, and was removed before its page was read, is
// gone after the scan.
func TestRemovedWhileItIsScannedAgain(t *testing.T) {
	m := mirror.New(nil)
	m.AddPage(&group.Page{Version: 10})
	m.AddChanges(&group.Changes{Version: 10})
	m.Rescan()
	m.Apply(group.Row{Kind: group.KindShard, Name: "x", Shard: &group.Shard{Name: "x", Term: 1}}, 15)
	m.Apply(group.Row{Kind: group.KindMember, Name: "a", Member: &group.Member{}}, 15)
	m.AddPage(&group.Page{Version: 20})
	m.AddChanges(&group.Changes{Version: 20})
	require.EqualValues(t, 20, m.Version())
	require.Nil(t, m.Shard("x"))
	require.Nil(t, m.Member("a"))
}

// A row that was read before the scan does not bring back what the scan has not found.
func TestOldRowOfARemovedRecord(t *testing.T) {
	m := mirror.New(nil)
	m.AddPage(&group.Page{Version: 20})
	m.AddChanges(&group.Changes{Version: 20})
	m.Apply(group.Row{Kind: group.KindShard, Name: "x", Shard: &group.Shard{Name: "x", Term: 1}}, 15)
	require.Nil(t, m.Shard("x"))
	m.Apply(group.Row{Kind: group.KindShard, Name: "x", Shard: &group.Shard{Name: "x", Term: 1}}, 21)
	require.NotNil(t, m.Shard("x"))
}
