// Package typecheck checks the adapter's types on a machine without cgo and
// without FoundationDB, where it cannot be compiled: go/types reads its sources
// and the binding's, and takes what comes from C for granted. It finds every
// wrong call of the binding; that the adapter works is for its own tests.
package typecheck
