package memkv

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestClientOptions checks that a client may have its own clock, sleep and jitter,
// while versions follow the clock of the database.
func TestClientOptions(t *testing.T) {
	shared, own := newTestClock(), newTestClock()
	db := New(shared.options())
	var slept []time.Duration
	c := db.NewClient("c", ClientOptions{
		Now:    func() time.Time { return own.now },
		Sleep:  func(ctx context.Context, d time.Duration) error { slept = append(slept, d); return ctx.Err() },
		Jitter: func() float64 { return 0.25 },
	})
	version := db.Version()
	tr := begin(t, c)
	tr.SetTimeout(time.Minute)
	require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
	require.Equal(t, []time.Duration{2500 * time.Microsecond}, slept)
	shared.pass(time.Hour)
	require.Equal(t, "(none)", mustGet(t, tr, "k"), "the client does not use the clock of the database")
	require.Greater(t, db.Version(), version)
	own.pass(time.Hour)
	_, err := tr.Get([]byte("k")).Get()
	require.Equal(t, kv.CodeTransactionTimedOut, kv.CodeOf(err))
}

// TestRealSleep checks that a sleep ends after its time or with the context.
func TestRealSleep(t *testing.T) {
	db := New(Options{})
	require.NoError(t, db.opts.Sleep(t.Context(), time.Microsecond))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, db.opts.Sleep(ctx, time.Hour), context.Canceled)
	for range 100 {
		j := db.opts.Jitter()
		require.True(t, j >= 0 && j < 1)
	}
}

// TestKindNames checks the text of each CallKind.
func TestKindNames(t *testing.T) {
	require.Equal(t, []string{"unknown call", "read version", "read", "commit", "watch"}, []string{
		CallKind(0).String(), CallReadVersion.String(), CallRead.String(), CallCommit.String(), CallWatch.String(),
	})
}

// TestSizeLimitOption checks that Options.SizeLimit limits transactions.
func TestSizeLimitOption(t *testing.T) {
	opts := newTestClock().options()
	opts.SizeLimit = 1000
	db := New(opts)
	put(t, db, "k", strings.Repeat("v", 900))
	tr := begin(t, db)
	tr.Set([]byte("k"), make([]byte, 1000))
	require.Equal(t, kv.CodeTransactionTooLarge, kv.CodeOf(tr.Commit()))
}
