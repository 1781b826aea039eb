// Package terminal draws on a terminal: colours, rows and a progress bar. It also removes
// control characters from texts that come from outside.
package terminal
