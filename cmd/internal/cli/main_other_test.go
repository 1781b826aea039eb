//go:build !unix

package cli_test

// workerCommands are commands for "fdbelect run" to run: there is no guard here.
var workerCommands map[string]func()
