// Package terminal is what fdbelect needs to draw on a terminal, and to keep texts of other
// origin from controlling it.
package terminal
