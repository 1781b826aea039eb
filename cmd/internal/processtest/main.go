package processtest

import (
	"flag"
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
)

// Main runs the tests of a package that starts fdbelect as a process. The test binary is
// then the command fdbelect, and each of the other commands. TestMain calls Main.
func Main(m *testing.M, commands map[string]func()) {
	// With the race detector, each process waits for a second at its end by default. That
	// would also delay run, which waits for its guard.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	// Most of these tests wait for leases to expire and use little CPU.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	all := map[string]func(){"fdbelect": func() { os.Exit(cli.Main()) }}
	maps.Copy(all, commands)
	testscript.Main(m, all)
}
