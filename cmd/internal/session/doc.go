// Package session has what most subcommands share: the program with its streams, the flags
// that name a store and an election, and transactions whose errors say what to do.
package session
