package serve

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/web"
)

// Nothing can be steered, whatever the path is.
func TestOnlyReads(t *testing.T) {
	h := handler(clitest.NewManual(t).Database)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "X"} {
		for _, path := range []string{"/", "/election", "/api/v1/list", "/metrics", "/livez", "/page/style.css", "/other"} {
			r := httptest.NewRequest(method, path, http.NoBody)
			r.Host = "127.0.0.1"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
			require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		}
	}
}

// A request with a body is refused at once. The server would wait for the rest of the body before it
// answers, in a stream without end.
func TestNoBodies(t *testing.T) {
	l, err := web.Listen(t.Context(), "127.0.0.1:0", maxConnections)
	require.NoError(t, err)
	t.Cleanup(web.Serve(l, handler(clitest.NewManual(t).Database), slog.New(slog.DiscardHandler)))
	for _, body := range []string{"Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"} {
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
		_, err = fmt.Fprint(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n"+body)
		require.NoError(t, err)
		line, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 400 Bad Request\r\n", line)
		require.NoError(t, conn.Close())
	}
}

// Without a token, a web page of another host cannot read through the browser of a user who
// can: its requests name that host.
func TestLocalOnly(t *testing.T) {
	db := clitest.NewManual(t).Database
	for _, local := range []bool{true, false} {
		h := handler(db, func(o *Options) { o.LocalOnly = local })
		for host, here := range map[string]bool{
			"localhost": true, "LOCALHOST:8300": true, "127.0.0.1:8300": true, "127.9.9.9": true, "[::1]:8300": true, "[::1]": true,
			"evil.example": false, "evil.example:8300": false, "localhost.evil.example": false, "10.0.0.1": false, "0.0.0.0": false, "": false, "127.0.0.1.evil.example": false,
		} {
			for _, path := range []string{"/", "/api/v1/list", "/metrics"} {
				r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
				r.Host = host
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				want := http.StatusOK
				if local && !here {
					want = http.StatusMisdirectedRequest
				}
				require.Equal(t, want, w.Code, "%s of %q, local only: %t", path, host, local)
			}
		}
	}
}

// With a token file, everything that tells of elections needs a token. The files of the page
// and the probes do not.
func TestTokens(t *testing.T) {
	h := handler(clitest.NewManual(t).Database, func(o *Options) {
		o.Authorized = func(token string) bool { return token == "right" }
	})
	d := readDescription(t)
	for _, path := range []string{"/api/v1/list", "/api/v1/status", "/api/v1/candidates", "/api/v1/history", "/api/v1/stream", "/metrics"} {
		for _, header := range []string{"", "right", "Bearer", "Bearer wrong", "Bearer right x", "Basic right"} {
			w := get(h, path+"?election=default", "Authorization", header)
			require.Equal(t, http.StatusUnauthorized, w.Code, "%s with %q", path, header)
			require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			if path != "/metrics" {
				d.requireDescribed(t, path, w)
			}
		}
		if path != "/api/v1/stream" { // it does not end
			require.Equal(t, http.StatusOK, get(h, path+"?election=default", "Authorization", "bearer  right ").Code, path)
		}
	}
	for _, path := range []string{"/", "/election?name=x", "/api/v1/openapi.json", "/livez", "/readyz"} {
		require.Equal(t, http.StatusOK, get(h, path).Code, path)
	}
}

// The probe does not tell a client without a token what is wrong with the store, which has its name
// and its path.
func TestReadyzKeepsSecrets(t *testing.T) {
	store := &away{Database: clitest.NewManual(t).Database}
	store.down.Store(true)
	for _, secret := range []bool{true, false} {
		w := get(handler(store, func(o *Options) {
			if secret {
				o.Authorized = func(token string) bool { return token == "right" }
			}
		}), "/readyz")
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, !secret, strings.Contains(w.Body.String(), "the disk is on"))
	}
}

// Every answer has the headers that keep a browser from doing anything else.
func TestHeaders(t *testing.T) {
	h := handler(clitest.NewManual(t).Database)
	for _, path := range []string{"/", "/api/v1/list", "/api/v1/nothing", "/page/nothing.js", "/nothing", "/metrics"} {
		w := get(h, path)
		require.Equal(t, policy, w.Header().Get("Content-Security-Policy"), path)
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	}
	for _, word := range []string{"unsafe", "*", "http:", "https:", "data:"} {
		require.NotContains(t, policy, word)
	}
}

// Files have a tag and a type, and no path leads out of their folder.
func TestFiles(t *testing.T) {
	h := handler(clitest.NewManual(t).Database)
	w := get(h, "/")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	tag := w.Header().Get("ETag")
	again := get(h, "/election?name=x", "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, again.Code)
	require.Empty(t, again.Body.String())
	entries, err := files.ReadDir("page")
	require.NoError(t, err)
	for _, e := range entries {
		w := get(h, "/page/"+e.Name())
		require.Equal(t, http.StatusOK, w.Code, e.Name())
		if strings.HasSuffix(e.Name(), ".js") {
			require.Equal(t, "text/javascript; charset=utf-8", w.Header().Get("Content-Type"))
		}
	}
	for _, path := range []string{"/page/", "/page/none.js", "/page/..%2fopenapi.json", "/page/a%00b"} {
		require.Equal(t, http.StatusNotFound, get(h, path).Code, path)
	}
}

// A page that is served has no inline script and no other host, as the policy demands.
func TestPageKeepsThePolicy(t *testing.T) {
	entries, err := files.ReadDir("page")
	require.NoError(t, err)
	for _, e := range entries {
		text, err := files.ReadFile("page/" + e.Name())
		require.NoError(t, err)
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://", " style=\"", "onclick=", "<style"} {
			require.NotContains(t, string(text), bad, e.Name())
		}
	}
}
