package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/examples/internal/check"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestRun: the program prints what README.md shows.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	check.Readme(t, out.String())
}

// TestALateRow: the result of a write is not known, so its worker gives the shard up. Another worker
// writes that row again. After that the first write arrives. It is refused.
func TestALateRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hooks, late := check.LateWrite(rowKey("s1", 3))
		db := memkv.New(memkv.Options{Hooks: hooks})
		require.NoError(t, create(ctx, db, "s1", "s2"))
		ended := make(chan error, 2)
		for _, id := range []string{"a", "b"} {
			w, err := newWorker(db, member.Options{ID: id, Clock: check.Clock{}})
			require.NoError(t, err)
			go func() { ended <- w.Run(ctx, w.work) }()
			time.Sleep(100 * time.Millisecond) // virtual. a leads both shards before b is ready
		}
		time.Sleep(2800 * time.Millisecond) // virtual. After five seconds the late write would be too old
		rows, err := readJournal(ctx, db, "s1")
		require.NoError(t, err)
		require.Greater(t, len(rows), 100)
		require.Equal(t, []uint64{1, 1, 1, 2}, []uint64{rows[0].term, rows[1].term, rows[2].term, rows[3].term})
		require.NotEqual(t, rows[0].id, rows[3].id)

		_, err = check.Next(t, late).Land()
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(err))
		again, err := readJournal(ctx, db, "s1")
		require.NoError(t, err)
		require.Equal(t, rows, again)
		other, err := readJournal(ctx, db, "s2")
		require.NoError(t, err)
		require.Equal(t, uint64(1), other[len(other)-1].term, "the other shard has stayed with its worker")
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
	})
}
