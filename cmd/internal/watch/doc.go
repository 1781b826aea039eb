// Package watch is "fdbelect watch": it follows an election and shows every change, as lines
// or on a screen that is redrawn.
package watch
