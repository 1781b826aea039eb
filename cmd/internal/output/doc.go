// Package output writes the results of the subcommands: as tables for people, and as JSON
// or YAML for scripts.
package output
