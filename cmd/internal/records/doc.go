// Package records is what the subcommands read of an election, and what their texts say of
// it: the candidates with their heartbeats, damaged records with their remedies, the
// settings of a config.
package records
