package web

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A port alone is on this host only.
func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"9100": "127.0.0.1:9100", ":9100": "127.0.0.1:9100", "0": "127.0.0.1:0", "0.0.0.0:80": "0.0.0.0:80",
		"[::]:9100": "[::]:9100", "localhost:9100": "localhost:9100",
	} {
		got, err := Address(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "x", ":", "host:", "70000", "-1", "1.2.3.4", "::1", "a:b:c", "localhost:http", "1\x1b"} {
		_, err := Address(text)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "\x1b")
	}
}

const maxConnections = 64

// serve serves a handler and returns its address.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0", maxConnections)
	require.NoError(t, err)
	t.Cleanup(Serve(l, h, slog.New(slog.DiscardHandler)))
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	return conn
}

// get returns the status of a request on an open connection, which stays open.
func get(t *testing.T, conn net.Conn, header string) int {
	t.Helper()
	_, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", header)
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	return answer.StatusCode
}

// Connections above the limit are closed, and a closed one makes room.
func TestConnectionsAreLimited(t *testing.T) {
	address := serve(t, func(http.ResponseWriter, *http.Request) {})
	open := make([]net.Conn, maxConnections)
	for i := range open {
		open[i] = dial(t, address)
		require.Equal(t, 200, get(t, open[i], ""))
	}
	_, err := dial(t, address).Read(make([]byte, 1))
	require.Error(t, err, "it is closed")
	require.NoError(t, open[0].Close())
	for range 1000 { // until the server has seen it
		conn := dial(t, address)
		if _, err := fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			continue
		}
		if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			require.Equal(t, 200, answer.StatusCode)
			return
		}
	}
	require.Fail(t, "a closed connection made no room")
}

// Headers and bodies are limited.
func TestSizesAreLimited(t *testing.T) {
	read := make(chan error, 1)
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})
	conn := dial(t, address)
	_, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 2*maxHeaderBytes))
	require.NoError(t, err)
	if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil { // or it is cut off before
		require.Equal(t, 431, answer.StatusCode)
		require.NoError(t, answer.Body.Close())
	}
	require.Empty(t, read, "the handler was not called")
	answer, err := http.Post("http://"+address, "text/plain", strings.NewReader(strings.Repeat("x", 2*maxBodyBytes))) //nolint:noctx // it ends with the test
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.ErrorContains(t, <-read, "too large")
}

// A port that is in use is an error, and stop frees it.
func TestListenAgain(t *testing.T) {
	first, err := Listen(t.Context(), "127.0.0.1:0", maxConnections)
	require.NoError(t, err)
	stop := Serve(first, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	_, err = Listen(t.Context(), first.Addr().String(), 1)
	require.ErrorContains(t, err, "cannot serve HTTP: ")
	stop()
	second, err := Listen(t.Context(), first.Addr().String(), 1)
	require.NoError(t, err)
	require.NoError(t, second.Close())
}

// The URL in the log has the host that the user named, and the port in use.
func TestURL(t *testing.T) {
	for asked, want := range map[string]string{
		"127.0.0.1:0": "http://127.0.0.1:42/", "0.0.0.0:0": "http://0.0.0.0:42/", "[::]:0": "http://[::]:42/", "localhost:42": "http://localhost:42/",
	} {
		require.Equal(t, want, URL("http", asked, &net.TCPAddr{IP: net.IPv6unspecified, Port: 42}), asked)
	}
}
