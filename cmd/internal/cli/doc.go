// Package cli is the command fdbelect: Exec runs it, ExitCode says how it
// ended, and each subcommand has a file of its own.
package cli
