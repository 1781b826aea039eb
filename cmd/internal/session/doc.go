// Package session is what most subcommands share: the program with its streams, the flags
// that name a store and an election, and transactions on it with errors that say what to do.
package session
