// Package clitest has what tests of subcommands share that start no processes: a virtual
// clock, stores that fail, and elections in memory.
package clitest
