// Package run is the subcommand "run". It campaigns for leadership, logs each transition, and
// runs a command while its process leads. Package supervise starts and ends that command.
package run
