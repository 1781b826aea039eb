//go:build unix

package filekv

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// watchKey registers a watch and returns a channel for its result.
func watchKey(t testing.TB, s *store, key, expected string) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	var value []byte
	if expected != "" {
		value = []byte(expected)
	}
	stop, err := s.Watch(t.Context(), []byte(key), value, 1, func(err error) { ended <- err })
	require.NoError(t, err)
	t.Cleanup(stop)
	return ended
}

// withoutSignals is a notifier that never gets a signal, as on a file system without
// notifications. Only the regular checks remain.
type withoutSignals struct{ *poller }

func (withoutSignals) follow(*signalSet) bool { return true }

// TestWatchNotifiers: with every notifier, a watch fires after a change and never
// without one.
func TestWatchNotifiers(t *testing.T) {
	for name, open := range map[string]func(string, os.FileMode) notifier{
		"the system's":   newNotifier,
		"polling":        func(path string, mode os.FileMode) notifier { return newPoller(path, mode) },
		"withoutSignals": func(path string, mode os.FileMode) notifier { return withoutSignals{newPoller(path, mode)} },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			s, other := openStore(t, path, Options{}), openStore(t, path, Options{})
			s.watches.open, s.watches.interval = open, 10*time.Millisecond
			for i := range 5 {
				before := strconv.Itoa(i)
				put(t, s, "k", before)
				fires, quiet := watchKey(t, s, "k", before), watchKey(t, s, "quiet", "")
				put(t, other, "k", before) // the same
				put(t, other, "k", before+"+")
				require.NoError(t, wait(t, fires, "the watch"))
				require.Empty(t, quiet, "a watch fired without a change")
			}
		})
	}
}

func TestWatchOfWhatHasChanged(t *testing.T) {
	s := tempStore(t, Options{})
	put(t, s, "k", "new")
	require.NoError(t, wait(t, watchKey(t, s, "k", "old"), "the watch"))
	require.NoError(t, wait(t, watchKey(t, s, "k", ""), "the watch"))
}

func TestWatchStop(t *testing.T) {
	s := tempStore(t, Options{MaxWatches: 1})
	stop, err := s.Watch(t.Context(), []byte("k"), nil, 1, func(error) { t.Error("a stopped watch ended") })
	require.NoError(t, err)
	_, err = s.Watch(t.Context(), []byte("k"), nil, 1, func(error) {})
	require.Equal(t, kv.Error{Code: kv.CodeTooManyWatches}, err)
	stop()
	stop()
	other := watchKey(t, s, "k", "")
	put(t, s, "k", "v")
	require.NoError(t, wait(t, other, "the other watch"))
	require.Empty(t, s.watches.byKey, "a watch that is over is removed")
}

// TestWatchOutlastsAbsence: a watch keeps waiting while the store cannot be read.
func TestWatchOutlastsAbsence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s, other := openStore(t, path, Options{}), openStore(t, path, Options{})
	put(t, s, "k", "v")
	fires := watchKey(t, s, "k", "v")
	require.NoError(t, os.Rename(path, path+".aside"))
	require.False(t, s.watches.compare([]watchedKey{{key: "k"}}))
	s.watches.mu.Lock()
	s.watches.notifier.wake()
	s.watches.mu.Unlock()
	require.NoError(t, os.Rename(path+".aside", path))
	put(t, other, "k", "w")
	require.NoError(t, wait(t, fires, "the watch"))
}

func TestGeneration(t *testing.T) {
	s := tempStore(t, Options{})
	before, ok := s.generation()
	require.True(t, ok)
	get(t, s, "k", 0)
	same, ok := s.generation()
	require.True(t, ok)
	require.Equal(t, before, same, "a read does not change it")
	for range 3 {
		put(t, s, "k", "v")
		after, ok := s.generation()
		require.True(t, ok)
		require.Greater(t, after, before)
		before = after
	}
	require.NoError(t, os.Remove(s.path))
	_, ok = s.generation()
	require.False(t, ok)
}

// TestNotifierWake: a wake is never lost, before or during a wait.
func TestNotifierWake(t *testing.T) {
	s := tempStore(t, Options{})
	for name, n := range map[string]notifier{"the system's": newNotifier(s.path, defaultMode), "polling": newPoller(s.path, defaultMode)} {
		t.Run(name, func(t *testing.T) {
			defer n.close()
			for range 100 {
				n.wake() // before or during the wait
				done := background(func() error { n.wait(time.Hour); return nil })
				require.NoError(t, wait(t, done, "the end of the wait"))
				done = background(func() error { n.wait(time.Hour); return nil })
				n.wake()
				require.NoError(t, wait(t, done, "the end of the wait"))
			}
		})
	}
}
