// Command fdbelect elects a leader among processes, and shows who leads.
// See fdbelect --help.
package main

import (
	"os"

	"github.com/fdbelection/fdbelection/cmd/internal/cli"
)

func main() { os.Exit(cli.Main()) }
