package monitor_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
)

// answer returns the status and the body that a handler answers.
func answer(h http.Handler, method string) (status int, body string) {
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest(method, "/", http.NoBody))
	return r.Code, r.Body.String()
}

func requireStatus(t *testing.T, h http.Handler, status int, text string) {
	t.Helper()
	got, body := answer(h, http.MethodGet)
	require.Equal(t, status, got, body)
	require.Contains(t, body, text)
}

// The probes of a leader, a standby, and processes that have not started or have stopped.
func TestProbes(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start("orders", "a"), w.start("orders", "b")
		idle, err := elector.New(w.db, election.New(w.root.Sub("orders")), elector.Options{NodeID: "idle", Clock: virtual{}})
		require.NoError(t, err)

		for _, el := range []*elector.Elector{a, b} {
			requireStatus(t, monitor.Livez(el), 200, "ok\n")
			requireStatus(t, monitor.Readyz(el), 200, "ok\n")
		}
		requireStatus(t, monitor.Leaderz(a), 200, "ok\n")
		requireStatus(t, monitor.Leaderz(b), 503, "not the leader")
		requireStatus(t, monitor.Livez(idle), 200, "ok")
		requireStatus(t, monitor.Readyz(idle), 503, "idle: elector is not running")
		requireStatus(t, monitor.Readyz(a, idle), 503, "idle: ")
		requireStatus(t, monitor.Leaderz(idle), 503, "")

		require.NoError(t, a.Stop(w.Context()))
		synctest.Wait()
		requireStatus(t, monitor.Livez(a), 200, "")
		requireStatus(t, monitor.Readyz(a), 503, "")
		requireStatus(t, monitor.Leaderz(a), 503, "")
		requireStatus(t, monitor.Leaderz(b), 200, "")
		w.start("orders", "b")
		twin := w.start("orders", "b")
		time.Sleep(20 * time.Second)
		requireStatus(t, monitor.Livez(twin), 503, "stopped by itself")
		requireStatus(t, monitor.Livez(b, twin), 503, "b: ")
	})
}

// The probes of members: one that leads, one that is not ready, one that leaves, and a router. A
// process may have electors as well.
func TestProbesOfMembers(t *testing.T) {
	inWorld(t, func(w *world) {
		makeGroup(w, w.db, w.root.Sub("jobs"), 4)
		el := w.start("orders", "el")
		a := w.joins("jobs", "a")
		cold := w.joins("jobs", "cold", func(o *member.Options) {
			o.Ready = func(context.Context) error { return errors.New("cold \x1b[2J") }
		})
		requireStatus(t, monitor.Livez(el, a, cold), 200, "ok\n")
		requireStatus(t, monitor.Readyz(a), 503, "a: not ready to lead: it has just joined\n")
		sleep(10 * time.Second)
		requireStatus(t, monitor.Readyz(el, a), 200, "ok\n")
		requireStatus(t, monitor.Readyz(el, a, cold), 503, `cold: not ready to lead: "cold \x1b[2J"`+"\n")

		router, err := member.New(w.db, group.New(w.root.Sub("jobs")), member.Options{ID: "router", Clock: virtual{}})
		require.NoError(t, err)
		requireStatus(t, monitor.Livez(router), 200, "ok\n")
		requireStatus(t, monitor.Readyz(router), 503, "router: the member is not running")
		require.NoError(t, router.Observe(w.Context()))
		require.NoError(t, router.WaitSynced(w.Context()))
		requireStatus(t, monitor.Readyz(router), 200, "ok\n")
		require.NoError(t, router.Stop(w.Context()))

		twin := w.joins("jobs", "a")
		sleep(20 * time.Second)
		for _, probe := range []http.Handler{monitor.Livez(a, twin), monitor.Readyz(a, twin)} {
			requireStatus(t, probe, 503, "a: elector has stopped by itself")
		}
	})
}

// A participant of another type, such as one of a test, has the name of its type.
func TestProbesOfAnotherParticipant(t *testing.T) {
	requireStatus(t, monitor.Livez(broken{}), 503, "monitor_test.broken: worn out\n")
}

type broken struct{}

func (broken) Health(context.Context) error    { return errors.New("worn out") }
func (broken) Readiness(context.Context) error { return nil }

// A process that is not ready is alive. The reason is safe to print.
func TestProbesOfAProcessThatIsNotReady(t *testing.T) {
	inWorld(t, func(w *world) {
		el := w.start("orders", "a", func(o *elector.Options) {
			o.Ready = func(context.Context) error { return errors.New("cold \x1b[2J") }
		})
		time.Sleep(time.Second)
		requireStatus(t, monitor.Livez(el), 200, "")
		requireStatus(t, monitor.Readyz(el), 503, `a: not ready to lead: `)
		_, body := answer(monitor.Readyz(el), http.MethodGet)
		require.NotContains(t, body, "\x1b")
		require.Equal(t, 1, strings.Count(body, "\n"))
	})
}

// A leader that cannot renew is not alive, and the error of the store is safe to print.
func TestProbesOfALeaderThatCannotRenew(t *testing.T) {
	inWorld(t, func(w *world) {
		var cut atomic.Bool
		w.db = memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(context.Context, *memkv.Call) error {
			if cut.Load() {
				return errors.New("no\x1b[2J route\nto host")
			}
			return nil
		}}})
		el := w.start("orders", "a")
		requireStatus(t, monitor.Livez(el), 200, "")
		cut.Store(true)
		time.Sleep(6 * time.Second)
		requireStatus(t, monitor.Leaderz(el), 200, "")
		for _, probe := range []http.Handler{monitor.Livez(el), monitor.Readyz(el)} {
			requireStatus(t, probe, 503, "leader cannot renew its lease")
			_, body := answer(probe, http.MethodGet)
			require.Contains(t, body, "route")
			require.NotContains(t, body, "\x1b")
		}
	})
}

// The probes answer GET and HEAD only, and nothing may keep or interpret the answer.
func TestProbesOverHTTP(t *testing.T) {
	inWorld(t, func(w *world) {
		h := monitor.Leaderz(w.start("orders", "a"))
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			status, _ := answer(h, method)
			require.Equal(t, 200, status, method)
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "X"} {
			status, body := answer(h, method)
			require.Equal(t, 405, status, method)
			require.Empty(t, body)
		}
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		require.Equal(t, "no-store", r.Header().Get("Cache-Control"))
		require.Equal(t, "nosniff", r.Header().Get("X-Content-Type-Options"))
		require.Equal(t, "text/plain; charset=utf-8", r.Header().Get("Content-Type"))
	})
}
