//go:build unix

package filekv_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// fire reports which value a child saw and when its watch fired.
type fire struct {
	Value int64
	At    time.Duration
}

// watchAndTell watches a key and reports each change.
func watchAndTell(c *childSide) error {
	db, err := c.open()
	if err != nil {
		return err
	}
	ctx := context.Background()
	var word string
	if err := c.ready(&word); err != nil {
		return err
	}
	for {
		var value int64
		w, err := kv.Transact(ctx, db, func(tr kv.Transaction) (kv.Watch, error) {
			var err error
			value, err = count(tr.Get([]byte("k")))
			return tr.Watch([]byte("k")), err
		})
		if err != nil {
			return err
		}
		if err := c.out.Encode(fire{value, 0}); err != nil {
			return err
		}
		<-w.Done()
		if err := w.Err(); err != nil {
			return err
		}
		if err := c.out.Encode(fire{value, clock.Monotonic()}); err != nil {
			return err
		}
	}
}

// TestWatchAcrossProcesses: a watch fires in another process. The test logs the delay
// but does not check it.
func TestWatchAcrossProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db, err := filekv.Open(path, filekv.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c := spawn(t, "watch", path)
	c.await()
	c.send("go")
	var fromStart, fromAck []time.Duration
	changes := 300
	if text := os.Getenv("FILEKV_WATCH_CHANGES"); text != "" {
		changes, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	for i := range changes {
		var armed, fired fire
		c.receive(&armed)
		require.Equal(t, int64(i), armed.Value)
		start := clock.Monotonic()
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Set([]byte("k"), []byte(strconv.Itoa(i+1)))
			return nil
		}))
		ack := clock.Monotonic()
		c.receive(&fired)
		fromStart = append(fromStart, fired.At-start)
		fromAck = append(fromAck, fired.At-ack)
	}
	t.Logf("%d changes: since the start of the commit %s; since its acknowledgement %s",
		changes, percentiles(fromStart), percentiles(fromAck))
}
