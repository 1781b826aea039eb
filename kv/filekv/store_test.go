//go:build unix

package filekv

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// patience is how long a test waits for something that should happen immediately.
const patience = 20 * time.Second

// stillClock is a clock that moves only when a test moves it.
type stillClock struct {
	mu  sync.Mutex
	now time.Time
}

func newStillClock() *stillClock {
	return &stillClock{now: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)}
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stillClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openStore opens a store for a test.
func openStore(t testing.TB, path string, opts Options) *store {
	t.Helper()
	db, err := Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db.store
}

// tempStore opens a new store.
func tempStore(t testing.TB, opts Options) *store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "store"), opts)
}

// keyRange returns the range of one key.
func keyRange(key string) client.Range {
	return client.Range{Begin: []byte(key), End: []byte(key + "\x00")}
}

// setting returns a commit that sets a key.
func setting(key, value string) *client.Commit {
	return &client.Commit{
		WriteConflicts: []client.Range{keyRange(key)},
		Mutations:      []client.Mutation{{Kind: client.MutationSet, Key: []byte(key), Value: []byte(value)}},
	}
}

// put commits a value and returns the version.
func put(t testing.TB, s *store, key, value string) int64 {
	t.Helper()
	result, err := s.Commit(t.Context(), setting(key, value))
	require.NoError(t, err)
	return result.Version
}

// get reads a key at a version, or at the newest if it is 0. It returns the value and
// the version.
func get(t testing.TB, s *store, key string, version int64) (string, int64) {
	t.Helper()
	r := &client.Read{Key: []byte(key)}
	version, err := s.Read(t.Context(), version, []*client.Read{r})
	require.NoError(t, err)
	if r.Value == nil {
		return "(absent)", version
	}
	return string(r.Value), version
}

// wait waits for an event.
func wait[T any](t testing.TB, event <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-event:
		return v
	case <-time.After(patience):
		require.FailNow(t, "timed out after "+patience.String(), what)
		panic("not reached")
	}
}

// background runs f in a goroutine and returns a channel for its error.
func background(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// requireError fails unless err is a kv.Error with this code and outcome that names
// the store.
func requireError(t testing.TB, err error, s *store, code int, outcome kv.Outcome) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, kv.CodeOf(err), "%v", err)
	require.Equal(t, outcome, kv.OutcomeOf(err), "%v", err)
	require.Contains(t, err.Error(), s.path)
}

// cancellable returns a context that the test can cancel.
func cancellable(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
