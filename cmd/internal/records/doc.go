// Package records reads an election for the subcommands, and has their texts about it. It
// covers candidates and heartbeats, damaged records and how to repair them, and the settings
// of a config.
package records
