package web

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// recheck is how often files are checked for a change, at most.
const recheck = time.Second

// shortestToken is how many bytes a token has at least, so that it cannot be guessed.
const shortestToken = 16

// maxFileBytes limits what is read of a file.
const maxFileBytes = 1 << 20

// reloaded is a value that is read from files, and read again after they have changed. If that
// fails, the last value stays. It is safe for concurrent use.
type reloaded[T any] struct {
	names []string
	load  func(contents [][]byte) (T, error)
	clock elector.Clock
	log   *slog.Logger

	mu       sync.Mutex
	value    T
	contents [][]byte
	checked  time.Time
	failed   bool
}

// newReloaded reads the files for the first time. An error names the file.
func newReloaded[T any](c elector.Clock, log *slog.Logger, load func(contents [][]byte) (T, error), names ...string) (*reloaded[T], error) {
	r := &reloaded[T]{names: names, load: load, clock: c, log: log, checked: c.Now()}
	contents, err := r.read()
	if err != nil {
		return nil, err
	}
	r.contents = contents
	if r.value, err = load(contents); err != nil {
		return nil, fmt.Errorf("%s: %w", election.SafeText(names[0]), err)
	}
	return r, nil
}

func (r *reloaded[T]) read() (contents [][]byte, err error) {
	for _, name := range r.names {
		info, err := os.Stat(name)
		switch { // a pipe or a device has no size, cannot be read again, or never ends
		case err == nil && !info.Mode().IsRegular():
			err = fmt.Errorf("%s is not a regular file", election.SafeText(name))
		case err == nil && info.Size() > maxFileBytes:
			err = fmt.Errorf("%s has %d bytes, more than %d", election.SafeText(name), info.Size(), maxFileBytes)
		}
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		contents = append(contents, text)
	}
	return contents, nil
}

// get returns the value, after it has looked for a change of the files.
func (r *reloaded[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if now.Sub(r.checked) < recheck {
		return r.value
	}
	r.checked = now
	contents, err := r.read()
	if err == nil && slices.EqualFunc(contents, r.contents, bytes.Equal) {
		r.failed = false
		return r.value
	}
	var value T
	if err == nil {
		value, err = r.load(contents)
	}
	if err != nil {
		if !r.failed { // once, and not with each request
			r.log.Warn("a file was changed and cannot be used, so the former contents stay", "file", election.SafeText(r.names[0]), "error", err)
		}
		r.failed = true
		return r.value
	}
	r.value, r.contents, r.failed = value, contents, false
	r.log.Info("read again", "file", election.SafeText(r.names[0]))
	return value
}

// TLS returns the settings of a server with the certificate and the key in two files. They
// are read again when they change.
func TLS(certFile, keyFile string, c elector.Clock, log *slog.Logger) (*tls.Config, error) {
	pair, err := newReloaded(c, log, func(contents [][]byte) (*tls.Certificate, error) {
		pair, err := tls.X509KeyPair(contents[0], contents[1])
		return &pair, err
	}, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"}, // a browser opens only six connections of HTTP/1.1
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.get(), nil },
	}, nil
}

// Tokens returns a function that reports whether a file has a token. Each line that is not
// empty is one, so that a new token can be valid before the old one ends. The file is read
// again when it changes.
func Tokens(file string, c elector.Clock, log *slog.Logger) (authorized func(token string) bool, err error) {
	tokens, err := newReloaded(c, log, func(contents [][]byte) (sums [][sha256.Size]byte, err error) {
		lines, number := bufio.NewScanner(bytes.NewReader(contents[0])), 0
		for lines.Scan() {
			number++
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			if len(line) < shortestToken || bytes.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return nil, fmt.Errorf("line %d is not a token: use at least %d letters, digits and signs of ASCII, such as the output of \"openssl rand -hex 32\"",
					number, shortestToken)
			}
			sums = append(sums, sha256.Sum256(line))
		}
		if lines.Err() == nil && sums == nil {
			return nil, errors.New("it has no token: write a long random one into a line, such as the output of \"openssl rand -hex 32\"")
		}
		return sums, lines.Err()
	}, file)
	if err != nil {
		return nil, err
	}
	return func(token string) bool {
		sum, found := sha256.Sum256([]byte(token)), 0
		for _, one := range tokens.get() {
			found |= subtle.ConstantTimeCompare(sum[:], one[:])
		}
		return found == 1
	}, nil
}
