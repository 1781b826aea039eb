// Package probe checks whether a process is ready to lead, by a command or by an HTTP
// request. Thresholds decide how many results in a row change the answer.
package probe
