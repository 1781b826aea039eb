package filekv

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that dies during its commit has its files closed by the kernel, and
// that is a signal. Otherwise a watcher would wait for its next look.
func TestSignalOfACommitThatDies(t *testing.T) {
	s := tempStore(t, Options{})
	n, ok := newNotifier(s.path, DefaultMode).(*inotify)
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
