package probe_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/probe"
)

// served returns a check of a path of a server with these handlers.
func served(t *testing.T, path string, handlers map[string]http.HandlerFunc) probe.Check {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, handler := range handlers {
		mux.HandleFunc(pattern, handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	check, err := probe.HTTP(server.URL + path)
	require.NoError(t, err)
	return check
}

// The statuses 200 to 399 mean ready. The last line of another answer is part of the reason.
func TestHTTPStatus(t *testing.T) {
	t.Parallel()
	for status, reason := range map[int]string{
		200: "", 204: "", 304: "", 399: "",
		400: "HTTP status 400 Bad Request: why",
		404: "HTTP status 404 Not Found: why",
		503: "HTTP status 503 Service Unavailable: why",
		599: "HTTP status 599 : why",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			check := served(t, "/ready?deep=1", map[string]http.HandlerFunc{"GET /ready": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery != "deep=1" {
					status = http.StatusTeapot
				}
				w.WriteHeader(status)
				if status >= 400 {
					_, _ = fmt.Fprint(w, "not now\nwhy\n")
				}
			}})
			if err := check(t.Context()); reason == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, reason)
			}
		})
	}
}

// An answer from outside cannot steer a terminal, and only its begin is read.
func TestHTTPHostileAnswer(t *testing.T) {
	t.Parallel()
	check := served(t, "/", map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprint(w, "\x1b[2Jclear")
	}})
	require.EqualError(t, check(t.Context()), `HTTP status 500 Internal Server Error: "\x1b[2Jclear"`)

	check = served(t, "/", map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for { // until the client hangs up
			if _, err := fmt.Fprintln(w, strings.Repeat("x", 1<<10)); err != nil {
				return
			}
		}
	}})
	err := check(t.Context())
	require.ErrorContains(t, err, "HTTP status 500 Internal Server Error: xxx")
	require.Less(t, len(err.Error()), 300)
}

// Redirects are followed on the same host only. A redirect to another host is the answer.
func TestHTTPRedirects(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.HandlerFunc{
		"/here":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/broken", http.StatusFound) },
		"/broken":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"/forever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/forever", http.StatusFound) },
		"/away": func(w http.ResponseWriter, r *http.Request) {
			_, port, _ := net.SplitHostPort(r.Host)
			http.Redirect(w, r, "http://localhost:"+port+"/broken", http.StatusFound)
		},
	}
	require.EqualError(t, served(t, "/here", handlers)(t.Context()), "HTTP status 503 Service Unavailable")
	require.EqualError(t, served(t, "/forever", handlers)(t.Context()), "more than 10 redirects")
	require.NoError(t, served(t, "/away", handlers)(t.Context()))
}

// A server that accepts the connection and does not answer, or not completely, is not ready.
func TestHTTPHangs(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(http.ResponseWriter){
		"before the answer": func(http.ResponseWriter) {},
		"in the body": func(w http.ResponseWriter) {
			_, _ = fmt.Fprintln(w, "ok")
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{})
			check := served(t, "/", map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				close(arrived)
				<-r.Context().Done()
			}})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-arrived
				cancel()
			}()
			require.EqualError(t, check(ctx), "there was no complete answer in time")
		})
	}
}

// A certificate that this machine does not trust is a failure.
func TestHTTPSCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	check, err := probe.HTTP(server.URL)
	require.NoError(t, err)
	require.ErrorContains(t, check(t.Context()), "failed to verify certificate")
}

// The reason does not contain the URL. Others may read it, and the URL may have a password.
func TestHTTPReasonHasNoURL(t *testing.T) {
	t.Parallel()
	check, err := probe.HTTP("http://user:secret@127.0.0.1:1/?token=secret") // nothing listens on that port
	require.NoError(t, err)
	err = check(t.Context())
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "secret")
	require.NotErrorAs(t, err, new(*url.Error))
}

// A URL that cannot work is refused at the start, and a password in it is not repeated.
func TestHTTPRefusesURLs(t *testing.T) {
	t.Parallel()
	for target, problem := range map[string]string{
		"":                            "begin it with http:// or https://",
		"localhost:8080/ready":        "begin it with http:// or https://",
		"localhost/ready":             "begin it with http:// or https://",
		"ftp://host/ready":            "ftp://host/ready is not an HTTP URL; begin it",
		"ftp://me:secret@host/":       "ftp://me:xxxxx@host/ is not an HTTP URL",
		"file:///etc/passwd":          "begin it with http:// or https://",
		"http://":                     "names no host",
		"https:///ready":              "names no host",
		"http://:8080/":               "names no host",
		"http://me:secret@host:port/": "is not a URL: ",
		"http://host/%zz":             "is not a URL: ",
		"http://host/\x1b[2J":         "is not a URL: ",
		"http://me:secret%zz@host/":   "is not a URL: ",
		"http://host\u202e/":          "",
	} {
		_, err := probe.HTTP(target)
		if problem == "" {
			require.NoError(t, err, "%q", target)
			continue
		}
		require.ErrorContains(t, err, problem, "%q", target)
		require.NotContains(t, err.Error(), "secret", target)
		require.NotContains(t, err.Error(), "\x1b", target)
	}
}
