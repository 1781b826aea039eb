package elector

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBroadcasterRemovesSubscriptions checks that nothing is queued for a subscription that
// was removed.
func TestBroadcasterRemovesSubscriptions(t *testing.T) {
	var b broadcaster
	stays, removed := b.add(), b.add()
	b.remove(removed)
	b.send(LeaderInfo{})
	require.Len(t, stays.queue, 1)
	require.Empty(t, removed.queue)
	require.Len(t, b.subscriptions, 1)
}
