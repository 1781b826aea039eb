// Package cli is the command fdbelect. Main and Exec run it, and ExitCode returns its exit
// code. The subcommands that need more than a file are packages of their own.
package cli
