// Command fdbelect elects a leader among processes, and shows who leads.
// See fdbelect --help.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/fdbelection/fdbelection/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), cli.Signals()...)
	err := cli.Exec(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(cli.ExitCode(err))
}
