// Package demo is the subcommand "demo". It runs five candidates on a store in memory and
// checks each step of an election in the store.
package demo
