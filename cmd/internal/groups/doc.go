// Package groups reads a group for the subcommands, observes the heartbeats of its members, and
// tells what its log means.
package groups
