package cli_test

import (
	"context"
	"maps"
	"os"
	"os/signal"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fdbelection/fdbelection/internal/cli"
)

// TestMain makes this binary the command fdbelect for the tests that run it as
// a process.
func TestMain(m *testing.M) {
	commands := map[string]func(){"fdbelect": func() {
		ctx, stop := signal.NotifyContext(context.Background(), cli.Signals()...)
		err := cli.Exec(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(cli.ExitCode(err))
	}}
	maps.Copy(commands, workerCommands)
	testscript.Main(m, commands)
}
