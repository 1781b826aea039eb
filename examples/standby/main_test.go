package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/examples/internal/check"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestRun: the program prints what README.md shows.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	check.Readme(t, out.String())
}

// peer is a replica in a test, without a network.
type peer struct {
	*replica
	t    *testing.T
	stop func() // asks it to leave
	end  chan error
}

func join(t *testing.T, db *memkv.DB, id string) *peer {
	t.Helper()
	r, err := newReplica(db.NewClient(id, memkv.ClientOptions{}), elector.Options{
		NodeID: id, Clock: check.Clock{}, Metadata: map[string]string{"url": "http://" + id},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	p := &peer{replica: r, t: t, stop: cancel, end: make(chan error, 1)}
	go func() { p.end <- r.run(ctx) }()
	synctest.Wait()
	return p
}

// answers requires an answer to a request.
func (p *peer) answers(method, path, body string, status int, text string) {
	p.t.Helper()
	w := httptest.NewRecorder()
	p.handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	require.Equal(p.t, status, w.Code, "%s", w.Body)
	require.Equal(p.t, text, strings.TrimSpace(w.Body.String()+w.Header().Get("Location")))
}

func (p *peer) leaves() {
	p.t.Helper()
	p.stop()
	require.NoError(p.t, <-p.end)
	synctest.Wait()
}

// gate holds the calls of a client that match, until it is opened.
type gate struct {
	closed atomic.Bool
	opens  chan struct{}
}

func (g *gate) hooks(client string, matches func(*memkv.Call) bool) *memkv.Hooks {
	g.opens = make(chan struct{})
	return &memkv.Hooks{Before: func(ctx context.Context, c *memkv.Call) error {
		if !g.closed.Load() || c.Client != client || !matches(c) {
			return nil
		}
		select {
		case <-g.opens:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// TestPromotion: a standby whose copy is behind is promoted. It takes no write before it has caught up.
func TestPromotion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		db := memkv.New(memkv.Options{Hooks: g.hooks("b", func(c *memkv.Call) bool {
			return c.Kind == memkv.CallRead && bytes.HasPrefix(c.Reads[0].Key, space.Sub("entries").Bytes())
		})})
		a, b := join(t, db, "a"), join(t, db, "b")
		b.answers("GET", "/readyz", "", http.StatusOK, "standby, 0 entries")
		g.closed.Store(true)
		a.answers("POST", "/entries", "Ada", http.StatusCreated, "a has written entry 0")
		a.answers("POST", "/entries", "Grace", http.StatusCreated, "a has written entry 1")
		b.answers("POST", "/entries", "Barbara", http.StatusTemporaryRedirect, "http://a/entries")
		a.leaves()

		require.True(t, b.Leading())
		b.answers("GET", "/readyz", "", http.StatusServiceUnavailable, "in promotion, catching up")
		b.answers("GET", "/entries", "", http.StatusOK, "")
		b.answers("POST", "/entries", "Barbara", http.StatusServiceUnavailable, errClosed.Error())

		close(g.opens)
		synctest.Wait()
		b.answers("GET", "/readyz", "", http.StatusOK, "primary in term 2, 2 entries")
		b.answers("POST", "/entries", "Barbara", http.StatusCreated, "b has written entry 2")
		b.answers("GET", "/entries", "", http.StatusOK, "Ada, Grace, Barbara")
		b.leaves()
	})
}

// TestDemotion: a primary that stops finishes the write that runs, and takes no further one. The standby
// is promoted after that.
func TestDemotion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		db := memkv.New(memkv.Options{Hooks: g.hooks("a", func(c *memkv.Call) bool {
			return check.Sets(c, entryKey(0))
		})})
		a, b := join(t, db, "a"), join(t, db, "b")
		g.closed.Store(true)
		written := make(chan error, 1)
		go func() {
			_, err := a.write(t.Context(), "Ada")
			written <- err
		}()
		synctest.Wait()
		a.stop()
		synctest.Wait()
		require.False(t, a.Leading())
		require.False(t, b.Leading(), "leadership was released before the write has ended")
		require.Empty(t, written)

		close(g.opens)
		require.NoError(t, <-written)
		require.NoError(t, <-a.end)
		synctest.Wait()
		a.answers("POST", "/entries", "Grace", http.StatusServiceUnavailable, errClosed.Error())
		b.answers("GET", "/readyz", "", http.StatusOK, "primary in term 2, 1 entries")
		b.leaves()
	})
}

// TestAnUnknownWrite: the result of a write is not known, and the entry is there. The primary does not
// use its number again.
func TestAnUnknownWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Bool
		db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{After: func(_ context.Context, c *memkv.Call) error {
			if !check.Sets(c, entryKey(0)) || lost.Swap(true) {
				return nil
			}
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}}})
		a := join(t, db, "a")
		a.answers("POST", "/entries", "Ada", http.StatusInternalServerError, "operation aborted because the transaction timed out (1031)")
		a.answers("POST", "/entries", "Grace", http.StatusServiceUnavailable, errClosed.Error())
		time.Sleep(time.Minute) // virtual: it claims again after a heartbeat
		a.answers("GET", "/readyz", "", http.StatusOK, "primary in term 2, 1 entries")
		a.answers("POST", "/entries", "Grace", http.StatusCreated, "a has written entry 1")
		a.answers("GET", "/entries", "", http.StatusOK, "Ada, Grace")
		a.leaves()
	})
}

// TestALateWrite: a write of the last primary arrives after its number was used again. It is refused.
func TestALateWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks, late := check.LateWrite(entryKey(0))
		db := memkv.New(memkv.Options{Hooks: hooks})
		a, b := join(t, db, "a"), join(t, db, "b")
		_, err := a.write(t.Context(), "Ada")
		require.Equal(t, kv.Unsettled, kv.OutcomeOf(err))
		synctest.Wait()
		b.answers("POST", "/entries", "Grace", http.StatusCreated, "b has written entry 0")

		_, err = check.Next(t, late).Land()
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(err))
		c := join(t, db, "c")
		c.answers("GET", "/entries", "", http.StatusOK, "Grace")
		a.leaves()
		b.leaves()
		c.leaves()
	})
}
