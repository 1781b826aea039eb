// Package longtest separates the tests that take long from those that run with
// `go test work`. `make long` runs all of them, and CI does too.
package longtest

import (
	"os"
	"testing"
)

// Enabled reports whether long tests run: the environment variable LONG is set.
func Enabled() bool { return os.Getenv("LONG") != "" }

// Only skips the test unless long tests run.
func Only(t testing.TB) {
	t.Helper()
	if !Enabled() {
		t.Skip("takes long: set LONG=1 to run it (make long)")
	}
}

// Pick returns long if long tests run, and quick otherwise. Use it for the number of
// rounds of a test that has a representative quick form.
func Pick[T any](quick, long T) T {
	if Enabled() {
		return long
	}
	return quick
}
