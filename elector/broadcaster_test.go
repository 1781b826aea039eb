package elector

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An observer that has left is not kept, and nothing is queued for it.
func TestHubForgetsThoseWhoLeave(t *testing.T) {
	var h broadcaster
	stays, leaves := h.join(), h.join()
	h.leave(leaves)
	h.tell(LeaderInfo{})
	require.Len(t, stays.queue, 1)
	require.Empty(t, leaves.queue)
	require.Len(t, h.views, 1)
}
