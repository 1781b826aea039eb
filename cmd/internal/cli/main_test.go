package cli_test

import (
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
)

// TestMain makes this binary the command fdbelect for the tests that run it as
// a process.
func TestMain(m *testing.M) {
	// With the race detector each process waits for a second at its end by default. What
	// waits for a guard would take that as well.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	commands := map[string]func(){"fdbelect": func() { os.Exit(cli.Main()) }}
	maps.Copy(commands, workerCommands)
	testscript.Main(m, commands)
}
