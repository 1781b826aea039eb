package processtest

import (
	"flag"
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
)

// Main runs the tests of a package that starts fdbelect as a process: it makes the test
// binary the command fdbelect, and each of the other commands. TestMain calls it.
func Main(m *testing.M, commands map[string]func()) {
	// With the race detector, each process waits for a second at its end by default. A
	// process that waits for its guard would take that as well.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	// Most of these tests only wait, for leases to run out.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	all := map[string]func(){"fdbelect": func() { os.Exit(cli.Main()) }}
	maps.Copy(all, commands)
	testscript.Main(m, all)
}
