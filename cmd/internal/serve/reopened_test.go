package serve

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// hung is a store that answers only while it does not hang.
type hung struct{ away }

func (h *hung) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	for h.down.Load() {
		if err := clock.Sleep(ctx, clitest.Virtual{}, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return h.Database.ReadTransact(ctx, fn)
}

// TestTheEndDoesNotWaitForTheStore: a read that hangs ends with the command, and the store is not
// opened again afterwards.
func TestTheEndDoesNotWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hung{away{Database: memkv.New(memkv.Options{})}}
		opened := 0
		ctx, cancel := context.WithCancel(t.Context())
		r, err := newReopened(ctx, func(ctx context.Context) (kv.Database, io.Closer, error) {
			opened++
			return store, io.NopCloser(nil), ctx.Err()
		}, func(error) bool { return false })
		require.NoError(t, err)
		read := func() error {
			return r.ReadTransact(t.Context(), func(kv.ReadTransaction) error { return nil })
		}
		require.NoError(t, read())
		store.down.Store(true)
		ended := make(chan error)
		go func() { ended <- read() }()
		time.Sleep(time.Second)
		began := time.Now()
		cancel()
		require.Error(t, <-ended)
		r.end()
		require.Zero(t, time.Since(began))
		store.down.Store(false)
		require.Error(t, read())
		require.Equal(t, 1, opened)
	})
}

// TestStoreHangs: the page is told soon when a store that hung answers again, although reads that
// take long are rare.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hung{away{Database: clitest.NewManual(t).Database}}
		p := openPage(t, handler(store), "")
		time.Sleep(interval)
		p.next()
		store.down.Store(true)
		time.Sleep(12 * time.Second)
		require.Equal(t, []string{"store"}, names(p.next()))
		store.down.Store(false)
		time.Sleep(readLimit)
		all := p.next()
		require.Equal(t, []string{"store"}, names(all))
		require.True(t, decode[storeState](t, all[0]).OK)
		p.close()
		time.Sleep(slowness * readLimit) // until the loop has ended
	})
}

// TestReopened: a store is opened again after an error that no retry can fix, and only then. It is
// read again at once, one time.
func TestReopened(t *testing.T) {
	lasting, passing := errors.New("replaced"), errors.New("busy")
	opened := 0
	r, err := newReopened(t.Context(), func(context.Context) (kv.Database, io.Closer, error) {
		opened++
		return memkv.New(memkv.Options{}), io.NopCloser(nil), nil
	}, func(err error) bool { return errors.Is(err, lasting) })
	require.NoError(t, err)
	for _, fails := range []error{nil, passing, nil, lasting, nil} {
		require.ErrorIs(t, r.ReadTransact(t.Context(), func(kv.ReadTransaction) error { return fails }), fails)
	}
	require.Equal(t, 3, opened)
	reads := 0
	require.NoError(t, r.ReadTransact(t.Context(), func(kv.ReadTransaction) error {
		if reads++; reads == 1 {
			return lasting // it was replaced
		}
		return nil
	}))
	require.Equal(t, 2, reads)
	require.Equal(t, 4, opened)
}
