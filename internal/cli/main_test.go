package cli_test

import (
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fdbelection/fdbelection/internal/cli"
)

// TestMain makes this binary the command fdbelect for the tests that run it as
// a process.
func TestMain(m *testing.M) {
	commands := map[string]func(){"fdbelect": func() { os.Exit(cli.Main()) }}
	maps.Copy(commands, workerCommands)
	testscript.Main(m, commands)
}
