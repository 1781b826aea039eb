// Package executor carries out what a machine asks for: each operation in
// transactions of its own, on whatever engine, with the real protocol. It keeps
// nothing from one operation to the next, and starts no goroutine.
package executor
