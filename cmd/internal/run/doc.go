// Package run is "fdbelect run": it campaigns for leadership, logs what happens, and runs a
// command while its process leads. The command itself is in the hands of package supervise.
package run
