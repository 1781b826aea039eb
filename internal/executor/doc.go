// Package executor runs the operations of the state machine as transactions of package
// election. It keeps nothing from one operation to the next and starts no goroutine.
package executor
