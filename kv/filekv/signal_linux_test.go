package filekv

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSignalOfACommitThatDies: if a process dies during its commit, the kernel closes
// its signal files, which wakes the watchers before their next regular check.
func TestSignalOfACommitThatDies(t *testing.T) {
	s := tempStore(t, Options{})
	n, ok := newNotifier(s.path, defaultMode).(*inotify)
	require.True(t, ok, "there is no inotify instance left: raise fs.inotify.max_user_instances")
	defer n.close()
	var set signalSet
	set.add([]byte("k"))
	require.True(t, n.follow(&set))
	opened := s.openSignals([]previous{{key: []byte("k")}}, 1)
	require.Len(t, opened.files, 1)
	done := background(func() error { n.wait(time.Hour); return nil })
	require.NoError(t, opened.files[0].Close())
	require.NoError(t, wait(t, done, "the end of the wait"))
}
