//go:build unix

package filekv

import (
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// notifiers holds the ways to wait for signals.
var notifiers = map[string]func(path string, mode os.FileMode) notifier{
	"the system's": newNotifier,
	"polling":      func(path string, mode os.FileMode) notifier { return newPoller(path, mode) },
}

// countingNotifier counts how often it waits.
type countingNotifier struct {
	notifier
	waits *atomic.Int32
}

func (n countingNotifier) wait(d time.Duration) {
	n.waits.Add(1)
	n.notifier.wait(d)
}

// listener opens a store twice. The first handle watches by signals alone and counts
// its waits. The other one writes.
func listener(t *testing.T, open func(string, os.FileMode) notifier) (s, other *store, waits *atomic.Int32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	s, other, waits = openStore(t, path, Options{}), openStore(t, path, Options{}), &atomic.Int32{}
	s.watches.interval = time.Hour
	s.watches.open = func(path string, mode os.FileMode) notifier {
		return countingNotifier{open(path, mode), waits}
	}
	return s, other, waits
}

// otherKeys returns keys that do not share the signal file of key.
func otherKeys(key string, n int) []string {
	var keys []string
	for i := 0; len(keys) < n; i++ {
		other := "other/" + strconv.Itoa(i)
		if signalNumber([]byte(other)) != signalNumber([]byte(key)) {
			keys = append(keys, other)
		}
	}
	return keys
}

// awaitWaits waits until the watcher has waited atLeast times.
func awaitWaits(t *testing.T, waits *atomic.Int32, atLeast int32) {
	t.Helper()
	require.Eventually(t, func() bool { return waits.Load() >= atLeast }, patience, time.Millisecond)
}

// awaitArmed waits until the first watch of a store can fire only after a signal. The
// watcher checks the keys twice before that, because the registration wakes it.
func awaitArmed(t *testing.T, waits *atomic.Int32) {
	t.Helper()
	awaitWaits(t, waits, 2)
}

// TestSignalsWakeWatchersOfTheKey: a commit wakes the watchers of its keys and no
// others.
func TestSignalsWakeWatchersOfTheKey(t *testing.T) {
	for name, open := range notifiers {
		t.Run(name, func(t *testing.T) {
			s, other, waits := listener(t, open)
			fires := watchKey(t, s, "k", "")
			awaitArmed(t, waits)
			for _, key := range otherKeys("k", 40) {
				put(t, other, key, "v")
			}
			require.Empty(t, fires)
			require.LessOrEqual(t, waits.Load(), int32(3), "commits to other keys woke the watcher")
			put(t, other, "k", "v")
			require.NoError(t, wait(t, fires, "the watch"))
			require.LessOrEqual(t, waits.Load(), int32(5))
		})
	}
}

// TestSignalsOfAWatchThatIsOver: a change of a key without watches does not wake any
// process.
func TestSignalsOfAWatchThatIsOver(t *testing.T) {
	for name, open := range notifiers {
		t.Run(name, func(t *testing.T) {
			s, other, waits := listener(t, open)
			busy := otherKeys("k", 1)[0]
			fires := watchKey(t, s, busy, "")
			awaitArmed(t, waits)
			put(t, other, busy, "0")
			require.NoError(t, wait(t, fires, "the watch"))
			fires = watchKey(t, s, "k", "") // by now, the watcher does not follow the busy key any more
			put(t, other, "k", "v")
			require.NoError(t, wait(t, fires, "the watch"))
			before := waits.Load()
			last := watchKey(t, s, "k", "v")
			awaitWaits(t, waits, before+1)
			before = waits.Load()
			for i := range 20 {
				put(t, other, busy, strconv.Itoa(i))
			}
			require.Empty(t, last)
			require.LessOrEqual(t, waits.Load(), before+3)
		})
	}
}

// TestSignalsOfEveryMutation: every kind of mutation causes a signal.
func TestSignalsOfEveryMutation(t *testing.T) {
	for name, mutation := range map[string]client.Mutation{
		"a set":   {Kind: client.MutationSet, Key: []byte("k"), Value: []byte("new")},
		"a clear": {Kind: client.MutationClearRange, Key: []byte("a"), Value: []byte("z")},
		"a stamp": {Kind: client.MutationStampedValue, Key: []byte("k"), Value: make([]byte, client.StampSize)},
	} {
		t.Run(name, func(t *testing.T) {
			s, other, waits := listener(t, newNotifier)
			put(t, s, "k", "v")
			fires := watchKey(t, s, "k", "v")
			awaitArmed(t, waits)
			first := otherKeys("k", 1)[0]
			_, err := other.Commit(t.Context(), &client.Commit{
				WriteConflicts: []client.Range{keyRange(first), keyRange("k")},
				Mutations:      []client.Mutation{{Kind: client.MutationSet, Key: []byte(first)}, mutation},
			})
			require.NoError(t, err)
			require.NoError(t, wait(t, fires, "the watch"))
		})
	}
}

// TestSignalFilesRemoved: watchers create removed signal files again.
func TestSignalFilesRemoved(t *testing.T) {
	for name, open := range notifiers {
		t.Run(name, func(t *testing.T) {
			s, other, waits := listener(t, open)
			fires := watchKey(t, s, "k", "")
			awaitArmed(t, waits)
			files, err := filepath.Glob(s.path + signalSuffix + "/*")
			require.NoError(t, err)
			require.Len(t, files, 1)
			require.NoError(t, os.Remove(files[0]))
			require.Eventually(t, func() bool {
				_, err := os.Stat(files[0])
				return err == nil
			}, patience, time.Millisecond)
			put(t, other, "k", "v")
			require.NoError(t, wait(t, fires, "the watch"))
		})
	}
}

// TestSignalsAreOpenDuringTheCommit: a commit opens the signal files before it is
// written. If the process dies in between, the kernel closes them, which wakes the
// watchers.
func TestSignalsAreOpenDuringTheCommit(t *testing.T) {
	s := tempStore(t, Options{})
	require.NoError(t, createSignal(s.path, signalNumber([]byte("k")), defaultMode))
	a := &attempt{}
	s.afterWrite = func() error {
		require.Len(t, a.signals.files, 1)
		return nil
	}
	_, err := s.commit(a, setting("k", "v"))
	require.NoError(t, err)
	a.signals.send()
}

// TestWatchWithoutSignalFiles: watches fire even if the signal files cannot be created.
func TestWatchWithoutSignalFiles(t *testing.T) {
	for name, open := range notifiers {
		t.Run(name, func(t *testing.T) {
			s, other, waits := listener(t, open)
			require.NoError(t, os.WriteFile(s.path+signalSuffix, nil, 0o600))
			fires := watchKey(t, s, "k", "")
			awaitArmed(t, waits)
			put(t, other, "k", "v")
			require.NoError(t, wait(t, fires, "the watch"))
		})
	}
}

// TestSignalFileOfAnotherKind: a named pipe or a larger file in the place of a signal
// file does not block a commit and is not overwritten.
func TestSignalFileOfAnotherKind(t *testing.T) {
	s := tempStore(t, Options{})
	require.NoError(t, os.Mkdir(s.path+signalSuffix, 0o700))
	text := signalPath(s.path, signalNumber([]byte("text")))
	require.NoError(t, syscall.Mkfifo(signalPath(s.path, signalNumber([]byte("pipe"))), 0o600))
	require.NoError(t, os.WriteFile(text, []byte("something else"), 0o600))
	put(t, s, "pipe", "v")
	put(t, s, "text", "v")
	content, err := os.ReadFile(text)
	require.NoError(t, err)
	require.Equal(t, "something else", string(content))
}
