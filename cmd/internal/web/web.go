// Package web serves HTTP for the subcommands: with limits on connections, sizes and times, so
// that no client can cost more than its share.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

const (
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 4 << 10

	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
)

// Address returns the host and port to listen on. Without a host it is this host alone
// (127.0.0.1). To listen on all addresses, the user has to say so, as in 0.0.0.0:9100.
func Address(text string) (string, error) {
	host, port := "", text
	if strings.Contains(text, ":") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return "", fmt.Errorf("%s is not an address: use PORT or HOST:PORT, as in 9100 or 0.0.0.0:9100", election.SafeText(text))
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%s has no port from 0 to 65535: use PORT or HOST:PORT, as in 9100 or 0.0.0.0:9100", election.SafeText(text))
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Listen listens on the result of Address. It closes connections above the limit at once.
func Listen(ctx context.Context, address string, connections int) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve HTTP: %w", err)
	}
	return &limited{Listener: l, free: make(chan struct{}, connections)}, nil
}

// Serve answers requests until stop is called. stop ends running requests and returns when
// the server has ended.
func Serve(l net.Listener, h http.Handler, log *slog.Logger) (stop func()) {
	server := &http.Server{
		Handler: http.MaxBytesHandler(h, maxBodyBytes), MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // of single connections
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("HTTP is not served any more", "error", err)
		}
	}()
	return func() {
		_ = server.Close() // nothing is lost
		<-ended
	}
}

// limited is a listener that closes connections above a limit at once.
type limited struct {
	net.Listener
	free chan struct{} // has an element for each open connection
}

// Accept returns the next connection within the limit.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.free <- struct{}{}:
			return &counted{Conn: conn, release: sync.OnceFunc(func() { <-l.free })}, nil
		default:
			_ = conn.Close() // the client tries again
		}
	}
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (c *counted) Close() error {
	defer c.release()
	return c.Conn.Close()
}
