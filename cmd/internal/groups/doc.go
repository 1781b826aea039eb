// Package groups reads a group for the subcommands: its records, what they see of the
// heartbeats of its members, the moves that the balance plans, and what its log tells.
package groups
